"""A tenant with a value of its own in every secret and every personal field that it can hold or answer with."""

import json
import secrets
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pyotp

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig
from dlt_authsignal.sandbox.verification.software_app import SoftwareApp
from dlt_authsignal.schema.secret_fields import SECRET_FIELDS
from tests.ceremonies import Visitor
from tests.helpers import ask

ENDINGS = (
    "token",
    "tokens",
    "secret",
    "secrets",
    "secretkey",
    "privatekey",
    "apikey",
    "password",
    "credentials",
    "recoverycodes",
)
"""Endings of names of secrets that Authsignal may add."""

CEREMONIES = (
    "passkey_register_options",
    "passkey_register",
    "passkey_initiate_challenge",
    "passkey_authentication_options",
    "passkey_verify_authentication",
)


def unique(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(8)}"


def config() -> SandboxConfig:
    return SandboxConfig(
        seed=1,
        api_secret_key=unique("server-key"),
        management_secret_key=unique("management-key"),
        missing_scope_status=403,
    )


@dataclass
class Planted:
    """What was planted, by what it is.

    Attributes:
        running: The tenant.
        token: A token of the person it was planted in, who is `user_id`.
        secret: What may be nowhere.
        personal: What may be in rows of the data tables, and nowhere else.
    """

    running: RunningSandbox
    user_id: str = field(default_factory=lambda: f"{unique('user')}/ä?")
    token: str = ""
    secret: dict[str, str] = field(default_factory=dict)
    personal: dict[str, str] = field(default_factory=dict)

    def env(self, *names: str, **more: str) -> dict[str, str]:
        """Environment of a run: where the tenant is, and the credentials that are named."""
        config = self.running.sandbox.config
        known = {"token": self.token, "tenant_id": config.tenant_id, "api_secret_key": config.api_secret_key}
        values = {"base_url": self.running.url, "rate": "max", "backoff": "0.01", "attempts": "2"}
        values |= {"privacy": "keep", **more}  # the search proves something only if the values do get into the tables
        values |= {name: known[name] for name in names}
        return {f"SOURCES__AUTHSIGNAL_SOURCE__{name.upper()}": value for name, value in values.items()}


def plant(running: RunningSandbox, user_id: str | None = None) -> Planted:
    """Fills the tenant."""
    planted = Planted(running, user_id=user_id) if user_id else Planted(running)
    config = running.sandbox.config
    planted.secret = {"api_secret_key": config.api_secret_key, "management key": config.management_secret_key}
    planted.personal = {
        "user id": planted.user_id,
        "email": f"{unique('zoë')}@example.com",
        "phone number": f"+64{secrets.randbelow(10**10):010d}",
        "username": unique("name"),
        "display name": unique("Zoë Müller"),
        "locale": f"en-x-{secrets.token_hex(4)}",
        "custom data": unique("custom"),
        "action data": unique("action-custom"),
        "ip address": f"2001:db8:{secrets.randbelow(65535) + 1:x}:{secrets.randbelow(65535) + 1:x}::7",
        "user agent": unique("agent"),
        "device id": unique("device"),
        "passkey name": unique("passkey"),
    }
    _person(planted)
    _authenticators(planted)
    _client(planted)
    return planted


def _server(planted: Planted, method: str, path: str, body: Any) -> Any:
    from urllib.parse import quote

    auth = basic_auth(planted.running.sandbox.config.api_secret_key)
    status, answer, _ = ask(planted.running, method, f"/users/{quote(planted.user_id, safe='')}{path}", body, auth=auth)
    assert status == 200, (path, answer)
    return answer


def _person(planted: Planted) -> None:
    known = planted.personal
    about = {
        "email": known["email"],
        "phoneNumber": known["phone number"],
        "username": known["username"],
        "displayName": known["display name"],
        "locale": known["locale"],
        "custom": {"note": known["custom data"]},
    }
    _server(planted, "PATCH", "", about)


