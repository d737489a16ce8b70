"""The guard against deletions that are none: a run in which too much would vanish stops before it loads anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import ConfigurationError, TooManyDeletes
from dlt_authsignal.schema.tables import TABLES
from dlt_authsignal.source.config.source_settings import SourceSettings

if TYPE_CHECKING:
    from dlt_authsignal.source.incremental.user_read import UserRead
    from dlt_authsignal.source.rows.arrow_hash import Hashes

LEAST: Final = 20
_FIELDS: Final = {"user_authenticators": "userAuthenticatorId", "user_devices": "deviceId"}
"""Of each user's own tables, the field that tells rows of one user apart."""

_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) ?%")

Held = Callable[..., Iterable[Any]]
"""(table, *columns) → Arrow tables of the rows that the destination holds, but for those marked as deleted."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many rows of one table may vanish in one run.

    Attributes:
        share: Of those that are there; `LEAST` may in any case.
        rows: A number instead.
        is_lifted: Whether any number may.
    """

    share: float = float(SourceSettings.max_deletes.removesuffix("%")) / 100
    rows: int | None = None
    is_lifted: bool = False

    def check(self, table: str, gone: int, held: int) -> None:
        """Raises TooManyDeletes where so many of so many rows may not vanish."""
        allowed = max(LEAST, int(self.share * held)) if self.rows is None else self.rows
        if gone > allowed and not self.is_lifted:
            raise TooManyDeletes(table=table, gone=gone, held=held, allowed=allowed)


def limit(max_deletes: Any, *, accepted: bool) -> Limit:
    """`5%`, or a number of rows.

    Raises:
        ConfigurationError: It is neither.
    """
    text = str(max_deletes).strip()
    if share := _SHARE.fullmatch(text):
        return Limit(share=float(share[1]) / 100, is_lifted=accepted)
    if re.fullmatch(r"\d{1,12}", text):
        return Limit(rows=int(text), is_lifted=accepted)
    raise ConfigurationError(f'max_deletes is a share such as "5%", or a number of rows; got "{max_deletes}".')


class Shown:
    """What the complete reads of this run have shown, as 64 bits a row.

    Args:
        stored: (table, column, values) → the values as the destination holds them.
    """

    def __init__(self, stored: Callable[[str, str, list[Any]], list[Any]] = lambda _table, _column, values: values):
        self._stored = stored
        self._users: dict[str, list[Hashes]] = {name: [] for name in ("users", *_FIELDS)}
        self._rows: dict[str, list[Hashes]] = {name: [] for name in _FIELDS}

    def see(self, reads: list[UserRead]) -> None:
        """Takes in users that were read."""
        for table, field in _FIELDS.items():
            complete = [read for read in reads if table in read.parts or not read.is_known]
            self._users[table].append(self._hashes(table, "user_id", [read.candidate.user_id for read in complete]))
            rows = [
                (read.candidate.user_id, str(row.get(field)))
                for read in complete
                for row in read.children.get(table, ())
            ]
            users, keys = zip(*rows, strict=True) if rows else ((), ())
            values = {"user_id": list(users), TABLES[table].key[-1]: list(keys)}
            parts = {name: self._hashes(table, name, values[name]) for name in TABLES[table].key}
            self._rows[table].append(_keys(table, parts))
        unknown = [read.candidate.user_id for read in reads if not read.is_known]
        self._users["users"].append(self._hashes("users", "user_id", unknown))

    def check(self, allowed: Limit, held: Held) -> None:
        """Raises TooManyDeletes if more rows have vanished than may."""
        import numpy as np

        for table, batches in self._users.items():
            users = np.concatenate(batches) if batches else np.array([], np.uint64)
            if not len(users):
                continue
            rows = np.concatenate(self._rows[table]) if table in self._rows else None
            gone = total = 0
            for whose, which in _alive(table, held):
                total += len(whose)
                is_read = np.isin(whose, users)
                gone += int(np.count_nonzero(is_read if rows is None else is_read & ~np.isin(which, rows)))
            allowed.check(table, gone, total)

    def _hashes(self, table: str, column: str, values: list[Any]) -> Hashes:
        import pyarrow as pa

        from dlt_authsignal.source.rows.arrow_hash import cells

        return cells(column, pa.array(self._stored(table, column, values), pa.string()))


def _alive(table: str, held: Held) -> Iterator[tuple[Hashes, Hashes]]:
    """Hashes of the user ids, and of the keys, of the rows that are there."""
    import pyarrow as pa

    from dlt_authsignal.source.rows.arrow_hash import cells

    columns = dict.fromkeys(["user_id", TABLES[table].key[-1]])
    for batch in held(table, *columns):
        parts = {name: cells(name, _whole(batch.column(name)).cast(pa.string())) for name in columns}
        yield parts["user_id"], _keys(table, parts)


def _keys(table: str, parts: Mapping[str, Hashes]) -> Hashes:
    """One number for each row's key: an authenticator that now is another user's is not gone."""
    first, *others = (parts[name] for name in TABLES[table].key)
    return sum(others, first)


def _whole(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def check_all(table: str, shown: Iterable[Mapping[str, Any]], field: str, allowed: Limit, held: Held) -> None:
    """The same for a table that is read at once.

    Args:
        table: The table.
        shown: What Authsignal said.
        field: Field of the key.
        allowed: How much may vanish.
        held: What the destination holds.
    """
    column = TABLES[table].key[-1]
    there = {str(row.get(field)) for row in shown}
    alive = [key for batch in held(table, column) for key in batch.column(column).to_pylist()]
    allowed.check(table, sum(key not in there for key in alive), len(alive))
