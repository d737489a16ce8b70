"""A tenant out of one integer: its people, and the places of those who left.

Each person follows from (seed, number) alone, so a larger tenant begins with the same people as a smaller one.
"""

from datetime import datetime
from functools import partial
from typing import Final

from dlt_authsignal.sandbox.tenant.people import Seeding, belongings_of, user_of
from dlt_authsignal.sandbox.tenant.store import Store

GONE_EVERY: Final = 60
"""After so many people the listing has places of deleted ones, now and then enough of them for a whole empty page."""


def populate(store: Store, *, users: int, days: int, seed: int, now: datetime) -> None:
    """Fills a store with `users` people and `days` days of what they did until `now`.

    Users are made now, in some 30 microseconds each; what belongs to them when it is read.
    """
    seeding = Seeding(seed, days, now)
    make = partial(belongings_of, seeding)
    for number in range(users):
        store.put_seeded(user_of(seeding, number), make, number)
        if number % GONE_EVERY == GONE_EVERY - 1:
            _add_gone(store, seed, number)


def _add_gone(store: Store, seed: int, number: int) -> None:
    places = 250 if number % (5 * GONE_EVERY) == 5 * GONE_EVERY - 1 else 3
    for place in range(places):
        store.put_gone(f"gone-{seed}-{number}-{place}")
