"""The hash of a row, which shows whether the row has changed.

Tables of Authsignal's responses use the sum in `source/rows/arrow_hash.py`. Tables that the pipeline writes itself, and
those of the passkey calls, use `fingerprint`. No table has both.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.tables.server import PROVENANCE_NAMES


def unhashed(table: Table, api: str) -> frozenset[str]:
    """Columns that do not count in `_row_hash` of what an API answers: the pipeline's own, those that change with use,
    those that a library derives, and those that only this API answers. Both APIs describe the same authenticator: a row
    of either has to have the same hash."""
    others = {column.name for column in table.columns if column.only == api or column.is_activity or column.is_derived}
    return PROVENANCE_NAMES | {DELETED_AT.name} | others


def fingerprint(row: Mapping[str, Any]) -> str:
    """Return 16 hex digits that change when the row's values change. Field order and nulls do not matter."""
    values = {name: value for name, value in row.items() if value is not None and name not in PROVENANCE_NAMES}
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
