"""Passkeys: challenge, registration and authentication, with or without a user's token."""

import secrets
from dataclasses import replace
from typing import Any, Final, Literal

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid, not_found, unauthorized
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.server.actions import check_code
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import enrolled, upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import MANAGE
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification import webauthn
from dlt_authsignal.sandbox.verification.challenge_flow import (
    mark_verified,
    met,
    new_challenge,
    sign_in_action,
    succeed,
    token_for,
)

CHALLENGE_COOKIE: Final = "authsignal-sandbox-challenge"
"""Cookie of the `/web` variants. Its name is assumed."""

PASSKEY: Final = "PASSKEY"


class ChallengeRequest(Body, kw_only=True):
    """Body of `POST /client/challenge`."""

    action: str | None = None
    idempotency_key: str | None = None


class RegistrationRequest(Body, kw_only=True):
    """Body of registration-options."""

    username: str | None = None
    display_name: str | None = None
    authenticator_attachment: Literal["platform", "cross-platform"] | None = None


class Registration(Body, kw_only=True):
    """Body of `POST /client/user-authenticators/passkey`."""

    challenge_id: str | None = None
    registration_credential: dict[str, Any]
    conditional_create: bool | None = None
    device_id: str | None = None


class AuthenticationRequest(Body, kw_only=True):
    """Body of authentication-options."""

    challenge_id: str | None = None
    username: str | None = None


class Authentication(Body, kw_only=True):
    """Body of `POST /client/verify/passkey`."""

    challenge_id: str | None = None
    authentication_credential: dict[str, Any]
    device_id: str | None = None


class KnownQuery(Body, kw_only=True):
    """Query of `GET /client/user-authenticators/passkey`: the browser's form, and the mobile one."""

    credential_ids: str | None = None
    credential_id: str | None = None


class Started(answers.Answer, kw_only=True):
    """`POST /client/challenge`. The iOS SDK needs the nonce for App Attest, whose result the sandbox does not check."""

    challenge_id: str
    nonce: str


class Options(answers.Answer, kw_only=True):
    """Options of a ceremony, and the challenge they belong to."""

    challenge_id: str
    options: dict[str, Any]


class Registered(answers.Answer, kw_only=True):
    """A passkey that was enrolled."""

    is_verified: bool
    access_token: str | None = None
    user_authenticator_id: str | None = None
    user_id: str | None = None
    user_authenticator: answers.Authenticator | None = None


class Authenticated(answers.Answer, kw_only=True):
    """`POST /client/verify/passkey`."""

    is_verified: bool
    access_token: str | None = None
    user_id: str | None = None
    user_authenticator_id: str | None = None
    username: str | None = None
    user_display_name: str | None = None


class KnownPasskey(answers.Answer, kw_only=True):
    """An enrolled credential."""

    credential_id: str
    verified_at: str


def initiate(call: Call, body: ChallengeRequest) -> Started:
    if body.action is not None:
        check_code(body.action)
    token = call.caller.token
    challenge = new_challenge(
        call.sandbox,
        "ANY",
        action_code=body.action or (token.action_code if token else None),
        idempotency_key=body.idempotency_key or (token.idempotency_key if token else None),
        user_id=token.user_id if token else None,
    )
    return Started(challenge_id=challenge.challenge_id, nonce=secrets.token_urlsafe(32))


def initiate_web(call: Call, body: ChallengeRequest) -> Started:
    started = initiate(call, body)
    call.set_cookies[CHALLENGE_COOKIE] = started.challenge_id
    return started


def registration_options(call: Call, body: RegistrationRequest) -> Options:
    sandbox, token = call.sandbox, call.caller.user
    check_active(sandbox, PASSKEY)
    user = upsert(sandbox, token.user_id, {})
    username = body.username or user.username or user.email
    display_name = body.display_name or user.display_name
    challenge = new_challenge(
        sandbox,
        PASSKEY,
        ceremony="register",
        webauthn=webauthn.new_challenge(),
        user_id=token.user_id,
        about={"username": username, "display_name": display_name},
    )
    options = webauthn.registration_options(
        sandbox,
        PASSKEY,
        challenge.webauthn or b"",
        user_id=token.user_id,
        username=username,
        display_name=display_name,
        attachment=body.authenticator_attachment,
    )
    return Options(challenge_id=challenge.challenge_id, options=options)


