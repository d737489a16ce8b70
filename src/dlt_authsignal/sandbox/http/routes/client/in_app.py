"""In-app verification: an app starts a challenge with `POST /client/challenge`, signs its id, and gets a token."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.api import client_endpoints as endpoints
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import MANAGE, Token
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.verification.approvals import Signed, meet, signer
from dlt_authsignal.sandbox.verification.challenge_flow import sign_in_action, token_for

IN_APP: Final = "IN_APP"

UNNAMED_ACTION: Final = "signInWithApp"
"""Action code of an in-app sign-in without one. Assumed."""


class InAppProof(Signed, kw_only=True):
    """Body of `POST /client/verify/in-app`; the challenge id is signed."""

    challenge_id: str


class InAppVerified(answers.Answer, kw_only=True):
    """`POST /client/verify/in-app`."""

    token: str
    user_id: str
    user_authenticator_id: str
    username: str | None = None


async def verify(call: Call, body: InAppProof) -> InAppVerified:
    """Verify the app. The action is the token's; without a token it is the challenge's, created here."""
    sandbox, token = call.sandbox, call.caller.token
    value = signer(sandbox, IN_APP, body, body.challenge_id)
    challenge = _unused(sandbox, body.challenge_id)
    if any(other not in (None, value.user_id) for other in (challenge.user_id, token.user_id if token else None)):
        raise invalid("The challenge is another user's.")
    code, key = _attempt(sandbox, challenge, token)
    sandbox.challenges.take(challenge.challenge_id, sandbox.clock.now())
    if not sandbox.store.get_action(value.user_id, code, key) and not token:
        sign_in_action(sandbox, value.user_id, code, key)
    try:
        await meet(sandbox, replace(challenge, action_code=code, idempotency_key=key), value)
    except Refusal:
        sandbox.challenges.put(challenge)
        raise
    return InAppVerified(
        token=token_for(sandbox, value.user_id, code, key, MANAGE),
        user_id=value.user_id,
        user_authenticator_id=value.user_authenticator_id,
        username=_username(sandbox, value),
    )


def _unused(sandbox: Sandbox, challenge_id: str) -> Challenge:
    challenge = sandbox.challenges.get(challenge_id, sandbox.clock.now())
    if challenge is None or challenge.method not in ("ANY", IN_APP) or challenge.verified_at:
        raise invalid("The challenge is not known, was used already, or has expired.")
    return challenge


def _attempt(sandbox: Sandbox, challenge: Challenge, token: Token | None) -> tuple[str, str]:
    """Return (action code, idempotency key) of the attempt."""
    if token:
        return token.action_code, token.idempotency_key
    return challenge.action_code or UNNAMED_ACTION, challenge.idempotency_key or sandbox.new_id()


def _username(sandbox: Sandbox, value: Authenticator) -> str | None:
    user = sandbox.store.get_user(value.user_id)
    return value.username or (user.username if user else None)


ROUTES: tuple[Served, ...] = ((endpoints.IN_APP_VERIFY, verify),)
