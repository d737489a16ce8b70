"""Flatten API responses to rows: add parents' keys and provenance, remove secrets and icons."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from dlt_authsignal.errors import UnexpectedAnswer
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.secret_fields import is_withheld
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.recognition.identifiers import replaced
from dlt_authsignal.source.privacy.repeated import each_once
from dlt_authsignal.source.rows.field_tree import Field

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The responses to one or more requests, for the rows of one table.

    Attributes:
        items: Decoded objects, one per row.
        requests: For each item, the index of its request in the lists below.
        read_at: Time of each request.
        keys: Parents' keys by column, one value per request. A different value in the response gets another column.
    """

    items: list[Mapping[str, Any]]
    requests: list[int]
    read_at: list[datetime]
    keys: Mapping[str, list[Any]] = dataclasses.field(default_factory=dict)


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


def flat(answer: Mapping[str, Any], fields: Field, drift: TableDrift) -> Row:
    """Return the values of a response by column, without secrets, which are counted."""
    row: Row = {}
    for name, value in _flatten(answer, fields, drift):
        column = name
        while column in row:  # two marks are equal, as those of one in four thousand million pairs
            column += "x"
        row[column] = value
    return row


def _flatten(answer: Mapping[str, Any], fields: Field, drift: TableDrift) -> Iterator[tuple[str, Any]]:
    for name, value in answer.items():
        field = fields[name]
        if field.is_withheld or is_otp_link(value):
            drift.withhold(value is not None)
        elif isinstance(value, dict) and _is_flattened(value, field):
            yield from _flatten(value, field, drift)
        else:
            yield field.column, kept(value, drift, own=field.is_custom) if isinstance(value, list | dict) else value


def _is_flattened(value: Mapping[str, Any], field: Field) -> bool:
    """Return whether the fields of an object have columns. An empty object is a value, unless it is the parent of
    declared columns, which are then null."""
    return not field.is_whole and (not is_by_person(value) if value else field.is_parent)


def is_by_person(value: Mapping[str, Any]) -> bool:
    """Return whether an object's keys are identifiers of people, which must not become column names."""
    return any(map(_is_identifier, value))


@lru_cache(maxsize=4096)
def _is_identifier(key: str) -> bool:
    return replaced(key, lambda _kind, _value: "") != key


def kept(value: Any, drift: TableDrift, *, own: bool = False) -> Any:
    """Return the value without secrets, which are counted, and with numbers beyond 64 bits as text. `custom` keeps all
    its field names."""
    if isinstance(value, dict):
        return {
            field: kept(inner, drift, own=own or field == "custom")
            for field, inner in value.items()
            if own or not _is_left_out(field, inner, drift)
        }
    if isinstance(value, list):
        return [kept(item, drift, own=own) for item in value if own or not _is_left_out("", item, drift)]
    return str(value) if is_beyond(value) else value


def kept_of_each(values: Iterable[Any], drift: TableDrift, *, own: bool = False) -> list[Any]:
    """Return `kept` of each list and object, and other values unchanged. Equal values are looked at once."""

    def clean(value: Any) -> Any:
        return kept(value, drift, own=own) if isinstance(value, list | dict) else value

    return each_once(clean, values, drift)


def _is_left_out(field: str, value: Any, drift: TableDrift) -> bool:
    is_secret = is_withheld(field) or is_otp_link(value)
    drift.withhold(is_secret and value is not None)
    return is_secret


def differs(value: Any, asked: Any) -> bool:
    """Return whether a response has another value than the request that it answers."""
    kind = str if isinstance(asked, str) else type(asked)  # an id that is stored already has a type of its own
    return value is not None and (value != asked or type(value) is not kind)


def is_no_id(value: Any) -> bool:
    """Return whether a value cannot be a tenant id."""
    return value == "" or isinstance(value, list | dict)


def is_beyond(value: Any) -> bool:
    """Return whether the value is a number beyond 64 bits."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    return isinstance(value, float) and not math.isfinite(value)


def is_otp_link(value: Any) -> bool:
    """Return whether the value is a link that contains the seed of one-time passwords."""
    return isinstance(value, str) and value.lstrip()[:18].lower().startswith(("otpauth:", "otpauth-migration:"))