def registration_options_web(call: Call, body: RegistrationRequest) -> Options:
    answer = registration_options(call, body)
    call.set_cookies[CHALLENGE_COOKIE] = answer.challenge_id
    return answer


async def register(call: Call, body: Registration) -> Registered:
    sandbox, token = call.sandbox, call.caller.user
    challenge = _take(call, body.challenge_id, "register")
    if challenge.user_id != token.user_id:
        raise invalid("The challenge is another user's.")
    credential = webauthn.verify_registration(
        sandbox,
        PASSKEY,
        challenge,
        body.registration_credential,
        agent=call.user_agent,
        silent=bool(body.conditional_create),
    )
    if sandbox.store.passkey(credential.credential_id):
        raise Refusal(400, "invalid_credential", "The credential is enrolled already.")
    first = not enrolled(sandbox, token.user_id)
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=token.user_id,
        verification_method=PASSKEY,
        created_at=sandbox.clock.now(),
        username=challenge.about.get("username"),
        display_name=challenge.about.get("display_name"),
        credential=credential,
    )
    access = await enrolled_with(sandbox, call, value, first=first, device_id=body.device_id)
    value = mark_verified(sandbox, value)
    return Registered(
        is_verified=True,
        access_token=access,
        user_authenticator_id=value.user_authenticator_id,
        user_id=value.user_id,
        user_authenticator=answers.authenticator(value, client=True),
    )


async def enrolled_with(
    sandbox: Sandbox, call: Call, value: Authenticator, *, first: bool, device_id: str | None = None
) -> str:
    """Return the token after an enrolment. A user's first authenticator also meets the challenge of the action.

    Raises:
        Refusal: 401: the user was deleted while the action's webhook was called. Nothing may be enrolled then.
    """
    token = call.caller.user
    if first:
        access = await met(sandbox, token, value.verification_method, value, device_id)
        if not sandbox.has_user_of(token):
            raise unauthorized()
        return access
    return token_for(sandbox, token.user_id, token.action_code, token.idempotency_key, MANAGE)


def _take(call: Call, challenge_id: str | None, ceremony: str) -> Challenge:
    """Remove the challenge of the body or the cookie, so that at most one of two answers is accepted."""
    wanted = challenge_id or call.cookie(CHALLENGE_COOKIE)
    if not wanted:
        raise invalid("challengeId is required.")
    now = call.sandbox.clock.now()
    challenge = call.sandbox.challenges.get(wanted, now)
    if challenge is None or challenge.ceremony != ceremony or challenge.method != PASSKEY:
        raise invalid("The challenge is not known, was used already, or has expired.")
    return call.sandbox.challenges.take(wanted, now) or challenge


def authentication_options(call: Call, body: AuthenticationRequest) -> Options:
    started = _started(call, body.challenge_id) if body.challenge_id else None
    return _authentication_options(call, body, started)


def _authentication_options(call: Call, body: AuthenticationRequest, started: Challenge | None) -> Options:
    sandbox, token = call.sandbox, call.caller.token
    check_active(sandbox, PASSKEY)
    user_id = token.user_id if token else _user_named(sandbox, body.username)
    challenge = started or new_challenge(sandbox, PASSKEY)
    challenge = sandbox.challenges.put(
        replace(
            challenge,
            method=PASSKEY,
            ceremony="authenticate",
            webauthn=webauthn.new_challenge(),
            user_id=token.user_id if token else challenge.user_id,
            action_code=token.action_code if token else challenge.action_code,
            idempotency_key=token.idempotency_key if token else challenge.idempotency_key,
        )
    )
    options = webauthn.authentication_options(sandbox, PASSKEY, challenge.webauthn or b"", user_id)
    return Options(challenge_id=challenge.challenge_id, options=options)


def _started(call: Call, challenge_id: str) -> Challenge:
    challenge = _begun(call, challenge_id)
    if challenge is None:
        raise invalid("The challenge is not known, was used already, or has expired.")
    return challenge


