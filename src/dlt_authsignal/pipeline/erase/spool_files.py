"""Erase a user from the files of the spool."""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dlt_authsignal.errors import AuthsignalError, ConfigurationError
from dlt_authsignal.source.config.event_settings import EventSettings
from dlt_authsignal.source.events.envelopes import NotAnEnvelope, envelopes_of
from dlt_authsignal.source.events.spool_tables import Unreadable, from_parquet
from dlt_authsignal.spool import Spool, open_spool
from dlt_authsignal.spool.encryption import Sealer
from dlt_authsignal.spool.parquet import as_parquet


def erase_from_spool(
    settings: EventSettings, tenant: str, user_id: str, forms: Collection[str]
) -> tuple[int, list[str]]:
    """Remove a user's events from the files of one tenant.

    Args:
        settings: Settings of events.
        tenant: Name of the tenant in the settings.
        user_id: The user's id at Authsignal.
        forms: Values of `user_id` that identify the user.

    Returns:
        The number of files that were rewritten or deleted, and the places that could not be searched.
    """
    try:
        spool = open_spool(settings.spool)
        changed, unread = _erase_rows(spool, tenant, forms)
        more, sealed = _erase_deliveries(spool, tenant, user_id, settings.encryption_keys)
    except AuthsignalError as error:  # the tables are erased, whether or not the spool can be reached
        return 0, [f"the spool {settings.spool} ({error})"]
    return changed + more, [*unread, *sealed]


def _erase_rows(spool: Spool, tenant: str, forms: Collection[str]) -> tuple[int, list[str]]:
    changed, unread = 0, []
    for file in spool.files(tenant):
        try:
            rows = from_parquet(spool.read(file.name), file.table)
        except Unreadable as error:
            unread.append(f"{file.name} in {spool.url} ({error})")
            continue
        kept = rows.filter(pc.invert(is_of_user(rows, forms)))
        if kept.num_rows == rows.num_rows:
            continue
        changed += 1
        if kept.num_rows:
            spool.replace(file.name, as_parquet(kept))
        else:
            spool.delete(file.name)
    return changed, unread


def is_of_user(rows: Any, forms: Collection[str]) -> Any:
    """Return for each row whether it belongs to a user, or is an unknown event that contains their id."""
    found = pa.repeat(False, rows.num_rows)
    if "user_id" in rows.column_names:
        found = pc.fill_null(pc.is_in(rows["user_id"], pa.array(sorted(forms), pa.string())), False)
    if "payload" in rows.column_names and "event_type" in rows.column_names:
        for form in forms:
            quoted = msgspec.json.encode(form).decode()
            found = pc.or_(found, pc.fill_null(pc.match_substring(rows["payload"], quoted), False))
    return found


def _erase_deliveries(spool: Spool, tenant: str, user_id: str, keys: Collection[str]) -> tuple[int, list[str]]:
    """Remove a user's events from the deliveries that are kept as they came, encrypted."""
    names = [file.name for file in spool.raw_files(tenant)]
    if not names:
        return 0, []
    if not keys:
        return 0, [
            f"{len(names):,} encrypted deliveries below raw/ in {spool.url}, because spool_encryption is not set"
        ]
    sealer, changed, unread = Sealer(list(keys)), 0, []
    for name in names:
        try:
            head, body = sealer.opened(spool.read(name))
            rest = without_user(body, user_id)
        except (ConfigurationError, NotAnEnvelope) as error:
            unread.append(f"{name} in {spool.url} ({error})")
            continue
        if rest is None:
            continue
        changed += 1
        if rest:
            spool.replace(name, sealer.sealed_again(rest, head))
        else:
            spool.delete(name)
    return changed, unread


def without_user(body: bytes, user_id: str) -> bytes | None:
    """Return the body of a delivery without a user's events; empty if none is left, None if it has none of them.

    Its signature no longer fits.
    """
    envelopes = envelopes_of(body)
    kept = [each for each in envelopes if user_id not in _texts(each)]
    if len(kept) == len(envelopes):
        return None
    return msgspec.json.encode({"records": kept}) if kept else b""


def _texts(value: Any) -> Iterator[str]:
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            left += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            left += each
