"""Views that an assistant sees in place of the tables: whatever may name or describe a person is a keyed hash in them.

Masked at the source, so that no query can undo it by renaming, cutting or joining. Only columns that the registry calls
harmless are shown; what Authsignal adds later, and values that landed in a column of another type, are masked.
"""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES
from dlt_authsignal.schema.sql_text import quoted
from dlt_authsignal.schema.tables import PROVENANCE

KEY_VARIABLE: Final = "mask_key"
DIGITS: Final = 16

_HARMLESS: Final = frozenset(column.name for column in PROVENANCE) - {"_row_hash"} | {"_dlt_load_id"}
"""`_row_hash` is left out: it has no key, so a short row can be guessed from it."""


def is_masked(table: str, column: str) -> bool:
    """Whether the column of that table is shown as a hash only."""
    plain = {known.name for known in TABLES_AND_HISTORIES[table].columns if known.sensitivity == "plain"}
    return column not in plain | _HARMLESS


def view(table: str, columns: Sequence[str], *, place: str, source: str, allow_identifiers: bool) -> str:
    """`create view` of one table.

    Args:
        table: Its name in the registry.
        columns: Columns that it has in the database.
        place: Schema for the view, quoted.
        source: Schema of the table, quoted and with its database.
        allow_identifiers: Whether people may be seen.
    """
    shown = [
        _masked(quoted(name)) if is_masked(table, name) and not allow_identifiers else quoted(name) for name in columns
    ]
    return f"create view {place}.{quoted(table)} as select {', '.join(shown)} from {source}.{quoted(table)}"


def _masked(column: str) -> str:
    """Equal values stay equal and null stays null, so that joins and counts are right."""
    digest = f"left(sha256(getvariable('{KEY_VARIABLE}') || {column}::varchar), {DIGITS})"
    return f"'masked:' || {digest} as {column}"
