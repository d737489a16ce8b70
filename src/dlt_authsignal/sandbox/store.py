"""All state of a tenant: frozen values in plain dictionaries, replaced whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dlt_authsignal.sandbox.entities import Action, Authenticator, Device, User

ActionKey = tuple[str, str]


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

    def passkey(self, credential_id: str) -> Authenticator | None:
        """The authenticator that holds a WebAuthn credential which was enrolled here (not an invented person's)."""
        return next(
            (
                value
                for mine in self._authenticators.values()
                for value in mine.values()
                if value.credential and value.credential.credential_id == credential_id
            ),
            None,
        )

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
