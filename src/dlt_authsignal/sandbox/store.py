"""All state of the sandbox: frozen values in plain dictionaries, replaced whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

ActionKey = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """A person known to the tenant."""

    user_id: str
    created_at: datetime
    email: str | None = None
    email_verified: bool = False
    phone_number: str | None = None
    phone_number_verified: bool = False
    username: str | None = None
    display_name: str | None = None
    default_verification_method: str | None = None
    locale: str | None = None
    custom: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """The WebAuthn side of a passkey or security key."""

    credential_id: str
    device_id: str
    name: str
    aaguid: str
    provider: str | None
    backed_up: bool
    device_type: str
    attachment: str
    agent: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticator:
    """One enrolled method of a user."""

    user_authenticator_id: str
    user_id: str
    verification_method: str
    created_at: datetime
    verified_at: datetime | None = None
    last_verified_at: datetime | None = None
    is_default: bool = False
    email: str | None = None
    phone_number: str | None = None
    username: str | None = None
    display_name: str | None = None
    previous_sms_channel: str | None = None
    credential: Credential | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule that fired."""

    rule_id: str
    name: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One attempt of an action."""

    user_id: str
    action_code: str
    idempotency_key: str
    created_at: datetime
    state: str
    updated_at: datetime | None = None
    state_updated_at: datetime | None = None
    verification_method: str | None = None
    verified_by: str | None = None
    user_agent: str | None = None
    ip_address: str | None = None
    country_code: str | None = None
    custom: Mapping[str, Any] | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Device:
    """A device a user was seen on."""

    user_id: str
    device_id: str
    created_at: datetime
    authenticated_at: datetime | None = None
    invalidated_at: datetime | None = None
    last_verification_method: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TenantAuthenticator:
    """A verification method the tenant has set up."""

    authenticator_id: str
    verification_method: str
    is_active: bool = True
    is_editable_by_user: bool = True
    is_hidden_to_user: bool = False
    sms_channel: str | None = None


@dataclass
class Store:
    """One tenant.

    Users keep their place in the listing when they are deleted: the listing walks over them without showing them, so
    pages come out short or empty, as a key-value store's do.
    """

    _users: dict[str, User | None] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _authenticators: dict[str, dict[str, Authenticator]] = field(default_factory=dict)
    _actions: dict[str, dict[ActionKey, Action]] = field(default_factory=dict)
    _devices: dict[str, dict[str, Device]] = field(default_factory=dict)
    tenant_authenticators: tuple[TenantAuthenticator, ...] = ()

    def put_user(self, user: User) -> None:
        self._place(user.user_id)
        self._users[user.user_id] = user

    def put_gone(self, user_id: str) -> None:
        """A place in the listing that shows nobody."""
        self._place(user_id)
        self._users[user_id] = None

    def _place(self, user_id: str) -> None:
        if user_id not in self._places:
            self._places[user_id] = len(self._order)
            self._order.append(user_id)

    def get_user(self, user_id: str) -> User | None:
        return self._users.get(user_id)

    def users(self) -> Iterator[User]:
        return (user for user in list(self._users.values()) if user is not None)

    def page(self, after: str | None, limit: int) -> tuple[list[User], str | None]:
        """The next `limit` places of the listing, and the cursor that follows, None at the end."""
        start = 0 if after is None else self._places.get(after, len(self._order) - 1) + 1
        ids = self._order[start : start + limit]
        users = [user for user_id in ids if (user := self._users[user_id]) is not None]
        return users, ids[-1] if start + limit < len(self._order) else None

    def remove_user(self, user_id: str, *, actions: bool) -> None:
        if user_id in self._users:
            self._users[user_id] = None
        self._authenticators.pop(user_id, None)
        self._devices.pop(user_id, None)
        if actions:
            self._actions.pop(user_id, None)

    def put_authenticator(self, authenticator: Authenticator) -> None:
        self._authenticators.setdefault(authenticator.user_id, {})[authenticator.user_authenticator_id] = authenticator

    def authenticators(self, user_id: str) -> list[Authenticator]:
        return list(self._authenticators.get(user_id, {}).values())

    def remove_authenticator(self, user_id: str, user_authenticator_id: str) -> bool:
        return self._authenticators.get(user_id, {}).pop(user_authenticator_id, None) is not None

    def put_action(self, action: Action) -> None:
        self._actions.setdefault(action.user_id, {})[(action.action_code, action.idempotency_key)] = action

    def get_action(self, user_id: str, action_code: str, idempotency_key: str) -> Action | None:
        return self._actions.get(user_id, {}).get((action_code, idempotency_key))

    def actions(self, user_id: str, since: datetime) -> list[Action]:
        return [action for action in self._actions.get(user_id, {}).values() if action.created_at >= since]

    def put_device(self, device: Device) -> None:
        self._devices.setdefault(device.user_id, {})[device.device_id] = device

    def devices(self, user_id: str) -> list[Device]:
        return list(self._devices.get(user_id, {}).values())

    def counts(self) -> dict[str, int]:
        """Entities by kind."""
        return {
            "users": sum(1 for _ in self.users()),
            "authenticators": sum(map(len, self._authenticators.values())),
            "actions": sum(map(len, self._actions.values())),
            "devices": sum(map(len, self._devices.values())),
        }


def window_start(now: datetime, days: int) -> datetime:
    """Oldest moment the action query reaches back to."""
    return now - timedelta(days=days)
