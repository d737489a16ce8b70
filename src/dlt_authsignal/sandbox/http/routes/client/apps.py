"""Credentials of mobile apps: enrol them for push, QR code or in-app verification, read, update and remove them.

Attestation is accepted without a check, and credentials do not expire: their real lifetime is not published.
"""

from dataclasses import replace
from typing import Any, Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.refusals import invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Handler, Served
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import AppCredential, Authenticator
from dlt_authsignal.sandbox.verification.approvals import Signed, check_signature, holder, signer
from dlt_authsignal.sandbox.verification.challenge_flow import mark_verified, new_challenge
from dlt_authsignal.sandbox.verification.signatures import REMOVAL_WINDOW, canonical, removal_message

METHODS: Final = {"push": "PUSH", "qr-code": "QR_CODE", "in-app": "IN_APP"}
PLATFORMS: Final = ("IOS", "ANDROID", "WEB")

UPDATE: Final = "APP_UPDATE"
"""Method of the challenge for an update of a push credential. It is not a verification method."""


class AppEnrolment(Body, kw_only=True):
    """Body of `POST /client/user-authenticators/{push,qr-code,in-app}`; the SDKs write the platform in lower case."""

    public_key: str
    device_name: str | None = None
    device_platform: str
    perform_attestation: dict[str, Any] | None = None
    push_token: str | None = None


class AppQuery(Body, kw_only=True):
    """Query with which an app reads its own credential."""

    public_key: str


class PushUpdate(Signed, kw_only=True):
    """Body of `PATCH /client/user-authenticators/push`; the message that `…/push/sign` returned is signed."""

    challenge_id: str
    push_token: str | None = None
    reset_expiry: bool = False


class AppAuthenticator(answers.Answer, kw_only=True):
    """An app's credential; `expiresAt` in Unix seconds (the iOS SDK reads a number, the Android SDK a string)."""

    user_authenticator_id: str
    user_id: str
    verified_at: str
    last_verified_at: str | None = None
    expires_at: int | None = None


class Updated(answers.Answer, kw_only=True):
    """`PATCH /client/user-authenticators/push`; `pushToken` is the one in the request."""

    user_authenticator_id: str
    user_id: str
    last_verified_at: str
    push_token: str | None = None
    expires_at: int | None = None


class ToSign(answers.Answer, kw_only=True):
    """`POST …/push/sign`."""

    challenge_id: str
    message: str


class Removed(answers.Answer, kw_only=True):
    """The response to a removal. The field is not documented; older iOS models read it."""

    removed_authenticator_id: str


def enroller(method: str) -> Handler:
    """Add an app's key to the token's user. It counts as verified immediately, because signing with it verifies."""

    def enroll(call: Call, body: AppEnrolment) -> AppAuthenticator:
        sandbox, user_id = call.sandbox, call.caller.user.user_id
        check_active(sandbox, method)
        app = _app(body)
        known = sandbox.store.app(method, app.public_key)
        if known and known.user_id != user_id:
            raise invalid("The public key is enrolled for another user.")
        upsert(sandbox, user_id, {})
        return _answer(_renewed(sandbox, known, app) if known else _added(sandbox, method, user_id, app))

    return enroll


def _app(body: AppEnrolment) -> AppCredential:
    key, platform = canonical(body.public_key), body.device_platform.upper()
    if key is None:
        raise invalid("publicKey is not base64 of a DER SubjectPublicKeyInfo, of P-256 or RSA.")
    if platform not in PLATFORMS:
        raise invalid(f"devicePlatform is one of {', '.join(PLATFORMS)}.")
    return AppCredential(public_key=key, device_name=body.device_name, platform=platform, push_token=body.push_token)


def _added(sandbox: Sandbox, method: str, user_id: str, app: AppCredential) -> Authenticator:
    return mark_verified(
        sandbox,
        Authenticator(
            user_authenticator_id=sandbox.new_id(),
            user_id=user_id,
            verification_method=method,
            created_at=sandbox.clock.now(),
            app=app,
        ),
    )


