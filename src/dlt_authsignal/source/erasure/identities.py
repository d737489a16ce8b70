"""What a person may be known by in the tables: every place that has to find them asks here."""

from collections.abc import Collection, Iterable, Iterator
from typing import Any


def stored_forms(user_id: str) -> frozenset[str]:
    """The values of `user_id` columns that mean this person."""
    return frozenset({user_id})


def naming(credential_ids: Collection[str], calls: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """The calls that name one of the passkeys.

    Args:
        credential_ids: The passkeys' ids.
        calls: Id of each call, and the credential ids in it: a list, JSON text, or None.
    """
    for call_id, named in calls:
        if any(credential_id in str(named) for credential_id in credential_ids):
            yield str(call_id)
