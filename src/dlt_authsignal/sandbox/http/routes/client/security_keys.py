"""Security keys. Their requests and responses have no challenge id."""

from dataclasses import replace
from typing import Any, Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.client.passkeys import Registered, enrolled_with
from dlt_authsignal.sandbox.http.routes.server.authenticators import check_active
from dlt_authsignal.sandbox.http.routes.server.users import enrolled, upsert
from dlt_authsignal.sandbox.sessions.challenges import Ceremony, Challenge
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification import webauthn
from dlt_authsignal.sandbox.verification.challenge_flow import mark_verified, met, new_challenge

SECURITY_KEY: Final = "SECURITY_KEY"


class Verified(answers.Answer, kw_only=True):
    """`POST /client/verify/security-key`."""

    is_verified: bool
    access_token: str | None = None


def registration_options(call: Call) -> dict[str, Any]:
    sandbox, user_id = call.sandbox, call.caller.user.user_id
    check_active(sandbox, SECURITY_KEY)
    user = upsert(sandbox, user_id, {})
    challenge = _begin(call, "register")
    return webauthn.registration_options(
        sandbox,
        SECURITY_KEY,
        challenge.webauthn or b"",
        user_id=user_id,
        username=user.username or user.email,
        display_name=user.display_name,
        attachment=None,
    )


def _begin(call: Call, ceremony: Ceremony) -> Challenge:
    """Replace the user's earlier challenges by a new one, because the answer has no challenge id."""
    while _waiting(call, ceremony):
        _take(call, ceremony)
    return new_challenge(
        call.sandbox,
        SECURITY_KEY,
        ceremony=ceremony,
        webauthn=webauthn.new_challenge(),
        user_id=call.caller.user.user_id,
        action_code=call.caller.user.action_code,
        idempotency_key=call.caller.user.idempotency_key,
    )


def _waiting(call: Call, ceremony: Ceremony) -> Challenge | None:
    token = call.caller.user
    wanted = (SECURITY_KEY, ceremony, token.user_id, token.action_code, token.idempotency_key)
    for challenge in call.sandbox.challenges.live(call.sandbox.clock.now()):
        attempt = (challenge.user_id, challenge.action_code, challenge.idempotency_key)
        if (challenge.method, challenge.ceremony, *attempt) == wanted:
            return challenge
    return None


def _take(call: Call, ceremony: Ceremony) -> Challenge:
    challenge = _waiting(call, ceremony)
    if challenge is None:
        raise invalid("No challenge is waiting: request options first.")
    return call.sandbox.challenges.take(challenge.challenge_id, call.sandbox.clock.now()) or challenge


async def register(call: Call, body: dict[str, Any]) -> Registered:
    sandbox, user_id = call.sandbox, call.caller.user.user_id
    challenge = _take(call, "register")
    credential = webauthn.verify_registration(
        sandbox, SECURITY_KEY, challenge, body, agent=call.user_agent, silent=False
    )
    if sandbox.store.passkey(credential.credential_id):
        raise Refusal(400, "invalid_credential", "The credential is enrolled already.")
    first = not enrolled(sandbox, user_id)
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=user_id,
        verification_method=SECURITY_KEY,
        created_at=sandbox.clock.now(),
        credential=credential,
    )
    access = await enrolled_with(sandbox, call, value, first=first)
    value = mark_verified(sandbox, value)
    return Registered(
        is_verified=True,
        access_token=access,
        user_authenticator_id=value.user_authenticator_id,
        user_id=user_id,
        user_authenticator=answers.authenticator(value, client=True),
    )


def authentication_options(call: Call) -> dict[str, Any]:
    check_active(call.sandbox, SECURITY_KEY)
    challenge = _begin(call, "authenticate")
    return webauthn.authentication_options(
        call.sandbox, SECURITY_KEY, challenge.webauthn or b"", call.caller.user.user_id
    )


async def verify(call: Call, body: dict[str, Any]) -> Verified:
    sandbox, token = call.sandbox, call.caller.user
    challenge = _take(call, "authenticate")
    value = sandbox.store.passkey(str(body.get("id")))
    if value is None or value.verification_method != SECURITY_KEY or value.user_id != token.user_id:
        raise Refusal(400, "unknown_credential", "The user has no security key with that credential id.")
    count = webauthn.verify_authentication(sandbox, SECURITY_KEY, challenge, value, body)
    if value.credential:
        value = replace(value, credential=replace(value.credential, sign_count=count))
    access = await met(sandbox, token, SECURITY_KEY, value)
    mark_verified(sandbox, value)
    return Verified(is_verified=True, access_token=access)


ROUTES: tuple[Served, ...] = (
    (endpoints.SECURITY_KEY_REGISTRATION_OPTIONS, registration_options),
    (endpoints.SECURITY_KEY_REGISTER, register),
    (endpoints.SECURITY_KEY_AUTHENTICATION_OPTIONS, authentication_options),
    (endpoints.SECURITY_KEY_VERIFY, verify),
)
