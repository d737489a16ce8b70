"""HISTORIES: the history table of each table that keeps versions."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.schema.columns import DELETED_AT, Table, own
from dlt_authsignal.schema.tables.server import TABLES

VALID_FROM: Final = own("valid_from", "timestamp", "When this version was first read.")
VALID_TO: Final = own(
    "valid_to", "timestamp", "When a later read found the row changed or deleted; null for the current version."
)


def history_of(table: Table) -> Table:
    """Return the history table of a table: one row per version. While a row is deleted, it has no version."""
    columns = tuple(column for column in table.columns if column != DELETED_AT)
    return replace(
        table,
        name=f"{table.name}_history",
        key=(*table.key, VALID_FROM.name),
        columns=(*columns, VALID_FROM, VALID_TO),
        meaning=f"One row per version of each row of {table.name}.",
        source=f"{table.name}, after each sync",
        history=False,
    )


HISTORIES: Final[dict[str, Table]] = {
    history.name: history for history in (history_of(table) for table in TABLES.values() if table.history)
}
