"""Find and delete the detections that are about one user."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from dlt_authsignal.destination.stores.store import TableStore
from dlt_authsignal.schema.tables.bookkeeping import DETECTIONS

_USER_ID: Final = "user_id"
_SUBJECTS: Final = ("phone_number", "ip_address")
"""Columns whose values may be the subject of a detection, besides the user's id."""


def own_subjects(store: TableStore, forms: Collection[str]) -> frozenset[str]:
    """Return the phone numbers and IP addresses that only this user has. Call it before rows are deleted.

    Args:
        store: Tables to look in.
        forms: Values of `user_id` that identify the user.
    """
    held = store.columns()
    if DETECTIONS.name not in held:
        return frozenset()
    found: set[str] = set()
    for table, column in _places(held):
        found |= {str(value) for (value,) in store.rows(table, [column], _USER_ID, forms) if value}
    others: set[str] = set()
    for table, column in _places(held) if found else ():
        rows = store.rows(table, [_USER_ID, column], column, found)
        others |= {str(value) for user, value in rows if user not in forms}
    return frozenset(found - others)


def _places(held: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str]]:
    for table, columns in held.items():
        if _USER_ID in columns:
            yield from ((table, column) for column in _SUBJECTS if column in columns)


def erase_detections(store: TableStore, subjects: Collection[str]) -> dict[str, int]:
    """Delete the detections about some subjects; return their number by table."""
    if "subject" not in store.columns().get(DETECTIONS.name, ()):
        return {}
    return {DETECTIONS.name: store.delete(DETECTIONS.name, "subject", subjects)}
