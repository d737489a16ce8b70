"""The columns of `user_reads`, the table that stores when each user was last read."""

from typing import Any, Final

from dlt_authsignal.source.incremental.state.last_read import KEPT, LastRead, moment

HASHES: Final = ("listed_hash", "privacy_hash")
TIMES: Final = (
    "first_seen_at",
    *(f"{part}_read_at" for part in KEPT),
    "newest_action_at",
    "actions_from",
    "actions_complete_from",
)
_OTHER_FIELDS: Final = ("listed", "privacy", "is_known", "reported")
FIELDS: Final = LastRead.__struct_fields__[: len(TIMES)]
"""The fields that `TIMES` are the columns of, in the same order; after them come `_OTHER_FIELDS`.

`KnownReads` makes a `LastRead` of each user by position, the fastest way: a new field must not shift the others.
"""

if (*FIELDS, *_OTHER_FIELDS) != LastRead.__struct_fields__:
    raise TypeError("LastRead has other fields, or another order, than user_reads has columns.")


def row_of(user_id: str, last: LastRead) -> dict[str, Any]:
    """Return the row of `user_reads`, without provenance."""
    times = {name: moment(getattr(last, field)) for name, field in zip(TIMES, FIELDS, strict=True)}
    hashes = zip(HASHES, (last.listed, last.privacy), strict=True)
    return {
        "user_id": user_id,
        **times,
        **{name: f"{value:016x}" if value else None for name, value in hashes},
        "is_known": last.is_known,
    }
