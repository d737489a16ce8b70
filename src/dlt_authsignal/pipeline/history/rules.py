"""Rules for deleted rows: a row is deleted if a later complete read did not return it.

The result depends only on the tables' contents, so it can be computed again at any time.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS, TABLE_READS, USER_READS
from dlt_authsignal.schema.tables.configuration import CONFIGURATION


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Table that records when a table, or one user's part of it, was last read completely.

    Attributes:
        table: Table that has the time of the read.
        on: Columns that match its rows with the rows that were read; none if it records reads of the whole table.
        part: Column with the time.
        whole: Column with the time if Authsignal does not know the user: all rows of that user are deleted.
        of: Uses only rows with this `table_name`.
    """

    table: str
    on: tuple[str, ...]
    part: str | None = None
    whole: str | None = None
    of: str | None = None


def _of_users(part: str | None) -> Reading:
    return Reading(table=USER_READS.name, on=("user_id",), part=part, whole="_read_at")


def _of_all(table: str, *on: str) -> Reading:
    return Reading(table=TABLE_READS.name, on=on, part="read_at", of=table)


def _of_configuration(table: str) -> Reading:
    return Reading(table=CONFIGURATION_READS.name, on=(), part="read_at", of=table)


RULES: Final[dict[str, tuple[Reading, ...]]] = {
    "users": (_of_users(None),),
    "user_authenticators": (
        _of_users("user_authenticators_read_at"),
        _of_all("user_authenticators", "user_id"),
    ),
    "user_devices": (_of_users("user_devices_read_at"),),
    "tenant_authenticators": (_of_all("tenant_authenticators"),),
    **{table.name: (_of_configuration(table.name),) for table in CONFIGURATION},
}
"""For each table with deletes: the records of complete reads. Actions are never deleted: Authsignal returns the last 30
days only, and the table keeps older ones."""


def may_change(table: str, loaded: Collection[str] | None) -> bool:
    """Return whether deletes or history of a table may change after a load into these tables; None for any tables."""
    return loaded is None or table in loaded or any(reading.table in loaded for reading in RULES[table])
