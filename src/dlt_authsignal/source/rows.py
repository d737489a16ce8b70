"""Answers of the API to flat rows: parents' keys and provenance in, secrets and icons out."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from dlt.common.normalizers.naming.snake_case import NamingConvention

from dlt_authsignal.api.tables import PROVENANCE, Table
from dlt_authsignal.api.withheld import BULKY_FIELDS, SECRET_ENDINGS, SECRET_FIELDS
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
    return plain in SECRET_FIELDS or plain in BULKY_FIELDS or plain.endswith(SECRET_ENDINGS)


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
        row = _columns(answer, whole)
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
                _set_time(row, name)
        row["_row_hash"] = fingerprint(row)
        row.update(tenant_id=row.get("tenant_id") or tenant_id, _lane=lane, _read_at=keys["_read_at"])
        return row

    return shape


def _columns(answer: Mapping[str, Any], whole: frozenset[str]) -> Row:
    row: Row = {}
    for name, value in _flatten(answer, "", whole):
        free = f"api{name}" if name.startswith("_dlt") or name in _PROVENANCE_NAMES - {"tenant_id"} else name
        while free in row:  # two fields whose names differ in spelling only
            free += "__2"
        row[free] = value
    return row


def _flatten(value: Mapping[str, Any], prefix: str, whole: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for field, inner in value.items():
        if _is_dropped(field) or _is_otp_link(inner):
            continue
        name = prefix + _name(field)
        if isinstance(inner, dict) and name not in whole:
            yield from _flatten(inner, f"{name}__", whole)
        else:
            yield name, _kept(inner, own=name == "custom")


def _kept(value: Any, *, own: bool = False) -> Any:
    """Without secrets; whole numbers beyond 64 bits as text. `custom` is the customer's own, names and all."""
    if isinstance(value, dict):
        return {
            field: _kept(inner, own=own or field == "custom")
            for field, inner in value.items()
            if own or not (_is_dropped(field) or _is_otp_link(inner))
        }
    if isinstance(value, list):
        return [_kept(item, own=own) for item in value if own or not _is_otp_link(item)]
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def _is_otp_link(value: Any) -> bool:
    return isinstance(value, str) and value.lstrip()[:8].lower() == "otpauth:"


def fingerprint(row: Mapping[str, Any]) -> str:
    """16 hex digits that change when what Authsignal said changes. Neither the order of fields nor a null matters."""
    said = {name: value for name, value in row.items() if value is not None and name not in _PROVENANCE_NAMES}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _plain(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _set_time(row: Row, name: str) -> None:
    """A datetime where the text is ISO 8601 with a zone. Anything else goes to dlt as it is, and is kept by it.

    A time that has no equivalent in UTC, at the ends of the calendar, goes where dlt puts values of another type.
    """
    value = row[name]
    if not isinstance(value, str):
        return
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo:
            row[name] = moment.astimezone(UTC)
    except OverflowError:
        row[f"{name}__v_text"] = row.pop(name)
    except ValueError:
        return
