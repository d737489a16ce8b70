"""Tombstones of erased users: a salted hash and a date in the dataset keep later runs from loading the user again."""

import hmac
import secrets
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.destination.undeclared import ColumnsLost, rows_of
from dlt_authsignal.errors import ConfigurationError, UserErased
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables.bookkeeping import ERASED_USERS

SALT_BYTES: Final = 16

_COLUMNS: Final = tuple(column.name for column in ERASED_USERS.columns)


class Tombstones:
    """The erased users, known only by their hashes.

    Args:
        rows: `user_hash`, `salt` and `erased_at` of each user.
    """

    def __init__(self, rows: Iterable[tuple[Any, ...]] = ()) -> None:
        self._erased: dict[str, dict[str, datetime]] = defaultdict(dict)
        for user_hash, salt, erased_at in rows:
            self._erased[salt][user_hash] = erased_at if erased_at.tzinfo else erased_at.replace(tzinfo=UTC)

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and self.erased_at(user_id) is not None

    def __len__(self) -> int:
        return sum(map(len, self._erased.values()))

    def erased_at(self, user_id: str) -> datetime | None:
        """Return when a user was erased; None if they were not."""
        found = (hashes.get(hash_of(user_id, salt)) for salt, hashes in self._erased.items())
        return next(filter(None, found), None)

    def hashes(self, user_id: str) -> frozenset[str]:
        """Return the hashes under which a user's tombstones may be stored."""
        return frozenset(hash_of(user_id, salt) for salt in self._erased)

    @property
    def latest(self) -> datetime | None:
        """Time of the latest erasure; None if no user was erased."""
        return max((moment for hashes in self._erased.values() for moment in hashes.values()), default=None)

    @property
    def salt(self) -> str:
        """The dataset's salt, or a new one if there is none yet."""
        return next(iter(self._erased), "") or secrets.token_hex(SALT_BYTES)

    def refuse(self, user_id: str | None) -> None:
        """Raise UserErased for a user who was erased."""
        moment = self.erased_at(user_id) if user_id else None
        if moment:
            raise UserErased(moment)


def hash_of(user_id: str, salt: str) -> str:
    """Return the HMAC-SHA-256 of an id as hexadecimal digits. The salt is hexadecimal too."""
    return hmac.digest(bytes.fromhex(salt), user_id.encode("utf-8", "surrogatepass"), "sha256").hex()


def active_tombstones() -> Tombstones:
    """Return the tombstones of the dataset that the active pipeline loads into; none without an active pipeline."""
    context = Container()[PipelineContext]
    active = context.pipeline() if context.is_active() else None
    return tombstones(active) if isinstance(active, Pipeline) else Tombstones()


def tombstones(pipeline: Pipeline) -> Tombstones:
    """Return the tombstones in a pipeline's dataset.

    Queries the table even if this machine's schema does not have it: another machine may have created it.

    Raises:
        ConfigurationError: The table lacks a column, so the erased users are unknown.
    """
    try:
        return Tombstones(rows_of(pipeline, ERASED_USERS.name, _COLUMNS))
    except ColumnsLost as lost:
        raise _unusable(pipeline, lost) from None


def _unusable(pipeline: Pipeline, lost: ColumnsLost) -> ConfigurationError:
    name, columns = f"{pipeline.dataset_name}.{lost.table}", ", ".join(lost.columns)
    return ConfigurationError(
        f"Table {name} has no column {columns}, so this run cannot know which users were erased, and would load them"
        " again."
        f" Nothing was read or loaded. Restore {columns} from a backup. Without a backup, drop the table"
        f" (DROP TABLE {name}), then erase each of those users again with dlt-authsignal erase: the erasure creates the"
        " table."
    )


def bury(pipeline: Pipeline, user_id: str, known: Tombstones, stored_id: str | None = None) -> datetime:
    """Write a user's tombstone unless it exists, and return its date.

    Args:
        pipeline: Pipeline of the dataset.
        user_id: The user's id at Authsignal.
        known: The tombstones so far.
        stored_id: The id as the spool stores it, if it differs: it gets a tombstone too, since a file does not reveal
            the id itself.
    """
    ids = [user_id] if stored_id in (None, user_id) else [user_id, str(stored_id)]
    missing = [each for each in ids if each not in known]
    now, salt = known.erased_at(user_id) or datetime.now(UTC), known.salt
    if missing:
        pipeline.run(_rows([_tombstone(each, salt, now) for each in missing]))
    return now


def _tombstone(user_id: str, salt: str, erased_at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {"user_hash": hash_of(user_id, salt), "salt": salt, "erased_at": erased_at}
    return row | {"_row_hash": fingerprint(row), "_read_at": datetime.now(UTC)}


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _rows(rows: list[dict[str, Any]]) -> Any:
    return dlt.resource(rows, **hints(ERASED_USERS))
