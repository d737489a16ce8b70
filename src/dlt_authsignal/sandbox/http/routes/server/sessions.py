"""Sessions, and the key with which their tokens are verified."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dlt_authsignal.api import client_endpoints
from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import invalid, not_found
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.sessions import REFRESH_DAYS, Session, access_token, read_access_token
from dlt_authsignal.sandbox.tenant import answers


class SessionStart(Body, kw_only=True):
    """Body of `POST /sessions`."""

    client_id: str
    token: str
    action: str | None = None


class AccessToken(Body, kw_only=True):
    """Body of `POST /sessions/validate` and `/sessions/revoke`."""

    access_token: str
    client_ids: list[str] | None = None


class RefreshToken(Body, kw_only=True):
    """Body of `POST /sessions/refresh`."""

    refresh_token: str


class SessionUser(Body, kw_only=True):
    """Body of `POST /sessions/user/revoke`."""

    user_id: str


class Tokens(answers.Answer, kw_only=True):
    """A pair of tokens."""

    access_token: str
    refresh_token: str


class ValidSession(answers.Answer, kw_only=True):
    """`POST /sessions/validate`; `expiresAt` in Unix seconds."""

    user: answers.UserAttributes
    expires_at: int
    verification_method: str


def create(call: Call, body: SessionStart) -> Tokens:
    sandbox = call.sandbox
    token = sandbox.token(body.token)
    if token is None or token.expires_at <= sandbox.clock.now().timestamp():
        raise invalid("The token is not valid, or has expired.")
    action = sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    if action is None or body.action not in (None, token.action_code):
        raise invalid("The token belongs to another action.")
    if action.state != "CHALLENGE_SUCCEEDED" or not action.verification_method:
        raise invalid("The challenge of the token has not been met.")
    session = Session(
        session_id=sandbox.new_id(),
        user_id=token.user_id,
        client_id=body.client_id,
        verification_method=action.verification_method,
        refresh_token=secrets.token_urlsafe(32),
        refresh_until=sandbox.clock.now() + timedelta(days=REFRESH_DAYS),
    )
    return _tokens(sandbox, session)


def _tokens(sandbox: Sandbox, session: Session) -> Tokens:
    sandbox.sessions.put(session)
    access = access_token(session, sandbox.clock.now(), sandbox.config.tenant_id, sandbox.sessions.keys)
    return Tokens(access_token=access, refresh_token=session.refresh_token)


def validate(call: Call, body: AccessToken) -> ValidSession:
    sandbox = call.sandbox
    claims, session = _session(sandbox, body.access_token)
    if body.client_ids and session.client_id not in body.client_ids:
        raise invalid("The session belongs to another client.")
    user = sandbox.store.get_user(session.user_id)
    if user is None:
        raise invalid("The session's user was deleted.")
    return ValidSession(
        user=answers.user_attributes(user),
        expires_at=int(claims["exp"]),
        verification_method=session.verification_method,
    )


def _session(sandbox: Sandbox, text: str) -> tuple[dict[str, Any], Session]:
    """Return claims and session of a live access token. The code of the error is assumed."""
    claims = read_access_token(text, sandbox.sessions.keys)
    session = sandbox.sessions.by_access_token(claims) if claims else None
    if claims is None or session is None or claims["exp"] <= sandbox.clock.now().timestamp():
        raise invalid("The access token is not valid, was revoked, or has expired.")
    return claims, session


def refresh(call: Call, body: RefreshToken) -> Tokens:
    sandbox = call.sandbox
    session = sandbox.sessions.by_refresh_token(body.refresh_token, sandbox.clock.now())
    if session is None:
        raise invalid("The refresh token is not valid, was used already, or has expired.")
    return _tokens(sandbox, replace(session, refresh_token=secrets.token_urlsafe(32), version=session.version + 1))


def revoke(call: Call, body: AccessToken) -> dict[str, Any]:
    _, session = _session(call.sandbox, body.access_token)
    call.sandbox.sessions.revoke(session)
    return {}


def revoke_user(call: Call, body: SessionUser) -> dict[str, Any]:
    call.sandbox.sessions.revoke_user(body.user_id)
    return {}


def jwks(call: Call) -> dict[str, Any]:
    if call.path("tenantId") != call.sandbox.config.tenant_id:
        raise not_found("tenant")
    return {"keys": [call.sandbox.sessions.keys.jwk]}


ROUTES: tuple[Served, ...] = (
    (endpoints.CREATE_SESSION, create),
    (endpoints.VALIDATE_SESSION, validate),
    (endpoints.REFRESH_SESSION, refresh),
    (endpoints.REVOKE_SESSION, revoke),
    (endpoints.REVOKE_USER_SESSIONS, revoke_user),
    (client_endpoints.JWKS, jwks),
)
