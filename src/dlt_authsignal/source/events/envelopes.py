"""Split the envelopes of a delivery by the table that stores them."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from dlt_authsignal.api.responses import storable
from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, SYNCHRONOUS_TYPES
from dlt_authsignal.schema.tables import events as tables

_TABLES: Final[Mapping[str, str]] = {
    ACTION_LOG: tables.ACTION_LOG.name,
    CHALLENGE_LOG: tables.CHALLENGE_LOG.name,
    "authenticator.created": tables.AUTHENTICATOR_EVENTS.name,
    "authenticator.updated": tables.AUTHENTICATOR_EVENTS.name,
    "authenticator.deleted": tables.AUTHENTICATOR_EVENTS.name,
}
_UNKNOWN: Final = tables.UNKNOWN_EVENTS.name
_LOG_NAMES: Final = ("event_id", "event_time", "tenant_id")
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    tables.AUTHENTICATOR_EVENTS.name: (*_LOG_NAMES, "event_type"),
    _UNKNOWN: (*_LOG_NAMES, "event_type", "user_id", "payload"),
}
_PAYLOADS: Final = ("record", "data")
_KNOWN: Final = frozenset({"version", "id", "source", "time", "tenantId", "type", *_PAYLOADS})
_REFUSED_ESCAPES: Final = (b"\\ud", b"\\uD", b"\\u0000")


class NotAnEnvelope(ValueError):
    """The body of a delivery is neither an envelope nor a batch of them."""


@dataclass
class Split:
    """The events of one delivery for one table.

    Attributes:
        payloads: Content of each event, whose fields become columns.
        names: Columns whose values come from the envelopes.
        values: Those values of each event.
        times: When each event was received.
    """

    names: tuple[str, ...]
    payloads: list[Mapping[str, Any]] = field(default_factory=list)
    values: list[tuple[Any, ...]] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)

    def add(self, content: Mapping[str, Any], received_at: datetime, *values: Any) -> None:
        """Add one event."""
        self.payloads.append(content)
        self.times.append(received_at)
        self.values.append(values)

    @property
    def keys(self) -> dict[str, list[Any]]:
        """Return the values of the envelopes by column."""
        return {name: list(each) for name, each in zip(self.names, zip(*self.values, strict=True), strict=True)}


def envelopes_of(body: bytes) -> list[Any]:
    """Return the envelopes in the body of a delivery: one, or those under `records`. None of them is checked.

    Raises:
        NotAnEnvelope: The body is not JSON, or neither an envelope nor a batch.
    """
    found = _decoded(body)
    if not isinstance(found, dict):
        raise NotAnEnvelope("it is not a JSON object")
    records = found.get("records")
    if isinstance(records, list):
        return records
    if isinstance(found.get("type"), str) or isinstance(found.get("id"), str):
        return [found]
    raise NotAnEnvelope("it has neither records, nor the type and id of an event")


def _decoded(body: bytes) -> Any:
    """Return the JSON. Half surrogate pairs, which JavaScript sends for a text that was cut in an emoji, and NUL become
    their escapes."""
    try:
        if not _may_have_refused_escapes(body):
            return msgspec.json.decode(body)
        return storable(json.loads(body, parse_constant=_no_constant, parse_float=_finite))
    except RecursionError:
        raise NotAnEnvelope("it is nested too deeply") from None
    except ValueError:
        raise NotAnEnvelope("it is not valid JSON") from None


def _may_have_refused_escapes(body: bytes) -> bool:
    """Return whether the JSON may have an escape that no table stores. One byte is found faster than several."""
    return b"\\" in body and any(escape in body for escape in _REFUSED_ESCAPES)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise ValueError("the number is too large")
    return found


def split(envelopes: Iterable[Any], times: Iterable[datetime]) -> dict[str, Split]:
    """Return the events by table, with the time at which each was received.

    An event whose type is unknown, or that lacks an id or a payload, goes to `unknown_events` as a whole. Synchronous
    webhooks (`sms.created`, …) are left out: they contain codes.
    """
    found: dict[str, Split] = {}
    for envelope, received_at in zip(envelopes, times, strict=True):
        kind = _type_of(envelope)
        if kind in SYNCHRONOUS_TYPES:
            continue
        table = _TABLES.get(kind)
        payload = _payload(envelope) if table else None
        if table and payload is not None and _is_id(envelope.get("id")):
            _add_known(_of(found, table), envelope, payload, received_at)
        else:
            _add_unknown(_of(found, _UNKNOWN), envelope, received_at)
    return found


def _type_of(envelope: Any) -> str:
    """Return the type of an event; empty if it has none."""
    found = envelope.get("type") if isinstance(envelope, dict) else None
    return found if isinstance(found, str) else ""


def _of(found: dict[str, Split], table: str) -> Split:
    if table not in found:
        found[table] = Split(_NAMES.get(table, _LOG_NAMES))
    return found[table]


def _add_known(to: Split, envelope: Mapping[str, Any], payload: Mapping[str, Any], received_at: datetime) -> None:
    if not _KNOWN.issuperset(envelope):
        payload = {**payload, "envelope": {name: envelope[name] for name in envelope if name not in _KNOWN}}
    values = (envelope["id"], envelope.get("time"), _tenant(envelope), envelope["type"])
    to.add(payload, received_at, *values[: len(to.names)])


def _add_unknown(to: Split, envelope: Any, received_at: datetime) -> None:
    whole: Mapping[str, Any] = envelope if isinstance(envelope, dict) else {}
    event_id = whole.get("id")
    user_id, payload = _unknown_payload(whole, envelope)
    to.add(
        {},
        received_at,
        event_id if _is_id(event_id) else _made_id(envelope),
        whole.get("time"),
        _tenant(whole),
        _type_of(envelope) or None,
        user_id,
        payload,
    )


def _unknown_payload(whole: Mapping[str, Any], envelope: Any) -> tuple[str | None, Any]:
    """Return the user's id and the content: the payload, or the whole of what is not an ordinary envelope."""
    payload = _payload(whole)
    is_envelope = _is_id(whole.get("id")) and _type_of(whole) and whole.keys() <= _KNOWN
    if payload is None or not is_envelope:
        return _user_of(whole), envelope if isinstance(envelope, dict | list) else [envelope]
    user_id = payload.get("userId")
    if not _is_id(user_id):
        return None, payload
    return user_id, {name: value for name, value in payload.items() if name != "userId"}


def _user_of(whole: Mapping[str, Any]) -> str | None:
    """Return the first user id in an event of odd form, by which an erasure finds it; None if it has none."""
    parts = (whole, *(whole.get(name) for name in _PAYLOADS))
    return next((part["userId"] for part in parts if isinstance(part, dict) and _is_id(part.get("userId"))), None)


def _payload(envelope: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the payload of an envelope; None if it has none, or two."""
    record, data = envelope.get("record"), envelope.get("data")
    found = data if record is None else record
    return found if isinstance(found, dict) and (record is None or data is None) else None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _tenant(envelope: Mapping[str, Any]) -> str | None:
    found = envelope.get("tenantId")
    return found if _is_id(found) else None


def _made_id(envelope: Any) -> str:
    """Return an id that depends on the whole event, so that copies of it have the same."""
    return hashlib.sha256(msgspec.json.encode(envelope, order="sorted")).hexdigest()[:32]