def _begun(call: Call, challenge_id: str) -> Challenge | None:
    """Return the live challenge that the caller may continue."""
    challenge = call.sandbox.challenges.get(challenge_id, call.sandbox.clock.now())
    token = call.caller.token
    mine = challenge and challenge.user_id in (None, token.user_id if token else None)
    if challenge is None or not mine or challenge.method not in ("ANY", PASSKEY) or challenge.ceremony == "register":
        return None
    return challenge


def _user_named(sandbox: Sandbox, username: str | None) -> str | None:
    """Return the user that `username` restricts the credentials to, or an unknown id if no user has that name."""
    if username is None:
        return None
    return next((user.user_id for user in sandbox.store.find(username=username)), "")


def authentication_options_web(call: Call, body: AuthenticationRequest) -> Options:
    """Continue the cookie's challenge. A cookie of an earlier ceremony is ignored."""
    cookie = call.cookie(CHALLENGE_COOKIE)
    started = _started(call, body.challenge_id) if body.challenge_id else _begun(call, cookie) if cookie else None
    answer = _authentication_options(call, body, started)
    call.set_cookies[CHALLENGE_COOKIE] = answer.challenge_id
    return answer


async def verify(call: Call, body: Authentication) -> Authenticated:
    sandbox, token = call.sandbox, call.caller.token
    challenge = _take(call, body.challenge_id, "authenticate")
    attempt = (challenge.user_id, challenge.action_code, challenge.idempotency_key)
    if challenge.user_id is not None and (
        token is None or attempt != (token.user_id, token.action_code, token.idempotency_key)
    ):
        raise invalid("The challenge is another user's, or belongs to another attempt.")
    value = _holder(sandbox, body.authentication_credential)
    if token and value.user_id != token.user_id:
        raise Refusal(400, "invalid_credential", "The credential is another user's.")
    count = webauthn.verify_authentication(sandbox, PASSKEY, challenge, value, body.authentication_credential)
    if value.credential:
        value = replace(value, credential=replace(value.credential, sign_count=count))
    if token:
        access = await met(sandbox, token, PASSKEY, value, body.device_id)
    else:
        code = challenge.action_code or sandbox.config.passkey_action
        action = sandbox.store.get_action(value.user_id, code, challenge.idempotency_key or "") or sign_in_action(
            sandbox, value.user_id, code, challenge.idempotency_key
        )
        await succeed(sandbox, action, PASSKEY, value, body.device_id)
        access = token_for(sandbox, value.user_id, code, action.idempotency_key, MANAGE)
    mark_verified(sandbox, value)
    user = sandbox.store.get_user(value.user_id)
    return Authenticated(
        is_verified=True,
        access_token=access,
        user_id=value.user_id,
        user_authenticator_id=value.user_authenticator_id,
        username=value.username or (user.username if user else None),
        user_display_name=value.display_name or (user.display_name if user else None),
    )


def _holder(sandbox: Sandbox, credential: dict[str, Any]) -> Authenticator:
    value = sandbox.store.passkey(str(credential.get("id")))
    if value is None or value.verification_method != PASSKEY:
        raise Refusal(400, "unknown_credential", "No passkey with that credential id is enrolled.")
    return value


def known(call: Call, query: KnownQuery) -> KnownPasskey:
    for credential_id in (query.credential_ids or query.credential_id or "").split(","):
        value = call.sandbox.store.passkey(credential_id)
        if value and value.credential and value.verified_at:
            return KnownPasskey(credential_id=value.credential.credential_id, verified_at=iso(value.verified_at))
    raise not_found("passkey")


ROUTES: tuple[Served, ...] = (
    (endpoints.INITIATE_CHALLENGE, initiate),
    (endpoints.INITIATE_CHALLENGE_WEB, initiate_web),
    (endpoints.PASSKEY_REGISTRATION_OPTIONS, registration_options),
    (endpoints.PASSKEY_REGISTRATION_OPTIONS_WEB, registration_options_web),
    (endpoints.PASSKEY_REGISTER, register),
    (endpoints.PASSKEY_AUTHENTICATION_OPTIONS, authentication_options),
    (endpoints.PASSKEY_AUTHENTICATION_OPTIONS_WEB, authentication_options_web),
    (endpoints.PASSKEY_VERIFY, verify),
    (endpoints.PASSKEY_KNOWN, known),
)
