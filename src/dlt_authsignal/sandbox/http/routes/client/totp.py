"""Authenticator apps: RFC 6238 codes."""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.client.codes import CodeAnswer, Verified, give_up, proved
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator, Totp, User
from dlt_authsignal.sandbox.verification.codes import limits_of

if TYPE_CHECKING:
    import pyotp

METHOD: Final = "AUTHENTICATOR_APP"

DRIFT_STEPS: Final = 1
"""Codes of this many steps before and after are accepted too, because clocks differ."""


class TotpEnrolling(answers.Answer, kw_only=True):
    """The data that an authenticator app needs."""

    user_authenticator_id: str
    user_id: str
    uri: str
    secret: str


def enroll(call: Call) -> TotpEnrolling:
    import pyotp

    sandbox, user_id = call.sandbox, call.caller.user.user_id
    check_active(sandbox, METHOD)
    user = upsert(sandbox, user_id, {})
    secret = pyotp.random_base32()
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=user_id,
        verification_method=METHOD,
        created_at=sandbox.clock.now(),
        totp=Totp(secret=secret),
    )
    for earlier in sandbox.store.authenticators(user_id):
        if earlier.verification_method == METHOD and earlier.verified_at is None:
            sandbox.store.remove_authenticator(user_id, earlier.user_authenticator_id)
    sandbox.store.put_authenticator(value)
    uri = uri_of(sandbox, user, secret)
    return TotpEnrolling(user_authenticator_id=value.user_authenticator_id, user_id=user_id, uri=uri, secret=secret)


def uri_of(sandbox: Sandbox, user: User, secret: str) -> str:
    """Return the URI that the QR code for an authenticator app has."""
    import pyotp

    name = user.email or user.username or user.user_id
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=_issuer(sandbox))


def _issuer(sandbox: Sandbox) -> str:
    """Return the name that the app shows beside the code."""
    configured = sandbox.tenant.method(METHOD) or {}
    name: str = configured.get("issuerName") or sandbox.tenant.details.get("name", "Sandbox")
    return name


async def verify(call: Call, body: CodeAnswer) -> Verified:
    sandbox, token = call.sandbox, call.caller.user
    limits = limits_of(sandbox, METHOD)
    key = ("tried", METHOD, token.user_id)
    if not sandbox.windows.allow(key, sandbox.clock.now(), limit=limits.tried, minutes=limits.tried_minutes):
        give_up(call)
        return Verified(is_verified=False, failure_reason="MAX_ATTEMPTS_EXCEEDED")
    found = _matching(sandbox, token.user_id, body.verification_code)
    if found is None:
        return Verified(is_verified=False, failure_reason="CODE_INVALID_OR_EXPIRED")
    sandbox.store.put_authenticator(found)
    return await proved(call, METHOD, found)


def _matching(sandbox: Sandbox, user_id: str, code: str) -> Authenticator | None:
    """Return the authenticator with this code, with its time step used up: each code works once."""
    import pyotp

    for value in sandbox.store.authenticators(user_id):
        if value.verification_method != METHOD or value.totp is None:
            continue
        app, period = _app(value.totp), value.totp.period
        now = int(sandbox.clock.now().timestamp()) // period
        for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
            right = app.at(step * period)
            if step > value.totp_step and pyotp.utils.strings_equal(right, code):
                return replace(value, totp_step=step)
    return None


def _app(totp: Totp) -> "pyotp.TOTP":
    """Return pyotp's app with the same secret and parameters. By itself, pyotp refuses secrets below 112 bits."""
    import pyotp

    class AnyLength(pyotp.TOTP):
        min_secret_length_bits = 0

    digest = getattr(hashlib, totp.algorithm.lower())
    return AnyLength(totp.secret, digits=totp.digits, digest=digest, interval=totp.period)


ROUTES: tuple[Served, ...] = (
    (endpoints.TOTP_ENROLL, enroll),
    (endpoints.TOTP_VERIFY, verify),
)
