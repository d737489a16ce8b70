"""When a row counts as gone: a complete read that came later did not show it.

Everything follows from what the tables say, so that it can be worked out again at any time, with the same result.
"""

from dataclasses import dataclass
from typing import Final

from dlt_authsignal.schema.bookkeeping_tables import COMPLETE_READS, USER_READS


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Where it stands when a table, or one user's part of it, was last read completely.

    Attributes:
        table: Table that says so.
        on: Columns that it shares with the rows it speaks of; none where it speaks of the whole table.
        part: Column that says when.
        whole: Column that says when instead, where Authsignal did not know the user: of them everything is gone.
        of: Restricts it to rows whose `table_name` is this.
    """

    table: str
    on: tuple[str, ...]
    part: str | None = None
    whole: str | None = None
    of: str | None = None


def _of_users(part: str | None) -> Reading:
    return Reading(table=USER_READS.name, on=("user_id",), part=part, whole="_read_at")


def _of_all(table: str, *on: str) -> Reading:
    return Reading(table=COMPLETE_READS.name, on=on, part="read_at", of=table)


RULES: Final[dict[str, tuple[Reading, ...]]] = {
    "users": (_of_users(None),),
    "user_authenticators": (
        _of_users("user_authenticators_read_at"),
        _of_all("user_authenticators", "user_id"),
    ),
    "user_devices": (_of_users("user_devices_read_at"),),
    "tenant_authenticators": (_of_all("tenant_authenticators"),),
}
"""By table that remembers what is gone: each reading that can tell. Actions are not among them: Authsignal forgets them
after 30 days, and the table does not."""
