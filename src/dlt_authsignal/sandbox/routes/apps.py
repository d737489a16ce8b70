"""Credentials of a mobile app for push, QR code and in-app verification: enrolled, read, renewed, removed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, Literal

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox import answers
from dlt_authsignal.sandbox.clock import iso
from dlt_authsignal.sandbox.entities import AppCredential, Authenticator
from dlt_authsignal.sandbox.http import Body, Call, Served
from dlt_authsignal.sandbox.refusals import invalid, not_found
from dlt_authsignal.sandbox.routes.authenticators import check_active
from dlt_authsignal.sandbox.routes.passkeys import enrolled_with
from dlt_authsignal.sandbox.routes.users import enrolled, upsert
from dlt_authsignal.sandbox.signatures import check_public_key, check_signature
from dlt_authsignal.sandbox.verification import mark_verified

METHODS: Final = {"push": "PUSH", "qr-code": "QR_CODE", "in-app": "IN_APP"}

PUSH_LIFETIME: Final = timedelta(days=90)
"""A push credential that is not used for so long expires; that it expires is known, after how long is not."""


class AppEnrolment(Body, kw_only=True):
    """Body of `POST /client/user-authenticators/{push,qr-code,in-app}`. Attestation is not looked at."""

    public_key: str
    device_name: str | None = None
    device_platform: Literal["ios", "android", "web", "IOS", "ANDROID", "WEB"] = "IOS"
    push_token: str | None = None
    perform_attestation: dict[str, Any] | None = None


class AppQuery(Body, kw_only=True):
    """Which app asks."""

    public_key: str


class AppRemoval(Body, kw_only=True):
    """Body of `…/remove`; signed over the public key."""

    public_key: str
    signature: str


class PushUpdate(Body, kw_only=True):
    """Body of `PATCH /client/user-authenticators/push`; signed over the challenge id that `…/sign` gave."""

    challenge_id: str
    public_key: str
    signature: str
    push_token: str | None = None
    reset_expiry: bool = False


class App(answers.Answer, kw_only=True):
    """An app's credential."""

    user_authenticator_id: str
    user_id: str
    verified_at: str | None = None
    last_verified_at: str | None = None
    push_token: str | None = None
    expires_at: str | None = None


def shown(value: Authenticator, *, with_token: bool = False) -> App:
    app = value.app
    return App(
        user_authenticator_id=value.user_authenticator_id,
        user_id=value.user_id,
        verified_at=iso(value.verified_at) if value.verified_at else None,
        last_verified_at=iso(value.last_verified_at) if value.last_verified_at else None,
        push_token=app.push_token if app and with_token else None,
        expires_at=iso(app.expires_at) if app and app.expires_at else None,
    )


def holder(call: Call, kind: str, public_key: str) -> Authenticator:
    """The authenticator of an app."""
    value = call.sandbox.store.app(METHODS[kind], public_key)
    if value is None or (value.app and value.app.expires_at and value.app.expires_at <= call.sandbox.clock.now()):
        raise not_found("app credential")
    return value


def _enrolling(kind: str) -> Callable[..., Any]:
    async def enroll_app(call: Call, body: AppEnrolment) -> App:
        sandbox, user_id, method = call.sandbox, call.caller.user.user_id, METHODS[kind]
        check_active(sandbox, method)
        check_public_key(body.public_key)
        if sandbox.store.app(method, body.public_key):
            raise invalid("That key is enrolled already.")
        now, first = sandbox.clock.now(), not enrolled(sandbox, user_id)
        upsert(sandbox, user_id, {})
        value = mark_verified(
            sandbox,
            Authenticator(
                user_authenticator_id=sandbox.new_id(),
                user_id=user_id,
                verification_method=method,
                created_at=now,
                display_name=body.device_name,
                app=AppCredential(
                    public_key=body.public_key,
                    device_name=body.device_name,
                    platform=body.device_platform.upper(),
                    push_token=body.push_token,
                    expires_at=now + PUSH_LIFETIME if kind == "push" else None,
                ),
            ),
        )
        await enrolled_with(sandbox, call, value, first=first)
        return shown(value)

    return enroll_app


def _reading(kind: str) -> Callable[..., Any]:
    def read_app(call: Call, query: AppQuery) -> App:
        return shown(holder(call, kind, query.public_key))

    return read_app


def _removing(kind: str) -> Callable[..., Any]:
    def remove_app(call: Call, body: AppRemoval) -> answers.Success:
        value = holder(call, kind, body.public_key)
        check_signature(body.public_key, body.signature, body.public_key)
        call.sandbox.store.remove_authenticator(value.user_id, value.user_authenticator_id)
        call.sandbox.events.authenticator(call.sandbox.clock.now(), "deleted", value)
        return answers.Success(success=True)

    return remove_app


def update_push(call: Call, body: PushUpdate) -> App:
    sandbox, value = call.sandbox, holder(call, "push", body.public_key)
    now = sandbox.clock.now()
    challenge = sandbox.challenges.get(body.challenge_id, now)
    if challenge is None or challenge.user_authenticator_id != value.user_authenticator_id:
        raise invalid("The challenge is not the app's, was used already, or has expired.")
    check_signature(body.public_key, body.signature, body.challenge_id)
    sandbox.challenges.take(body.challenge_id, now)
    app = value.app
    if app:
        app = replace(
            app,
            push_token=body.push_token or app.push_token,
            expires_at=now + PUSH_LIFETIME if body.reset_expiry else app.expires_at,
        )
    value = replace(value, app=app, last_verified_at=now)
    sandbox.store.put_authenticator(value)
    sandbox.events.authenticator(now, "updated", value)
    return shown(value, with_token=True)


ROUTES: tuple[Served, ...] = (
    *((endpoints.APP_ENROLL[kind], _enrolling(kind)) for kind in METHODS),
    *((endpoints.APP_CREDENTIAL[kind], _reading(kind)) for kind in METHODS),
    *((endpoints.APP_REMOVE[kind], _removing(kind)) for kind in METHODS),
    (endpoints.PUSH_UPDATE, update_push),
)
