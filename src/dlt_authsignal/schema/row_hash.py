"""The hash of a row, which shows whether the row has changed."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dlt_authsignal.schema.tables import PROVENANCE_NAMES


def fingerprint(row: Mapping[str, Any]) -> str:
    """Return 16 hex digits that change when the row's values change. Field order and nulls do not matter."""
    said = {name: value for name, value in row.items() if value is not None and name not in PROVENANCE_NAMES}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
