"""The users of a tenant and their data: frozen values in plain dictionaries, replaced as a whole."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from dlt_authsignal.sandbox.core.base64_text import url_safe
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Device, User

ActionKey = tuple[str, str]

COUNTED_PEOPLE: Final = 2_000
"""`Store.counts` creates the data of at most this many seeded users, which takes a fifth of a second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Belongings:
    """The data of one user id. A change is a new value; the mappings are never changed in place.

    Attributes:
        authenticators: Authenticators by id, in order of enrolment.
        devices: Devices by id.
        actions: Actions by action code and idempotency key, in order of creation.
    """

    authenticators: Mapping[str, Authenticator] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    actions: Mapping[ActionKey, Action] = field(default_factory=dict)


MakeBelongings = Callable[[int], Belongings]
"""Creates the data of a seeded user by number: the same value each time, so that it need not be stored."""

NOTHING: Final = Belongings()


@dataclass
class Store:
    """The users of one tenant and their data.

    Deleted users keep their place in the user list: it skips them, so pages can be short or empty, as those of a
    key-value store are.

    The data of a seeded user is created each time it is read. Its first change stores it permanently.
    """

    _users: dict[str, User | None] = field(default_factory=dict)
    _order: list[str] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)
    _seeded: dict[str, tuple[MakeBelongings, int]] = field(default_factory=dict)
    _kept: dict[str, Belongings] = field(default_factory=dict)
    _holders: dict[str, str] = field(default_factory=dict)

    def copy(self) -> "Store":
        """Return an independent copy.

        It copies the dictionaries and shares their frozen values: about 15 milliseconds for 100,000 users.
        """
        return Store(
            _users=self._users.copy(),
            _order=self._order.copy(),
            _places=self._places.copy(),
            _seeded=self._seeded.copy(),
            _kept=self._kept.copy(),
            _holders=self._holders.copy(),
        )

    def put_user(self, user: User) -> None:
        self._place(user.user_id)
        self._users[user.user_id] = user

    def put_seeded(self, user: User, make: MakeBelongings, number: int) -> None:
        """Add a user whose data is `make(number)`. A user with that id who exists is not changed."""
        if self._users.get(user.user_id) is not None:
            return
        self.put_user(user)
        if (left := self._kept.get(user.user_id)) is None:
            self._seeded[user.user_id] = (make, number)
        else:
            made = make(number)
            self._keep(user.user_id, replace(made, actions={**left.actions, **made.actions}))

    def put_deleted(self, user_id: str) -> None:
        """Add a place of a deleted user to the user list."""
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

    def find(self, **wanted: str) -> list[User]:
        """Return the users with these attributes, such as `email="ann@example.com"`, in the order of the user list.

        A linear scan needs no index, and takes less than 20 milliseconds for 100,000 users.

        Raises:
            AttributeError: Users have no such attribute.
        """
        found = list(self.users())
        for name, value in wanted.items():
            read = attrgetter(name)
            found = [user for user in found if read(user) == value]
        return found

    def page(self, after: str | None, limit: int) -> tuple[list[User], str | None]:
        """Return the users in the next `limit` places of the user list, and the next cursor, None at the end."""
        start = 0 if after is None else self._places.get(after, len(self._order) - 1) + 1
        ids = self._order[start : start + limit]
        users = [user for user_id in ids if (user := self._users[user_id]) is not None]
        return users, ids[-1] if start + limit < len(self._order) else None

    def remove_user(self, user_id: str, *, actions: bool) -> None:
        if user_id in self._users:
            self._users[user_id] = None
        if user_id in self._seeded or user_id in self._kept:
            self._keep(user_id, NOTHING if actions else Belongings(actions=self._of(user_id).actions))

    def put_belongings(self, user_id: str, belongings: Belongings) -> None:
        """Replace all data of a user id."""
        for authenticator in belongings.authenticators.values():
            self._hold(authenticator)
        self._keep(user_id, belongings)

    def belongings(self, user_id: str) -> Belongings:
        """Return all data of a user id."""
        return self._of(user_id)

    def user_ids(self) -> list[str]:
        """Return the ids of all users and of all places of deleted users, in the order of the user list."""
        return self._order.copy()

    def _hold(self, authenticator: Authenticator) -> None:
        if authenticator.app:
            self._holders[f"{authenticator.verification_method}:{authenticator.app.public_key}"] = authenticator.user_id
        if authenticator.credential:
            self._holders[url_safe(authenticator.credential.credential_id)] = authenticator.user_id

    def put_authenticator(self, authenticator: Authenticator) -> None:
        self._hold(authenticator)
        known = self._of(authenticator.user_id)
        changed = {**known.authenticators, authenticator.user_authenticator_id: authenticator}
        self._keep(authenticator.user_id, replace(known, authenticators=changed))

    def authenticators(self, user_id: str) -> list[Authenticator]:
        return list(self._of(user_id).authenticators.values())

    def passkey(self, credential_id: str) -> Authenticator | None:
        """Return the authenticator of an enrolled WebAuthn credential. Those of invented users are not found.

        Args:
            credential_id: Its id in base64, of either alphabet, padded or not.
        """
        wanted = url_safe(credential_id)
        held = self._of(self._holders.get(wanted, "")).authenticators.values()
        return next(
            (value for value in held if value.credential and url_safe(value.credential.credential_id) == wanted), None
        )

    def app(self, verification_method: str, public_key: str) -> Authenticator | None:
        """Return the authenticator of a mobile app."""
        held = self._of(self._holders.get(f"{verification_method}:{public_key}", "")).authenticators.values()
        for value in held:
            if value.app and (value.verification_method, value.app.public_key) == (verification_method, public_key):
                return value
        return None

    def remove_authenticator(self, user_id: str, user_authenticator_id: str) -> bool:
        known = self._of(user_id)
        if user_authenticator_id not in known.authenticators:
            return False
        left = {key: value for key, value in known.authenticators.items() if key != user_authenticator_id}
        self._keep(user_id, replace(known, authenticators=left))
        return True

    def put_action(self, action: Action) -> None:
        known = self._of(action.user_id)
        changed = {**known.actions, (action.action_code, action.idempotency_key): action}
        self._keep(action.user_id, replace(known, actions=changed))

    def get_action(self, user_id: str, action_code: str, idempotency_key: str) -> Action | None:
        return self._of(user_id).actions.get((action_code, idempotency_key))

    def actions(self, user_id: str, since: datetime) -> list[Action]:
        return [action for action in self._of(user_id).actions.values() if action.created_at >= since]

    def put_device(self, device: Device) -> None:
        known = self._of(device.user_id)
        self._keep(device.user_id, replace(known, devices={**known.devices, device.device_id: device}))

    def remove_device(self, user_id: str, device_id: str) -> None:
        known = self._of(user_id)
        left = {key: value for key, value in known.devices.items() if key != device_id}
        self._keep(user_id, replace(known, devices=left))

    def devices(self, user_id: str) -> list[Device]:
        return list(self._of(user_id).devices.values())

    def _of(self, user_id: str) -> Belongings:
        if (
            seeded := self._seeded.get(user_id)
        ) is not None:  # first, because `_keep` adds to the one before it removes from the other
            make, number = seeded
            return make(number)
        return self._kept.get(user_id, NOTHING)

    def _keep(self, user_id: str, belongings: Belongings) -> None:
        self._kept[user_id] = belongings
        self._seeded.pop(user_id, None)

    def counts(self) -> dict[str, int]:
        """Count the entities by kind.

        With more than `COUNTED_PEOPLE` unchanged seeded users it is `users` alone, because counting the rest would
        create all of their data.
        """
        users = sum(user is not None for user in list(self._users.values()))
        if len(self._seeded) > COUNTED_PEOPLE:
            return {"users": users}
        seeded = (make(number) for make, number in list(self._seeded.values()))
        everything = [*self._kept.values(), *seeded]
        return {
            "users": users,
            "authenticators": sum(len(value.authenticators) for value in everything),
            "actions": sum(len(value.actions) for value in everything),
            "devices": sum(len(value.devices) for value in everything),
        }

    def count_actions(self, since: datetime) -> int | None:
        """Count the actions of existing users since then. None if that would create too many users: see `counts`."""
        if len(self._seeded) > COUNTED_PEOPLE:
            return None
        return sum(len(self.actions(user.user_id, since)) for user in self.users())


def window_start(now: datetime, days: int) -> datetime:
    """Return the oldest time of an action that the API returns."""
    return now - timedelta(days=days)
