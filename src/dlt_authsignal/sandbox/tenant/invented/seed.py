"""Invent a tenant from a seed: its users, and the places of deleted users in the user list.

Each user follows from (seed, number) alone, so a larger tenant starts with the same users as a smaller one.
"""

from functools import partial
from typing import Final

from dlt_authsignal.sandbox.tenant.invented.people import Seeding, belongings_of, user_of
from dlt_authsignal.sandbox.tenant.store import Store

DELETED_EVERY: Final = 60
"""After this many users the user list has places of deleted users, sometimes enough for an empty page."""


def populate(store: Store, *, users: int, seeding: Seeding) -> None:
    """Add `users` invented users to a store, with the actions of the seeding's days.

    Users are created immediately, in about 30 microseconds each. Their other data is created when it is read.
    """
    make = partial(belongings_of, seeding)
    for number in range(users):
        store.put_seeded(user_of(seeding, number), make, number)
        if number % DELETED_EVERY == DELETED_EVERY - 1:
            _add_deleted(store, seeding.seed, number)


def _add_deleted(store: Store, seed: int, number: int) -> None:
    places = 250 if number % (5 * DELETED_EVERY) == 5 * DELETED_EVERY - 1 else 3
    for place in range(places):
        store.put_deleted(f"gone-{seed}-{number}-{place}")
