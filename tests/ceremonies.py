"""Ceremonies of the Client API in a few words, for tests."""

from dataclasses import dataclass, field
from typing import Any

from dlt_authsignal.api.endpoints import basic_auth, bearer_auth
from dlt_authsignal.passkey import SoftwarePasskey, Tamper
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import ask

ORIGIN = "http://localhost:3000"
PASSKEY = "/client/user-authenticators/passkey"

HONEST = Tamper()

Answer = tuple[int, Any]


@dataclass
class Visitor:
    """A person with a browser: software passkeys, and the token of the moment.

    Attributes:
        running: The sandbox they talk to.
        user_id: Who they are at the server.
        token: Their short-lived token.
        passkey: Their authenticator.
    """

    running: RunningSandbox
    user_id: str = "u"
    token: str = ""
    passkey: SoftwarePasskey = field(default_factory=lambda: SoftwarePasskey(origin=ORIGIN))

    def track(self, action: str = "signIn", **body: Any) -> "Visitor":
        """A new attempt: the server tracks it and hands the visitor its token."""
        self.token = ask(self.running, "POST", f"/users/{self.user_id}/actions/{action}", body)[1]["token"]
        return self

    def post(self, path: str, body: Any = None) -> Answer:
        """A call with the token; a token in the answer is taken over, as the browser SDK does."""
        status, answer, _ = ask(self.running, "POST", f"/client{path}", body, auth=bearer_auth(self.token))
        if status == 200 and isinstance(answer, dict) and "accessToken" in answer:
            self.token = answer["accessToken"]
        return status, answer

    def anonymous(self, path: str, body: Any = None) -> Answer:
        """A call with the tenant id only."""
        auth = basic_auth(self.running.sandbox.config.tenant_id)
        return ask(self.running, "POST", f"/client{path}", body or {}, auth=auth)[:2]

    def authenticators(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = ask(
            self.running, "GET", "/client/user-authenticators", auth=bearer_auth(self.token)
        )[1]
        return found

    def register(self, tamper: Tamper = HONEST, **asked: Any) -> Answer:
        """Creates a passkey."""
        options = self.post("/user-authenticators/passkey/registration-options", asked)[1]
        credential = self.passkey.create(options["options"], tamper=tamper)
        body = {"challengeId": options["challengeId"], "registrationCredential": credential}
        return self.post("/user-authenticators/passkey", body)

    def sign_in(self, action: str | None = None, tamper: Tamper = HONEST) -> Answer:
        """Signs in with a discoverable passkey; the server learns from it who it is."""
        started = {"challengeId": self.anonymous("/challenge", {"action": action})[1]["challengeId"]} if action else {}
        options = self.anonymous("/user-authenticators/passkey/authentication-options", started)[1]
        return self.anonymous("/verify/passkey", self.answer(options, tamper))

    def confirm(self, tamper: Tamper = HONEST) -> Answer:
        """Meets the challenge of the visitor's own action with a passkey."""
        options = self.post("/user-authenticators/passkey/authentication-options", {})[1]
        return self.post("/verify/passkey", self.answer(options, tamper))

    def answer(self, options: Any, tamper: Tamper = HONEST) -> dict[str, Any]:
        credential = self.passkey.get(options["options"], tamper=tamper)
        return {"challengeId": options["challengeId"], "authenticationCredential": credential}

    def validate(self, token: str | None = None) -> Any:
        """What the server learns of a token."""
        return ask(self.running, "POST", "/validate", {"token": token or self.token})[1]

    def last_code(self) -> str:
        message = self.running.sandbox.outbox.last()
        assert message
        assert message.code
        return message.code

    def wait(self, **time: int) -> None:
        """Lets the sandbox's time pass."""
        from datetime import timedelta

        self.running.sandbox.clock.advance(timedelta(**time))
