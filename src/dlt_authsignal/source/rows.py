"""Answers of the API to flat rows: parents' keys and provenance in, secrets and icons out."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from dlt.common.normalizers.naming.snake_case import NamingConvention

from dlt_authsignal.api.tables import BULKY_FIELDS, PROVENANCE, SECRET_FIELDS, Table
from dlt_authsignal.errors import UnexpectedAnswer

Row = dict[str, Any]
Shape = Callable[[Mapping[str, Any], Mapping[str, Any]], Row]

_PROVENANCE_NAMES: Final = frozenset(column.name for column in PROVENANCE)
_naming = NamingConvention()


@lru_cache(maxsize=4096)
def _name(field: str) -> str:
    return _naming.normalize_identifier(field) if field.strip() else "_empty"


@lru_cache(maxsize=4096)
def _is_dropped(field: str) -> bool:
    plain = field.replace("_", "").replace("-", "").lower()
    return plain in SECRET_FIELDS or plain in BULKY_FIELDS


def shaper(table: Table, *, lane: str, tenant_id: str | None) -> Shape:
    """A function (answer, keys) → row for one table.

    The row is flat: nested objects become `a__b` columns, lists and the table's JSON columns stay whole. `keys` are
    the parents' keys and the provenance, and win over fields of the same name.

    Raises:
        UnexpectedAnswer: The answer lacks part of the table's key.
    """
    whole = frozenset(column.name for column in table.columns if column.type == "json")
    times = tuple(column.name for column in table.columns if column.type == "timestamp")

    def shape(answer: Mapping[str, Any], keys: Mapping[str, Any]) -> Row:
        row: Row = dict(_flatten(answer, "", whole))
        row.update({name: value for name, value in keys.items() if name not in _PROVENANCE_NAMES})
        missing = [name for name in table.key if row.get(name) in (None, "")]
        if missing:
            raise UnexpectedAnswer(
                f"A row for {table.name} came without {', '.join(missing)}, which its key needs ({table.source}).",
                request=table.source,
                status=200,
            )
        for name in times:
            if name in row:
                row[name] = _as_time(row[name])
        row["_row_hash"] = fingerprint(row)
        row.update(tenant_id=row.get("tenant_id") or tenant_id, _lane=lane, _read_at=keys["_read_at"])
        return row

    return shape


def _flatten(value: Mapping[str, Any], prefix: str, whole: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for field, inner in value.items():
        if _is_dropped(field):
            continue
        name = prefix + _name(field)
        if isinstance(inner, dict) and name not in whole:
            yield from _flatten(inner, f"{name}__", whole)
        elif isinstance(inner, list) and name not in whole:
            yield name, [_without_secrets(item) for item in inner]
        elif isinstance(inner, str) and inner.startswith("otpauth:"):
            continue
        else:
            yield name, inner


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {field: _without_secrets(inner) for field, inner in value.items() if not _is_dropped(field)}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def fingerprint(row: Mapping[str, Any]) -> str:
    """16 hex digits that change when what Authsignal said changes. Neither the order of fields nor a null matters."""
    said = {name: value for name, value in row.items() if value is not None and name not in _PROVENANCE_NAMES}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _as_time(value: Any) -> Any:
    """A datetime where the text is ISO 8601 with a zone; anything else goes to dlt as it is, and is kept."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment if moment.tzinfo else value
