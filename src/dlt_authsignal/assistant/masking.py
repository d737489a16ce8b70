"""Masks: keyed hashes in place of values that may identify or describe a person.

Only columns that the table registry marks as `plain` are shown. Fields that Authsignal adds later and values of
unexpected types are masked too.
"""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.sql_text import literal, quoted
from dlt_authsignal.schema.tables.all_tables import ALL_TABLES
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS, DETECTIONS, USER_READS
from dlt_authsignal.schema.tables.events import EVENT_FILES, UNKNOWN_EVENTS
from dlt_authsignal.schema.tables.server import PROVENANCE

DIGITS: Final = 16

SHOWN_TABLES: Final[dict[str, Table]] = {**ALL_TABLES, DETECTIONS.name: DETECTIONS}
"""Tables that assistants may query."""

EVERY_TABLE: Final[dict[str, Table]] = {
    **SHOWN_TABLES,
    USER_READS.name: USER_READS,
    CONFIGURATION_READS.name: CONFIGURATION_READS,
}
"""Tables that the masked copy may have."""

_HARMLESS: Final = frozenset(column.name for column in PROVENANCE) - {"_row_hash"} | {"_dlt_load_id"}
"""`_row_hash` is excluded: it has no key, so the values of a short row could be guessed from it."""

_NOT_SHOWN: Final[dict[str, tuple[str, ...]]] = {
    UNKNOWN_EVENTS.name: ("payload", "event_id"),
    EVENT_FILES.name: ("file",),
    DETECTIONS.name: ("detection_id",),
}
"""Plain columns that are masked: content of an unknown form, and hashes without a key."""


def is_masked(table: str, column: str) -> bool:
    """Return whether a column is shown only as a hash."""
    plain = {known.name for known in EVERY_TABLE[table].columns if known.sensitivity == "plain"}
    return column not in plain | _HARMLESS or column in _NOT_SHOWN.get(table, ())


def masked_rows(table: str, columns: Sequence[str], *, source: str, key: str | None) -> str:
    """Return the SELECT of a table's rows with masks.

    Args:
        table: Name in the table registry.
        columns: Columns of the table in the database.
        source: Schema of the table, quoted, with the database name.
        key: Key of the masks; None shows all values.
    """
    shown = [quoted(name) if key is None or not is_masked(table, name) else _mask(name, key) for name in columns]
    return f"select {', '.join(shown)} from {source}.{quoted(table)}"


def _mask(name: str, key: str) -> str:
    """Return the SQL of a masked column. Equal values stay equal and null stays null, so joins and counts are right."""
    digest = f"left(sha256({literal(key)} || {quoted(name)}::varchar), {DIGITS})"
    return f"'masked:' || {digest} as {quoted(name)}"
