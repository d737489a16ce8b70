"""Find and delete the rows of one user, in the right order."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from dlt_authsignal.destination.stores.store import TableStore
from dlt_authsignal.pipeline.erase.stored_ids import naming
from dlt_authsignal.schema.tables import ceremonies as ceremony_tables
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.schema.tables.bookkeeping import DETECTIONS
from dlt_authsignal.schema.tables.configuration import VALUE_LIST_ITEMS
from dlt_authsignal.schema.tables.events import UNKNOWN_EVENTS

USER_ID: Final = "user_id"
_FIRST: Final = "user_reads"
"""Deleted first, so that the user counts as never read. A user recorded as read without a row would make all users
due."""

_CREDENTIAL_ID: Final = "webauthn_credential__credential_id"
_NAMED_IDS: Final = "allowed_credential_ids"
_ITEMS: Final = VALUE_LIST_ITEMS.name
_UNKNOWN: Final = UNKNOWN_EVENTS.name
_IDENTIFIERS: Final = ("email", "phone_number", "username", "display_name")
_CALLS: Final = ceremony_tables.PASSKEY_AUTHENTICATION_OPTIONS.name
"""Calls that identify a user only by the ids of their passkeys."""


def holds_people(table: str, columns: Collection[str]) -> bool:
    """Whether rows of a table may belong to one user."""
    return USER_ID in columns or table in (_CALLS, DETECTIONS.name) or table.removesuffix("_history") == _ITEMS


def erase_rows(store: TableStore, forms: Collection[str]) -> dict[str, int]:
    """Delete a user's rows.

    Args:
        store: Tables to delete from.
        forms: Values of `user_id` that identify the user.

    Returns:
        Rows deleted by table; 0 for tables that could contain the user and did not.
    """
    held = store.columns()
    removed = _erase_calls(store, held, forms) | _erase_items(store, held, forms)
    quoting = _erase_quoting(store, held, forms)
    names = sorted(
        (name for name, columns in held.items() if USER_ID in columns), key=lambda name: (name != _FIRST, name)
    )
    found = removed | {name: store.delete(name, USER_ID, forms) for name in names}
    return found | {name: found.get(name, 0) + count for name, count in quoting.items()}


def _erase_calls(store: TableStore, held: Mapping[str, Collection[str]], forms: Collection[str]) -> dict[str, int]:
    """Delete passkey calls, before the authenticators that link passkeys to the user."""
    known = tables.USER_AUTHENTICATORS.name
    if _NAMED_IDS not in held.get(_CALLS, ()):
        return {}
    if _CREDENTIAL_ID not in held.get(known, ()):
        return {_CALLS: 0}
    credential_ids = {row[0] for row in store.rows(known, [_CREDENTIAL_ID], USER_ID, forms) if row[0]}
    calls = list(naming(credential_ids, store.rows(_CALLS, ["call_id", _NAMED_IDS]))) if credential_ids else []
    return {_CALLS: store.delete(_CALLS, "call_id", calls) if calls else 0}


def _erase_items(store: TableStore, held: Mapping[str, Collection[str]], forms: Collection[str]) -> dict[str, int]:
    """Delete items of value lists that are the user's id, or an identifier in the user's row."""
    lists = [name for name in (_ITEMS, f"{_ITEMS}_history") if "item" in held.get(name, ())]
    if not lists:
        return {}
    users = tables.USERS.name
    columns = [name for name in _IDENTIFIERS if name in held.get(users, ())]
    rows = store.rows(users, columns, USER_ID, forms) if columns else ()
    values = {*forms, *(str(value) for row in rows for value in row if value)}
    return {name: store.delete(name, "item", values) for name in lists}


def _erase_quoting(store: TableStore, held: Mapping[str, Collection[str]], forms: Collection[str]) -> dict[str, int]:
    """Delete events of unknown types that contain the user's id somewhere."""
    if "payload" not in held.get(_UNKNOWN, ()):
        return {}
    quoted = [json.dumps(form, ensure_ascii=False) for form in forms]
    rows = store.rows(_UNKNOWN, ["event_id", "payload"])
    found = [event_id for event_id, payload in rows if any(each in _as_text(payload) for each in quoted)]
    return {_UNKNOWN: store.delete(_UNKNOWN, "event_id", found) if found else 0}


def _as_text(payload: Any) -> str:
    return payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)


def delete_where(store: TableStore, table: str, column: str, values: Collection[str]) -> int:
    """Delete the rows of one table with one of the values, and return their number."""
    return store.delete(table, column, values) if table in store.columns() else 0
