"""Flatten API responses to rows: add parents' keys and provenance, remove secrets and icons."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from dlt.common.normalizers.naming.snake_case import NamingConvention

from dlt_authsignal.errors import UnexpectedAnswer
from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.history_tables import VALID_FROM, VALID_TO
from dlt_authsignal.schema.secret_fields import is_withheld
from dlt_authsignal.schema.sensitivity import FREE_FORM
from dlt_authsignal.schema.tables import PROVENANCE_NAMES
from dlt_authsignal.source.privacy.identifiers import replaced

Row = dict[str, Any]

MORE: Final = "_more"
"""Column for all fields that have no column of their own."""

_OURS: Final = PROVENANCE_NAMES - {"tenant_id"} | {DELETED_AT.name, VALID_FROM.name, VALID_TO.name, MORE}
_VARIANT: Final = re.compile(r"__v_(text|timestamp|bool|bigint|double|json)$")
_naming = NamingConvention()


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The responses to one or more requests, for the rows of one table.

    Attributes:
        items: Decoded objects, one per row.
        requests: For each item, the index of its request in the lists below.
        read_at: Time of each request.
        keys: Parents' keys by column, one value per request. They override fields of the same name.
    """

    items: list[Mapping[str, Any]]
    requests: list[int]
    read_at: list[datetime]
    keys: Mapping[str, list[Any]] = dataclasses.field(default_factory=dict)


@lru_cache(maxsize=4096)
def name_of(field: str) -> str:
    """Return dlt's name of a field, without its parents' names."""
    return _naming.normalize_identifier(field) if field.strip() else "_empty"


@lru_cache(maxsize=4096)
def not_ours(name: str) -> str:
    """Return the name, or a different one if dlt or this package uses it for its own columns."""
    if name.startswith("_dlt") or name in _OURS:
        return f"api_{name.lstrip('_')}"
    return f"{name}__2" if is_variant(name) else name


def is_variant(name: str) -> bool:
    """Return whether a column stores values of another type than the column it belongs to."""
    return _VARIANT.search(name) is not None


def whole_columns(table: Table) -> frozenset[str]:
    """Return the columns whose objects are not flattened. Free-form customer data is never flattened."""
    return FREE_FORM | {column.name for column in table.columns if column.type == "json"}


def without_key(table: Table, missing: list[str]) -> UnexpectedAnswer:
    """Return the error for a response in which part of the table's key is missing."""
    return UnexpectedAnswer(
        f"A row for table {table.name} is missing {', '.join(missing)}, which the table's key needs. The row came from"
        f" {table.source}.",
        request=table.source,
        status=200,
    )


def updated(value: Any) -> str:
    """Return a value that is greater for the row that was updated later."""
    return str(value or "")


def flat(answer: Mapping[str, Any], whole: frozenset[str]) -> Row:
    """Return the fields of a response by column, without secrets."""
    row: Row = {}
    for name, value in _flatten(answer, "", whole):
        free = not_ours(name)
        while free in row:  # two fields whose names differ only in spelling
            free += "__2"
        row[free] = value
    return row


def _flatten(value: Mapping[str, Any], prefix: str, whole: frozenset[str]) -> Iterator[tuple[str, Any]]:
    for field, inner in value.items():
        if is_withheld(field) or is_otp_link(inner):
            continue
        name = prefix + name_of(field)
        if isinstance(inner, dict) and name not in whole and not is_by_person(inner):
            yield from _flatten(inner, f"{name}__", whole)
        else:
            yield name, kept(inner, own=name == "custom") if isinstance(inner, list | dict) else inner


def is_by_person(value: Mapping[str, Any]) -> bool:
    """Return whether an object's keys are identifiers of people, which must not become column names."""
    return any(map(_is_identifier, value))


@lru_cache(maxsize=4096)
def _is_identifier(key: str) -> bool:
    return replaced(key, lambda _kind, _value: "") != key


def kept(value: Any, *, own: bool = False) -> Any:
    """Return the value without secrets, and with numbers beyond 64 bits as text. `custom` keeps all its field names."""
    if isinstance(value, dict):
        return {
            field: kept(inner, own=own or field == "custom")
            for field, inner in value.items()
            if own or not (is_withheld(field) or is_otp_link(inner))
        }
    if isinstance(value, list):
        return [kept(item, own=own) for item in value if own or not is_otp_link(item)]
    return str(value) if is_beyond(value) else value


def is_beyond(value: Any) -> bool:
    """Return whether the value is a number beyond 64 bits."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    return isinstance(value, float) and not math.isfinite(value)


def is_otp_link(value: Any) -> bool:
    """Return whether the value is a link that contains the seed of one-time passwords."""
    return isinstance(value, str) and value.lstrip()[:18].lower().startswith(("otpauth:", "otpauth-migration:"))
