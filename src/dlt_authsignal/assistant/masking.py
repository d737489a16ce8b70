"""Views that an assistant sees instead of the tables. Values that may identify or describe a person are keyed hashes.

The views mask the values, so no query can undo it by renaming, cutting or joining. Only columns that the table registry
marks as `plain` are shown. Fields that Authsignal adds later and values of unexpected types are masked too.
"""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES
from dlt_authsignal.schema.sql_text import quoted
from dlt_authsignal.schema.tables import PROVENANCE

KEY_VARIABLE: Final = "mask_key"
DIGITS: Final = 16

_HARMLESS: Final = frozenset(column.name for column in PROVENANCE) - {"_row_hash"} | {"_dlt_load_id"}
"""`_row_hash` is excluded: it has no key, so the values of a short row could be guessed from it."""


def is_masked(table: str, column: str) -> bool:
    """Return whether a column is shown only as a hash."""
    plain = {known.name for known in TABLES_AND_HISTORIES[table].columns if known.sensitivity == "plain"}
    return column not in plain | _HARMLESS


def view(table: str, columns: Sequence[str], *, place: str, source: str, allow_identifiers: bool) -> str:
    """Return the `create view` statement for one table.

    Args:
        table: Name in the table registry.
        columns: Columns of the table in the database.
        place: Schema for the view, quoted.
        source: Schema of the table, quoted, with the database name.
        allow_identifiers: Whether personal identifiers are shown unmasked.
    """
    shown = [
        _masked(quoted(name)) if is_masked(table, name) and not allow_identifiers else quoted(name) for name in columns
    ]
    return f"create view {place}.{quoted(table)} as select {', '.join(shown)} from {source}.{quoted(table)}"


def _masked(column: str) -> str:
    """Return the SQL of a masked column. Equal values stay equal and null stays null, so joins and counts are right."""
    digest = f"left(sha256(getvariable('{KEY_VARIABLE}') || {column}::varchar), {DIGITS})"
    return f"'masked:' || {digest} as {column}"
