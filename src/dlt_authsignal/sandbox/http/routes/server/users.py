"""Users, their devices, and the tenant's methods."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import invalid, not_found
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.entities import Device, User
from dlt_authsignal.sandbox.tenant.policy import enrolled_methods


class UserQuery(Body, kw_only=True):
    """Query of `GET /users`."""

    username: str | None = None
    email: str | None = None
    phone_number: str | None = None
    token: str | None = None
    limit: int | None = None
    last_evaluated_user_id: str | None = None


class UserChanges(Body, kw_only=True):
    """Body of `PATCH /users/{userId}`."""

    email: str | None = None
    email_verified: bool | None = None
    phone_number: str | None = None
    phone_number_verified: bool | None = None
    username: str | None = None
    display_name: str | None = None
    default_verification_method: str | None = None
    locale: str | None = None
    custom: dict[str, Any] | None = None


class UserDeletion(Body, kw_only=True):
    """Query of `DELETE /users/{userId}`."""

    actions: bool = False


class DeviceChanges(Body, kw_only=True):
    """Body of `PATCH …/devices/{deviceId}`: a time, or null to remove it."""

    remembered_until: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET


def query_users(call: Call, query: UserQuery) -> answers.UserList:
    sandbox, store = call.sandbox, call.sandbox.store
    limit = _limit(sandbox, query.limit)
    if query.token is not None:
        return _user_of_token(sandbox, query.token)
    filters = {
        name: value
        for name in ("username", "email", "phone_number")
        if (value := getattr(query, name)) is not None and value != ""
    }
    if filters:
        return answers.UserList(users=[_listed(sandbox, user) for user in store.find(**filters)[:limit]])
    if sandbox.config.listing == "refused":
        raise invalid("At least one of username, email or phoneNumber is required.")
    users, cursor = store.page(query.last_evaluated_user_id, limit)
    return answers.UserList(users=[_listed(sandbox, user) for user in users], last_evaluated_user_id=cursor)


def _limit(sandbox: Sandbox, limit: int | None) -> int:
    if limit is None:
        return sandbox.config.default_page_size
    if limit < 1:
        raise invalid("limit must be a positive integer.")
    return min(limit, sandbox.config.max_page_size)


def _user_of_token(sandbox: Sandbox, text: str) -> answers.UserList:
    token = sandbox.token(text)
    if token is None or token.expires_at <= sandbox.clock.now().timestamp():
        raise invalid("The token is not valid.")
    user = sandbox.store.get_user(token.user_id)
    return answers.UserList(users=[_listed(sandbox, user)] if user else [], token_payload=token.claims)


def _listed(sandbox: Sandbox, user: User) -> answers.ListedUser:
    return answers.listed_user(user, enrolled(sandbox, user.user_id))


def enrolled(sandbox: Sandbox, user_id: str) -> list[str]:
    """Return the methods with which the user can be challenged."""
    return enrolled_methods(sandbox.store.authenticators(user_id))


def get_user(call: Call) -> answers.UserPage:
    user_id = call.path("userId")
    user = call.sandbox.store.get_user(user_id)
    return answers.user_page(user, enrolled(call.sandbox, user_id), call.sandbox.allowed_methods())


def update_user(call: Call, body: UserChanges) -> answers.UserAttributes:
    user = upsert(call.sandbox, call.path("userId"), msgspec.structs.asdict(body))
    _rewrite_verified(call.sandbox, user, body)
    return answers.user_attributes(user)


def upsert(sandbox: Sandbox, user_id: str, changes: dict[str, Any]) -> User:
    """Update the user with the known values, or create the user."""
    known = sandbox.store.get_user(user_id)
    user = known or User(user_id=user_id, created_at=sandbox.clock.now())
    user = replace(user, **{name: value for name, value in changes.items() if value is not None})
    if user != known:
        sandbox.store.put_user(user)
    return user


def _rewrite_verified(sandbox: Sandbox, user: User, body: UserChanges) -> None:
    """Copy a verified address to the user's matching authenticators."""
    for value in sandbox.store.authenticators(user.user_id):
        method, changed = value.verification_method, value
        if body.email_verified and user.email and method in ("EMAIL_OTP", "EMAIL_MAGIC_LINK"):
            changed = replace(changed, email=user.email)
        if body.phone_number_verified and user.phone_number and method in ("SMS", "WHATSAPP"):
            changed = replace(changed, phone_number=user.phone_number)
        if changed != value:
            sandbox.store.put_authenticator(changed)


def delete_user(call: Call, query: UserDeletion) -> answers.Success:
    call.sandbox.delete_user(call.path("userId"), actions=query.actions)
    return answers.Success(success=True)


def get_devices(call: Call) -> list[answers.Device]:
    return [answers.device(value) for value in call.sandbox.store.devices(call.path("userId"))]


def update_device(call: Call, body: DeviceChanges) -> answers.Device:
    device = _device(call)
    if not isinstance(body.remembered_until, UnsetType):
        device = replace(device, remembered_until=body.remembered_until and _in_utc(body.remembered_until))
    call.sandbox.store.put_device(device)
    return answers.device(device)


def _in_utc(moment: datetime) -> datetime:
    """Convert to UTC. At both ends of the calendar some local times do not exist in UTC."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise invalid("rememberedUntil is out of range.") from None


def invalidate_device(call: Call) -> answers.Device:
    device = _device(call)
    device = replace(device, invalidated_at=device.invalidated_at or call.sandbox.clock.now(), remembered_until=None)
    call.sandbox.store.put_device(device)
    return answers.device(device)


def _device(call: Call) -> Device:
    wanted = call.path("deviceId")
    for device in call.sandbox.store.devices(call.path("userId")):
        if device.device_id == wanted:
            return device
    raise not_found("device")


def get_tenant_authenticators(call: Call) -> list[answers.TenantAuthenticator]:
    return [answers.tenant_authenticator(value) for value in call.sandbox.shown_tenant.methods.values()]


ROUTES: tuple[Served, ...] = (
    (endpoints.QUERY_USERS, query_users),
    (endpoints.GET_USER, get_user),
    (endpoints.UPDATE_USER, update_user),
    (replace(endpoints.UPDATE_USER, method="POST"), update_user),  # the request of the Java and Ruby SDKs
    (endpoints.DELETE_USER, delete_user),
    (endpoints.GET_DEVICES, get_devices),
    (endpoints.UPDATE_DEVICE, update_device),
    (endpoints.INVALIDATE_DEVICE, invalidate_device),
    (endpoints.GET_TENANT_AUTHENTICATORS, get_tenant_authenticators),
)
