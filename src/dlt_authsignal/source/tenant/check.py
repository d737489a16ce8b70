"""Check that a dataset belongs to the tenant that a run reads, before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from dlt.pipeline.pipeline import Pipeline
from yarl import URL

from dlt_authsignal.destination.undeclared import ColumnsLost, rows_of
from dlt_authsignal.errors import DOCS, OtherTenant
from dlt_authsignal.schema.row_hash import fingerprint as row_hash
from dlt_authsignal.schema.tables.bookkeeping import DATASET_TENANT, TABLE_READS, USER_READS, WHOLE_TABLE
from dlt_authsignal.schema.tables.configuration import TENANT
from dlt_authsignal.source.tenant.fingerprint import fingerprint, new_salt, region_of

_COLUMNS: Final = ("identifier", "kind", "salt")
_TENANT: Final = "tenant_id"


@dataclass(frozen=True, kw_only=True, repr=False)
class Evidence:
    """What a run knows of its tenant.

    Attributes:
        base: Base URL of the API.
        key: Server API secret key; None if none is used.
        named: Tenant id from the settings; None if it is not set.
        returned: Tenant id in the token, or that the Management API returned; None if unknown.
        accept_new_key: Whether the user confirmed that a new key belongs to the same tenant.
    """

    base: URL
    key: str | None = None
    named: str | None = None
    returned: str | None = None
    accept_new_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What identifies the tenant of a dataset.

    Attributes:
        keys: Fingerprints of the keys that loaded it.
        returned: Tenant ids that Authsignal returned.
        named: Tenant ids in its rows, from settings or tokens.
        salt: Salt of the fingerprints.
    """

    keys: frozenset[str] = frozenset()
    returned: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    salt: str


def identity_of(pipeline: Pipeline) -> Identity:
    """Read what identifies the tenant of a dataset, even if another machine or another pipeline loaded it."""
    found = _rows(pipeline, DATASET_TENANT.name, *_COLUMNS)
    salts = sorted(salt for _, kind, salt in found if kind == "key" and salt)
    rows = (name for table in (USER_READS, TABLE_READS) for (name,) in _rows(pipeline, table.name, _TENANT))
    return Identity(
        keys=frozenset(name for name, kind, salt in found if kind == "key" and salt == salts[0]),
        returned=frozenset(name for name, kind, _ in found if kind == "tenant_id") | _configured(pipeline),
        named=frozenset(name for name in rows if name),
        salt=salts[0] if salts else _SALTS.setdefault(pipeline, new_salt()),
    )


_SALTS: Final[WeakKeyDictionary[Pipeline, str]] = WeakKeyDictionary()
"""Salts of datasets that have none yet: a run asks several times, and a fingerprint takes 50 ms for each new salt."""


def _configured(pipeline: Pipeline) -> frozenset[str]:
    """Return the tenant that the Management API returned."""
    found = (name for (name,) in _rows(pipeline, TENANT.name, _TENANT))
    return frozenset(name for name in found if name and name != WHOLE_TABLE)


def _rows(pipeline: Pipeline, table: str, *columns: str) -> list[tuple[Any, ...]]:
    try:
        return rows_of(pipeline, table, columns)
    except ColumnsLost:  # the next sync makes the column or the table again
        return []


def is_known_key(pipeline: Pipeline, now: Evidence) -> bool | None:
    """Return whether a key loaded the dataset before; None without a key, or if no key is recorded."""
    held = identity_of(pipeline)
    if now.key is None or not held.keys:
        return None
    return fingerprint(now.key, region_of(now.base), held.salt) in held.keys


def check_tenant(pipeline: Pipeline, now: Evidence) -> list[dict[str, Any]]:
    """Check that a run reads the tenant of the dataset, and return the rows of `dataset_tenant` that are new.

    Args:
        pipeline: Pipeline of the dataset.
        now: What the run knows of its tenant.

    Raises:
        OtherTenant: The dataset holds another tenant, or was loaded with other keys only.
    """
    held = identity_of(pipeline)
    dataset = pipeline.dataset_name
    _compare(dataset, now.returned, held.returned)
    _compare(dataset, now.returned or now.named, held.named)
    rows = []
    if now.key is not None:
        mark = fingerprint(now.key, region_of(now.base), held.salt)
        is_same = now.returned is not None and now.returned in held.returned
        if held.keys and mark not in held.keys and not (now.accept_new_key or is_same):
            raise OtherTenant(
                f'Dataset "{dataset}" was loaded with another api_secret_key or from another region. Two tenants in'
                f" one dataset would overwrite each other's rows and mark each other's users as deleted. {NOTHING} If"
                " this key belongs to another tenant, use a separate --dataset and --pipeline-name. If the key of the"
                f" same tenant was replaced, confirm it once: {CONFIRM}"
            )
        rows += [_row(now, mark, "key", held.salt)] if mark not in held.keys else []
    if now.returned is not None and now.returned not in held.returned:
        rows.append(_row(now, now.returned, "tenant_id", None))
    return rows


def check_returned(pipeline: Pipeline, tenant_ids: Iterable[str]) -> None:
    """Check the tenant ids in a response.

    Raises:
        OtherTenant: Tokens of another tenant loaded the dataset.
    """
    for tenant_id in set(tenant_ids):
        _compare(pipeline.dataset_name, tenant_id, identity_of(pipeline).returned)


def _compare(dataset: str, ours: str | None, held: frozenset[str]) -> None:
    others = sorted(held - {ours})
    if ours is not None and others:
        raise OtherTenant(
            f'Dataset "{dataset}" contains tenant {others[0]}, but this run reads tenant {ours}. Each would mark the'
            f" other's users as deleted. {NOTHING} Use a separate --dataset and --pipeline-name for each tenant."
        )


NOTHING: Final = "Nothing was changed."
CONFIRM: Final = (
    "run the command with --accept-new-key, or set accept_new_key = true (environment variable"
    f" SOURCES__AUTHSIGNAL_SOURCE__ACCEPT_NEW_KEY). See {DOCS}/credentials.md"
)


def _row(now: Evidence, identifier: str, kind: Literal["key", "tenant_id"], salt: str | None) -> dict[str, Any]:
    read_at = datetime.now(UTC)
    row: dict[str, Any] = {"identifier": identifier, "kind": kind, "salt": salt, "first_used_at": read_at}
    api = "server" if now.key else "client"
    return row | {
        "tenant_id": now.returned or now.named,
        "_api": api,
        "_read_at": read_at,
        "_row_hash": row_hash(row),
    }