def _renewed(sandbox: Sandbox, known: Authenticator, app: AppCredential) -> Authenticator:
    """Return the authenticator that already has this key: SDKs keep their key. Assumed: no second one is created."""
    changed = replace(known, app=app)
    sandbox.store.put_authenticator(changed)
    sandbox.events.authenticator(sandbox.clock.now(), "updated", changed)
    return changed


def _answer(value: Authenticator) -> AppAuthenticator:
    return AppAuthenticator(
        user_authenticator_id=value.user_authenticator_id,
        user_id=value.user_id,
        verified_at=iso(value.verified_at or value.created_at),
        last_verified_at=iso(value.last_verified_at) if value.last_verified_at else None,
        expires_at=_expiry(value),
    )


def _expiry(value: Authenticator) -> int | None:
    return int(value.app.expires_at.timestamp()) if value.app and value.app.expires_at else None


def reader(method: str) -> Handler:
    """Return the authenticator of an app's key."""

    def read(call: Call, query: AppQuery) -> AppAuthenticator:
        return _answer(holder(call.sandbox, method, query.public_key))

    return read


def remover(method: str) -> Handler:
    """Remove an app that signed the current ten minutes. Assumed: the ten before count too."""

    def remove(call: Call, body: Signed) -> Removed:
        sandbox, now = call.sandbox, call.sandbox.clock.now()
        value = signer(sandbox, method, body, removal_message(now), removal_message(now - REMOVAL_WINDOW))
        sandbox.store.remove_authenticator(value.user_id, value.user_authenticator_id)
        sandbox.events.authenticator(now, "deleted", value)
        return Removed(removed_authenticator_id=value.user_authenticator_id)

    return remove


def sign_update(call: Call, query: AppQuery) -> ToSign:
    """Return a message to sign before an update."""
    value = holder(call.sandbox, "PUSH", query.public_key)
    challenge = new_challenge(
        call.sandbox,
        UPDATE,
        user_authenticator_id=value.user_authenticator_id,
        about={"message": call.sandbox.new_id()},
    )
    return ToSign(challenge_id=challenge.challenge_id, message=challenge.about["message"])


def update(call: Call, body: PushUpdate) -> Updated:
    """Change the push token, or only report that the app is alive. Assumed: both count as a verification."""
    sandbox, now = call.sandbox, call.sandbox.clock.now()
    value = holder(sandbox, "PUSH", body.public_key)
    challenge = sandbox.challenges.get(body.challenge_id, now)
    mine = challenge and (challenge.method, challenge.user_authenticator_id) == (UPDATE, value.user_authenticator_id)
    if challenge is None or not mine:
        raise invalid("The challenge is not known, was used already, or has expired.")
    check_signature(value, body.signature, challenge.about["message"])
    sandbox.challenges.take(challenge.challenge_id, now)
    if value.app and body.push_token:
        value = replace(value, app=replace(value.app, push_token=body.push_token))
    value = replace(value, last_verified_at=now)
    sandbox.store.put_authenticator(value)
    sandbox.events.authenticator(now, "updated", value)
    return Updated(
        user_authenticator_id=value.user_authenticator_id,
        user_id=value.user_id,
        last_verified_at=iso(now),
        push_token=body.push_token,
        expires_at=_expiry(value),
    )


ROUTES: tuple[Served, ...] = (
    *((endpoints.APP_ENROLL[kind], enroller(method)) for kind, method in METHODS.items()),
    *((endpoints.APP_CREDENTIAL[kind], reader(method)) for kind, method in METHODS.items()),
    *((endpoints.APP_REMOVE[kind], remover(method)) for kind, method in METHODS.items()),
    (endpoints.PUSH_SIGN, sign_update),
    (endpoints.PUSH_UPDATE, update),
)