def _authenticators(planted: Planted) -> None:
    known, seed = planted.personal, pyotp.random_base32()
    uri = pyotp.TOTP(seed).provisioning_uri(name="x", issuer_name="y")
    enrolled = _server(
        planted,
        "POST",
        "/authenticators",
        {"verificationMethod": "SMS", "phoneNumber": known["phone number"]},
    )
    _server(planted, "POST", "/authenticators", {"verificationMethod": "EMAIL_OTP", "email": known["email"]})
    _server(planted, "POST", "/authenticators", {"verificationMethod": "AUTHENTICATOR_APP", "otpUri": uri})
    planted.secret |= {"totp seed": seed, "otp link": uri}
    planted.secret |= {f"recovery code {place}": code for place, code in enumerate(enrolled["recoveryCodes"])}


def _client(planted: Planted) -> None:
    known = planted.personal
    tracked = {
        "ipAddress": known["ip address"],
        "userAgent": known["user agent"],
        "deviceId": known["device id"],
        "custom": {"note": known["action data"]},
        "scope": "read:authenticators add:authenticators",
    }
    planted.token = _server(planted, "POST", "/actions/signIn", tracked)["token"]
    visitor = Visitor(planted.running, user_id=planted.user_id, token=planted.token)
    assert visitor.register(username=known["passkey name"], displayName=known["display name"])[0] == 200
    pushed = unique("push-token")
    assert visitor.post("/user-authenticators/push", SoftwareApp().enrolment(push_token=pushed))[0] == 200
    planted.secret |= {"token": planted.token, "token's signature": planted.token.rsplit(".", 1)[1]}
    planted.secret |= {"push token": pushed, "passkey access token": visitor.token.rsplit(".", 1)[1]}
    _withheld(planted)


def _withheld(planted: Planted) -> None:
    """Answers that hold every secret field, at three depths, once on each route."""
    planted.secret["withheld field"] = mark = unique("withheld")
    names = [*SECRET_FIELDS, *(f"new{end}" for end in ENDINGS), "otp_uri", "recovery-codes", "Api-Secret-Key"]
    flat: dict[str, Any] = {name: f"{mark}-{name}" for name in names}
    flat |= {"link": f"otpauth://totp/x?secret={mark}", "accessTokens": [mark], "clientSecret": {"value": mark}}
    whole = {**flat, "nested": {**flat, "deeper": [flat, {"in": flat}]}, "output": {"listed": [flat]}}
    user = {"userId": planted.user_id, "email": planted.personal["email"], **whole}
    rows: dict[str, Any] = {
        "GET /users": {"users": [user]},
        "GET /users/{userId}": {"isEnrolled": True, **whole},
        "GET /users/{userId}/authenticators": [{"userAuthenticatorId": "a", "verificationMethod": "SMS", **whole}],
        "GET /users/{userId}/actions": [{"actionCode": "signIn", "idempotencyKey": "k", "state": "ALLOW", **whole}],
        "GET /users/{userId}/devices": [{"deviceId": planted.personal["device id"], **whole}],
        "GET /users/{userId}/actions/{action}/{idempotencyKey}": {"state": "ALLOW", **whole},
        "GET /authenticators": [{"authenticatorId": "a", "verificationMethod": "SMS", **whole}],
        "GET /client/user-authenticators": [{"userAuthenticatorId": "c", "verificationMethod": "SMS", **whole}],
    }
    for route, body in rows.items():
        planted.running.faults.add(Fault(route=route, kind="body", body=json.dumps(body)))


class Echo(BaseHTTPRequestHandler):
    """A gateway in front of Authsignal that repeats what it was asked, with the header that proves who asks.

    `answer` takes the authorization header, its text, and the path; `status` 0 sends it raw, as no HTTP at all.
    """

    status: ClassVar[int] = 200
    template: ClassVar[str] = ""
    media_type: ClassVar[str] = "text/html"

    def do_GET(self) -> None:
        body = self.template.replace("$AUTH", self._auth()).replace("$KEY", self._key()).replace("$PATH", self.path)
        if self.status:
            self.send_response(self.status)
            self.send_header("Content-Type", self.media_type)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_GET  # noqa: N815

    def _auth(self) -> str:
        return self.headers.get("Authorization", "")

    def _key(self) -> str:
        import base64

        scheme, _, value = self._auth().partition(" ")
        return base64.b64decode(value).decode().rstrip(":") if scheme == "Basic" else value

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
