"""Actions: track, read, update, validate."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.api.values import STATES
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.page_urls import page_url
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid, not_found
from dlt_authsignal.sandbox.http.dispatch import Call, Served, base_url
from dlt_authsignal.sandbox.http.routes.server.users import enrolled, upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import READ, read
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Action, User
from dlt_authsignal.sandbox.tenant.policy import ACTION_CODE, tracked_state
from dlt_authsignal.sandbox.tenant.store import window_start
from dlt_authsignal.sandbox.verification.challenge_flow import settle, token_for
from dlt_authsignal.sandbox.verification.rules import Decision, decide


class Track(Body, kw_only=True):
    """Body of track. All fields are optional."""

    idempotency_key: str | None = None
    redirect_url: str | None = None
    redirect_to_settings: bool | None = None
    ip_address: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    scope: str | None = None
    email: str | None = None
    phone_number: str | None = None
    username: str | None = None
    custom: dict[str, Any] | None = None
    challenge_id: str | None = None
    locale: str | None = None
    custom_domain: str | None = None


class ActionQuery(Body, kw_only=True):
    """Query of `GET /users/{userId}/actions`."""

    codes: str | None = None
    from_date: str | None = None
    state: str | None = None


class ActionChanges(Body, kw_only=True):
    """Body of `PATCH /users/{userId}/actions/{action}/{idempotencyKey}`."""

    state: str
    custom: dict[str, Any] | None = None


class Validation(Body, kw_only=True):
    """Body of validate."""

    token: str
    user_id: str | None = None
    action: str | None = None


def track(call: Call, body: Track) -> answers.Tracked:
    return tracked(call.sandbox, call.path("userId"), call.path("action"), body, base_url(call.request))


def tracked(sandbox: Sandbox, user_id: str, code: str, body: Track, base: str) -> answers.Tracked:
    """Start an action, or continue the one with the same key, and return a token for it.

    Args:
        sandbox: The sandbox.
        user_id: The user, who is created if unknown.
        code: The action code.
        body: The body of the request.
        base: URL at which the caller reached the sandbox, without a path.
    """
    check_code(code)
    if not sandbox.allowed_methods():
        raise Refusal(400, "AUTHENTICATOR_NOT_FOUND", "No authenticators are configured for the tenant.")
    user = upsert(
        sandbox,
        user_id,
        {name: getattr(body, name) for name in ("email", "phone_number", "username", "locale")},
    )
    key = body.idempotency_key or sandbox.new_id()
    action = sandbox.store.get_action(user_id, code, key) or new_action(sandbox, user, code, key, body)
    if body.redirect_url and body.redirect_url != action.redirect_url:
        action = replace(action, redirect_url=body.redirect_url)
        sandbox.store.put_action(action)
    methods = enrolled(sandbox, user_id)
    token = token_for(sandbox, user_id, code, key, _scope(body.scope, methods))
    return answers.Tracked(
        idempotency_key=key,
        state=action.state,
        url=page_url(base, token, configured=sandbox.config.pages_url, relying_party=relying_party(sandbox)),
        token=token,
        is_enrolled=bool(methods),
        enrolled_verification_methods=methods,
        allowed_verification_methods=list(action.allowed_methods or sandbox.allowed_methods()),
        default_verification_method=_default(user, methods),
        rule_ids=[rule.rule_id for rule in action.rules],
    )


def relying_party(sandbox: Sandbox) -> str:
    """Return the domain to which the tenant's passkeys belong."""
    configured: str | None = (sandbox.tenant.method("PASSKEY") or {}).get("relyingParty")
    return configured or sandbox.config.relying_party


def check_code(code: str) -> None:
    if not ACTION_CODE.fullmatch(code):
        raise invalid("An action code has 1 to 64 letters, digits, hyphens or underscores.")


def _scope(asked: str | None, methods: list[str]) -> str:
    """Return the scope of the token. Adding authenticators is always allowed for the first, later only on request."""
    return asked or (READ if methods else f"{READ} add:authenticators")


def _default(user: User, methods: list[str]) -> str | None:
    if user.default_verification_method in methods:
        return user.default_verification_method
    return methods[0] if methods else None


