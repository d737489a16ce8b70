"""The Server API: the reads R1 to R7, and the writes that Authsignal's own Python SDK makes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from dlt_authsignal.api import endpoints
from dlt_authsignal.sandbox import answers, tokens
from dlt_authsignal.sandbox.entities import Action, Authenticator, Credential, User
from dlt_authsignal.sandbox.http import Call, Handler, Refusal, invalid
from dlt_authsignal.sandbox.policy import STATES, enrolled_methods, tracked_state
from dlt_authsignal.sandbox.state import Sandbox
from dlt_authsignal.sandbox.store import window_start

_USER_FIELDS: Final = {
    "email": ("email", str),
    "emailVerified": ("email_verified", bool),
    "phoneNumber": ("phone_number", str),
    "phoneNumberVerified": ("phone_number_verified", bool),
    "username": ("username", str),
    "displayName": ("display_name", str),
    "defaultVerificationMethod": ("default_verification_method", str),
    "locale": ("locale", str),
    "custom": ("custom", dict),
}
_TRACK_FIELDS: Final = ("email", "phoneNumber", "username", "locale")
_ENROLLABLE: Final = ("EMAIL_MAGIC_LINK", "EMAIL_OTP", "SMS", "WHATSAPP", "AUTHENTICATOR_APP", "PASSKEY")
_FILTERS: Final = {"username": "username", "email": "email", "phoneNumber": "phone_number"}


async def query_users(call: Call) -> Any:
    sandbox, store = call.sandbox, call.sandbox.store
    limit = _limit(call)
    filters = {_FILTERS[name]: value for name in _FILTERS if (value := call.query(name))}
    if filters:
        found = [user for user in store.users() if all(getattr(user, name) == v for name, v in filters.items())]
        return {"users": [_listed(sandbox, user) for user in found[:limit]]}
    if sandbox.config.listing == "refused":
        raise invalid("At least one of username, email or phoneNumber is required.")
    users, cursor = store.page(call.query("lastEvaluatedUserId"), limit)
    page: dict[str, Any] = {"users": [_listed(sandbox, user) for user in users]}
    return page if cursor is None else {**page, "lastEvaluatedUserId": cursor}


def _limit(call: Call) -> int:
    text = call.query("limit")
    if text is None:
        return call.sandbox.config.default_page_size
    if not text.isdecimal() or int(text) < 1:
        raise invalid("limit must be a positive integer.")
    return min(int(text), call.sandbox.config.max_page_size)


def _listed(sandbox: Sandbox, user: User) -> Any:
    return answers.listed_user(user, _enrolled(sandbox, user.user_id))


def _enrolled(sandbox: Sandbox, user_id: str) -> list[str]:
    return enrolled_methods(sandbox.store.authenticators(user_id))


async def get_user(call: Call) -> Any:
    user_id = call.path("userId")
    user = call.sandbox.store.get_user(user_id)
    return answers.user_page(user, _enrolled(call.sandbox, user_id), list(call.sandbox.config.methods))


async def update_user(call: Call) -> Any:
    user = _upsert(call.sandbox, call.path("userId"), await call.body(), tuple(_USER_FIELDS))
    return answers.user_attributes(user)


def _upsert(sandbox: Sandbox, user_id: str, body: dict[str, Any], fields: tuple[str, ...]) -> User:
    known = sandbox.store.get_user(user_id)
    user = known or User(user_id=user_id, created_at=sandbox.clock.now())
    changes = {}
    for name in fields:
        if name in body and body[name] is not None:
            attribute, kind = _USER_FIELDS[name]
            if not isinstance(body[name], kind):
                raise invalid(f"{name} has the wrong type.")
            changes[attribute] = body[name]
    user = replace(user, **changes)
    sandbox.store.put_user(user)
    return user


async def delete_user(call: Call) -> Any:
    call.sandbox.store.remove_user(call.path("userId"), actions=call.query("actions") == "true")
    return {"success": True}


async def get_authenticators(call: Call) -> Any:
    return [answers.authenticator(value) for value in call.sandbox.store.authenticators(call.path("userId"))]


async def enroll_authenticator(call: Call) -> Any:
    sandbox, user_id, body = call.sandbox, call.path("userId"), await call.body()
    method = body.get("verificationMethod")
    if method not in _ENROLLABLE:
        raise invalid(f"verificationMethod must be one of {', '.join(_ENROLLABLE)}.")
    now = sandbox.clock.now()
    authenticator = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=user_id,
        verification_method=method,
        created_at=now,
        verified_at=now,
        is_default=bool(body.get("isDefault")) or not sandbox.store.authenticators(user_id),
        email=_optional_text(body, "email"),
        phone_number=_optional_text(body, "phoneNumber"),
        previous_sms_channel="DEFAULT" if method == "SMS" else None,
        credential=_credential(sandbox, body) if method == "PASSKEY" else None,
    )
    first = not sandbox.store.authenticators(user_id)
    _upsert(sandbox, user_id, {}, ())
    sandbox.store.put_authenticator(authenticator)
    answer = {"authenticator": answers.authenticator(authenticator)}
    return {**answer, "recoveryCodes": [sandbox.new_id()[:13] for _ in range(5)]} if first else answer


def _optional_text(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{name} must be text.")
    return value


def _credential(sandbox: Sandbox, body: dict[str, Any]) -> Credential:
    credential_id = _optional_text(body, "credentialId")
    if not credential_id or not _optional_text(body, "credentialPublicKey"):
        raise invalid("A PASSKEY needs credentialId and credentialPublicKey.")
    return Credential(
        credential_id=credential_id,
        device_id=sandbox.new_id(),
        name=_optional_text(body, "name") or "Passkey",
        aaguid="00000000-0000-0000-0000-000000000000",
        provider=None,
        backed_up=False,
        device_type="singleDevice",
        attachment="platform",
        agent={},
    )


async def delete_authenticator(call: Call) -> Any:
    if not call.sandbox.store.remove_authenticator(call.path("userId"), call.path("userAuthenticatorId")):
        raise invalid("The user has no such authenticator.")
    return {"success": True}


async def track(call: Call) -> Any:
    sandbox, user_id, code, body = call.sandbox, call.path("userId"), call.path("action"), await call.body()
    if not code.replace("_", "").replace("-", "").isalnum() or len(code) > 64:
        raise invalid("An action code has 1 to 64 letters, digits, hyphens or underscores.")
    for name in ("idempotencyKey", "scope", "userAgent", "ipAddress"):
        _optional_text(body, name)
    _upsert(sandbox, user_id, body, _TRACK_FIELDS)
    key = _optional_text(body, "idempotencyKey") or sandbox.new_id()
    enrolled = _enrolled(sandbox, user_id)
    action = sandbox.store.get_action(user_id, code, key)
    if action is None:
        action = _new_action(sandbox, user_id, code, key, body, enrolled=bool(enrolled))
        sandbox.store.put_action(action)
    scope = _optional_text(body, "scope") or (
        "read:authenticators" if enrolled else "read:authenticators add:authenticators"
    )
    token = tokens.mint(
        sandbox.config, sandbox.clock.now(), user_id=user_id, action_code=code, idempotency_key=key, scope=scope
    )
    return {
        "idempotencyKey": key,
        "state": action.state,
        "url": f"https://mfa.authsignal.com/?token={token}",
        "token": token,
        "isEnrolled": bool(enrolled),
        "enrolledVerificationMethods": enrolled,
        "allowedVerificationMethods": list(sandbox.config.methods),
        **({"defaultVerificationMethod": enrolled[0]} if enrolled else {}),
        "ruleIds": [rule.rule_id for rule in action.rules],
    }


def _new_action(sandbox: Sandbox, user_id: str, code: str, key: str, body: dict[str, Any], *, enrolled: bool) -> Action:
    now = sandbox.clock.now()
    result = sandbox.config.action_results.get(code, sandbox.config.default_action_result)
    return Action(
        user_id=user_id,
        action_code=code,
        idempotency_key=key,
        created_at=now,
        updated_at=now,
        state=tracked_state(result, enrolled=enrolled),
        state_updated_at=now,
        user_agent=_optional_text(body, "userAgent"),
        ip_address=_optional_text(body, "ipAddress"),
        custom=body["custom"] if isinstance(body.get("custom"), dict) else None,
    )


async def query_actions(call: Call) -> Any:
    oldest = window_start(call.sandbox.clock.now(), endpoints.ACTION_WINDOW_DAYS)
    since = max(oldest, _moment(call.query("fromDate")) or oldest)
    codes, state = call.query("codes"), call.query("state")
    wanted = set(codes.split(",")) if codes else None
    return [
        answers.action_row(action)
        for action in call.sandbox.store.actions(call.path("userId"), since)
        if (wanted is None or action.action_code in wanted) and state in (None, action.state)
    ]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("fromDate must be an ISO 8601 date.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def get_action(call: Call) -> Any:
    return answers.action_detail(_action(call))


def _action(call: Call) -> Action:
    action = call.sandbox.store.get_action(call.path("userId"), call.path("action"), call.path("idempotencyKey"))
    if action is None:  # how the real API answers an unknown key is not documented
        raise Refusal(404, "not_found", "There is no such action.")
    return action


async def update_action(call: Call) -> Any:
    action, body = _action(call), await call.body()
    state = body.get("state")
    if state not in STATES:
        raise invalid(f"state must be one of {', '.join(STATES)}.")
    now = call.sandbox.clock.now()
    changed = replace(action, state=state, state_updated_at=now, updated_at=now)
    call.sandbox.store.put_action(changed)
    return answers.action_detail(changed)


async def get_devices(call: Call) -> Any:
    return [answers.device(value) for value in call.sandbox.store.devices(call.path("userId"))]


async def get_tenant_authenticators(call: Call) -> Any:
    return [answers.tenant_authenticator(value) for value in call.sandbox.store.tenant_authenticators]


async def validate(call: Call) -> Any:
    body = await call.body()
    claims, expired = tokens.read(call.sandbox.config, call.sandbox.clock.now(), str(body.get("token", "")))
    if claims is None or expired:
        return {"isValid": False, "error": "Token is invalid." if claims is None else "Token is expired."}
    other = claims["other"]
    if body.get("userId") not in (None, other["userId"]):
        return {"isValid": False, "error": "User is invalid."}
    if body.get("action") not in (None, other["actionCode"]):
        return {"isValid": False, "error": "Action is invalid."}
    action = call.sandbox.store.get_action(other["userId"], other["actionCode"], other["idempotencyKey"])
    if action is None:
        return {"isValid": False, "error": "Action is invalid."}
    row = answers.action_row(action)
    said = {name: row[name] for name in ("state", "stateUpdatedAt", "verificationMethod") if name in row}
    return {
        "isValid": action.state == "CHALLENGE_SUCCEEDED",
        **said,
        "userId": action.user_id,
        "action": action.action_code,
        "actionCode": action.action_code,
        "idempotencyKey": action.idempotency_key,
    }


async def client_authenticators(call: Call) -> Any:
    """The Client API's one read: the token's own user."""
    user_id = call.claims["sub"]
    return [answers.authenticator(value, flavour="client") for value in call.sandbox.store.authenticators(user_id)]


HANDLERS: Final[tuple[tuple[endpoints.Endpoint, Handler], ...]] = (
    (endpoints.QUERY_USERS, query_users),
    (endpoints.GET_USER, get_user),
    (endpoints.UPDATE_USER, update_user),
    (replace(endpoints.UPDATE_USER, method="POST"), update_user),  # as the Java and Ruby SDKs send it
    (endpoints.DELETE_USER, delete_user),
    (endpoints.GET_USER_AUTHENTICATORS, get_authenticators),
    (endpoints.ENROLL_AUTHENTICATOR, enroll_authenticator),
    (endpoints.DELETE_AUTHENTICATOR, delete_authenticator),
    (endpoints.QUERY_USER_ACTIONS, query_actions),
    (endpoints.TRACK, track),
    (endpoints.GET_ACTION, get_action),
    (endpoints.UPDATE_ACTION, update_action),
    (endpoints.GET_DEVICES, get_devices),
    (endpoints.GET_TENANT_AUTHENTICATORS, get_tenant_authenticators),
    (endpoints.VALIDATE, validate),
    (endpoints.CLIENT_AUTHENTICATORS, client_authenticators),
)
