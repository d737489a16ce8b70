"""HISTORIES: for each table that keeps its past, the table of its versions."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.schema.columns import Table, own
from dlt_authsignal.schema.tables import DELETED_AT, TABLES

VALID_FROM: Final = own("valid_from", "timestamp", "When this version was first read.")
VALID_TO: Final = own(
    "valid_to", "timestamp", "When it was found changed or gone; null for the version that is valid now."
)


def history_of(table: Table) -> Table:
    """The table of a table's versions: one row for each, none without a change; a time without one is a deletion."""
    columns = tuple(column for column in table.columns if column is not DELETED_AT)
    return replace(
        table,
        name=f"{table.name}_history",
        key=(*table.key, VALID_FROM.name),
        columns=(*columns, VALID_FROM, VALID_TO),
        meaning=f"One row per version that a row of {table.name} has had.",
        source=f"{table.name}, after each sync",
        history=False,
    )


HISTORIES: Final[dict[str, Table]] = {
    history.name: history for history in (history_of(table) for table in TABLES.values() if table.history)
}

TABLES_AND_HISTORIES: Final[dict[str, Table]] = {**TABLES, **HISTORIES}