def new_action(sandbox: Sandbox, user: User, code: str, key: str, body: Track) -> Action:
    """Create an action, apply the rules, store and log it."""
    now = sandbox.clock.now()
    methods = enrolled(sandbox, user.user_id)
    decision: Decision = decide(sandbox, user, code, body)
    verified = _verified_before(sandbox, body.challenge_id, user.user_id, code)
    state = tracked_state(decision.result, enrolled=bool(methods))
    action = Action(
        user_id=user.user_id,
        action_code=code,
        idempotency_key=key,
        created_at=now,
        updated_at=now,
        state=state,
        state_updated_at=now,
        user_agent=body.user_agent,
        ip_address=body.ip_address,
        country_code=decision.country_code,
        device_id=body.device_id,
        custom=body.custom,
        output=decision.output,
        result=decision.result,
        rules=decision.rules,
        allowed_methods=decision.methods,
        redirect_url=body.redirect_url,
    )
    sandbox.store.put_action(action)
    _note_use(sandbox, code, now)
    sandbox.events.action(now, action)
    if verified and state == "CHALLENGE_REQUIRED":
        sandbox.challenges.put(replace(verified, consumed=True, user_id=user.user_id))
        action = settle(sandbox, replace(action, verification_method=verified.method), "CHALLENGE_SUCCEEDED")
    return action


def _note_use(sandbox: Sandbox, code: str, now: datetime) -> None:
    """Record when an action was last tracked. Assumed: the first use of an unknown code configures it."""
    default = {
        "actionCode": code,
        "tenantId": sandbox.config.tenant_id,
        "defaultUserActionResult": sandbox.config.default_action_result,
    }
    known = sandbox.tenant.actions.get(code, default)
    sandbox.tenant = sandbox.tenant.put("actions", code, {**known, "lastActionCreatedAt": iso(now)})


def _verified_before(sandbox: Sandbox, challenge_id: str | None, user_id: str, code: str) -> Challenge | None:
    """Return the challenge if the server verified it for this action and it was not used since."""
    if challenge_id is None:
        return None
    challenge = sandbox.challenges.get(challenge_id, sandbox.clock.now())
    if challenge is None:
        raise invalid("The challenge is not known, or has expired.")
    fits = challenge.user_id in (None, user_id) and challenge.action_code in (None, code)
    return challenge if fits and challenge.verified_at and not challenge.consumed else None


def query_actions(call: Call, query: ActionQuery) -> list[answers.ActionRow]:
    oldest = window_start(call.sandbox.clock.now(), ACTION_WINDOW_DAYS)
    since = max(oldest, _moment(query.from_date) or oldest)
    wanted = set(query.codes.split(",")) if query.codes else None
    return [
        answers.action_row(action)
        for action in call.sandbox.store.actions(call.path("userId"), since)
        if (wanted is None or action.action_code in wanted) and query.state in (None, "", action.state)
    ]


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid("fromDate must be an ISO 8601 date.") from None


def get_action(call: Call) -> answers.ActionDetail:
    return answers.action_detail(_action(call))


def _action(call: Call) -> Action:
    action = call.sandbox.store.get_action(call.path("userId"), call.path("action"), call.path("idempotencyKey"))
    if action is None:  # the response to an unknown key is not documented
        raise not_found("action")
    return action


def update_action(call: Call, body: ActionChanges) -> answers.ActionDetail:
    action = _action(call)
    if body.state not in STATES:
        raise invalid(f"state must be one of {', '.join(STATES)}.")
    return answers.action_detail(settle(call.sandbox, action, body.state))


def validate(call: Call, body: Validation) -> answers.Validated:
    """Return whether the token's challenge is met. An invalid token is a normal response, not an error."""
    token = read(call.sandbox.config, body.token)
    if token is None:
        return _not_valid("Token is invalid.")
    if token.expires_at <= call.sandbox.clock.now().timestamp():
        return _not_valid("Token is expired.")
    if not call.sandbox.has_user_of(token) or body.user_id not in (None, token.user_id):
        return _not_valid("User is invalid.")
    action = call.sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    if action is None or body.action not in (None, token.action_code):
        return _not_valid("Action is invalid.")
    row = answers.action_row(action)
    return answers.Validated(
        is_valid=action.state == "CHALLENGE_SUCCEEDED",
        state=row.state,
        state_updated_at=row.state_updated_at,
        verification_method=row.verification_method,
        user_id=action.user_id,
        action=action.action_code,
        action_code=action.action_code,
        idempotency_key=action.idempotency_key,
    )


def _not_valid(why: str) -> answers.Validated:
    return answers.Validated(is_valid=False, error=why)


ROUTES: tuple[Served, ...] = (
    (endpoints.QUERY_USER_ACTIONS, query_actions),
    (endpoints.TRACK, track),
    (endpoints.GET_ACTION, get_action),
    (endpoints.UPDATE_ACTION, update_action),
    (endpoints.VALIDATE, validate),
)
