"""Steps of a user on the hosted pages, in a browser that a test drives."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import ask
from tests.node_process import NodeProcess

MOST_KEYS = 20


@dataclass(frozen=True)
class Pages:
    """Chromium, and the sandbox whose pages it shows."""

    process: NodeProcess
    running: RunningSandbox

    def do(self, op: str, **about: Any) -> Any:
        answer = self.process.ask(op=op, **about)
        assert "error" not in answer, answer["error"]
        return answer["returned"]

    def open(self, **context: Any) -> None:
        """An application's page with the SDK, on a computer with a fingerprint reader and a security key."""
        self.do("open", options=self._client, context=context)
        self.do("authenticator", transport="internal")

    def open_url(self, url: str, **context: Any) -> None:
        """A page of the sandbox, without an application that opened it."""
        self.do("open", url=url, context=context)

    def press(self, key: str, until: str) -> None:
        """Press a key until the element with that text has the focus, on the page that has it."""
        self.do("waitFor", text=until)
        for _ in range(MOST_KEYS):
            self.do("press", key=key)
            if self.do("focused").startswith(until):
                return
        raise AssertionError(f"{until} was not reached with {key}")

    def assert_usable(self, text: str) -> None:
        """The page with that text has no accessibility problem that axe finds, and is no wider than the screen."""
        self.do("waitFor", text=text)
        assert self.do("axe") == []
        assert self.do("evaluate", expression="document.documentElement.scrollWidth <= innerWidth")

    @property
    def _client(self) -> dict[str, str]:
        base = self.running.url.replace("127.0.0.1", "localhost")
        return {"tenantId": self.running.sandbox.config.tenant_id, "baseUrl": base}

    def track(self, action: str = "signIn", user_id: str = "ada", **about: Any) -> str:
        """The URL that the application's server gets, and hands to its page."""
        body = {"redirectUrl": f"{self.do('origin')}?a=1", **about}
        url: str = ask(self.running, "POST", f"/users/{user_id}/actions/{action}", body)[1]["url"]
        return url

    def launch(self, url: str, mode: str) -> None:
        """Open the pages as the application does, and look at them."""
        self.do("look", at="page")
        self.do("launch", url=url, options={"mode": mode}, client=self._client)
        if mode != "redirect":
            self.do("look", at=mode)

    def returned(self) -> str:
        """The token with which a redirect led back to the application."""
        self.do("waitForUrl", url=f"{self.do('origin')}?a=1")
        [token] = parse_qs(urlsplit(str(self.do("address"))).query)["token"]
        return token

    def code(self, to: str = "ada") -> str:
        """The newest code that was sent."""
        message = self.running.sandbox.outbox.last(to)
        assert message is not None
        assert message.code is not None
        return message.code

    def enter_code(self) -> None:
        """Enter the newest code, once the page says that it was sent."""
        self.do("waitFor", text="We sent a code")
        self.do("fill", label="Code", text=self.code())
        self.do("click", button="Continue")

    def enrolled(self, **about: Any) -> Any:
        """The application's server enrols an authenticator."""
        status, answer, _ = ask(self.running, "POST", "/users/ada/authenticators", about)
        assert status == 200
        return answer

    def state(self, action: str = "signIn") -> str:
        """The state of the newest attempt."""
        rows = ask(self.running, "GET", f"/users/ada/actions?codes={action}")[1]
        state: str = max(rows, key=lambda row: row["createdAt"])["state"]
        return state

    def assert_met(self, token: str, method: str, action: str = "signIn") -> None:
        """The application's server asks whether the challenge was met."""
        verdict = ask(self.running, "POST", "/validate", {"token": token, "userId": "ada", "action": action})[1]
        wanted = {"isValid": True, "state": "CHALLENGE_SUCCEEDED", "verificationMethod": method}
        assert verdict.items() >= wanted.items()
