"""The delete guard: a run that would mark too many rows as deleted stops before it loads anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import ConfigurationError, TooManyDeletes
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.config.defaults import MAX_DELETES

if TYPE_CHECKING:
    from dlt_authsignal.schema.columns import Table
    from dlt_authsignal.source.incremental.user_read import UserRead
    from dlt_authsignal.source.rows.arrow_hash import Hashes

LEAST: Final = 20
_FIELDS: Final = {"user_authenticators": "userAuthenticatorId", "user_devices": "deviceId"}
"""Field that distinguishes the rows of one user, by table."""

PARTS_COUNTED: Final = {"users": 1} | dict.fromkeys(_FIELDS, 2)
"""Number of lists of hashes that `Shown.hashes` returns, by table: of users, and of rows if a user has several."""

_FIELD_OF_TENANT: Final = "tenantId"

_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?) ?%")

_API: Final = "_api"

Held = Callable[..., Iterable[Any]]
"""(table, *columns) → Arrow tables of the rows in the destination that are not marked as deleted."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many rows of one table one run may mark as deleted.

    Attributes:
        share: Allowed share of the existing rows; `LEAST` rows are always allowed.
        rows: Allowed number of rows, instead of a share.
        is_lifted: Whether any number is allowed.
    """

    share: float = float(MAX_DELETES.removesuffix("%")) / 100
    rows: int | None = None
    is_lifted: bool = False

    def check(self, table: str, gone: int, held: int, *, everything: bool = False) -> None:
        """Raise TooManyDeletes if `gone` of `held` rows exceed the limit.

        Args:
            table: The table.
            gone: Rows that would be marked.
            held: Rows that are not marked.
            everything: Whether the rows that would be marked are all rows of the table, from more than one user.
        """
        if everything and not self.is_lifted:
            raise TooManyDeletes(table=table, gone=gone, held=held, allowed=0, is_everything=True)
        allowed = max(LEAST, int(self.share * held)) if self.rows is None else self.rows
        if gone > allowed and not self.is_lifted:
            raise TooManyDeletes(table=table, gone=gone, held=held, allowed=allowed)


def limit(max_deletes: Any, *, accepted: bool) -> Limit:
    """Parse `max_deletes`: a share such as `5%`, or a number of rows.

    Raises:
        ConfigurationError: The value is neither.
    """
    text = str(max_deletes).strip()
    if (share := _SHARE.fullmatch(text)) and float(share[1]) <= 100:
        return Limit(share=float(share[1]) / 100, is_lifted=accepted)
    if re.fullmatch(r"\d{1,12}", text):
        return Limit(rows=int(text), is_lifted=accepted)
    raise ConfigurationError(
        f'max_deletes must be a share such as "5%" (at most 100%), or a number of rows; got "{max_deletes}".'
    )


class Shown:
    """The rows that the complete reads of this run returned, as 64 bits per row.

    Args:
        stored: (table, column, values) → the stored forms of the values.
    """

    def __init__(self, stored: Callable[[str, str, list[Any]], list[Any]] = lambda _table, _column, values: values):
        self._stored = stored
        self._users: dict[str, list[Hashes]] = {name: [] for name in ("users", *_FIELDS)}
        self._rows: dict[str, list[Hashes]] = {name: [] for name in _FIELDS}

    def see(self, reads: list[UserRead]) -> None:
        """Record users that were read."""
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

    def hashes(self) -> dict[str, list[bytes]]:
        """Return what was recorded, for `add` in another process."""
        return {
            table: [
                b"".join(each.tobytes() for each in found[table])
                for found in (self._users, self._rows)
                if table in found
            ]
            for table in self._users
        }

    def add(self, hashes: Mapping[str, list[bytes]]) -> None:
        """Record what another process has recorded."""
        import numpy as np

        for table, parts in hashes.items():
            for found, data in zip((self._users, self._rows), parts, strict=False):
                found[table].append(np.frombuffer(data, np.uint64))

    def check(self, allowed: Limit, held: Held) -> None:
        """Raise TooManyDeletes if more rows are missing than allowed, or all rows of several users."""
        import numpy as np

        for table in self._read_tables():
            gone = total = others = 0
            owners: set[int] = set()
            for whose, is_gone, is_servers in self._missing(table, held):
                total += len(whose)
                gone += int(np.count_nonzero(is_gone))
                others += int(np.count_nonzero(is_servers & ~is_gone))
                owners.update(np.unique(whose[is_gone])[:2].tolist())
            allowed.check(table, gone, total, everything=len(owners) > 1 and not others)

    def users_with_deletes(self, held: Held) -> Hashes:
        """Return the hashes (`cells`) of the stored ids of users with a row that would be marked as deleted."""
        import numpy as np

        found = [
            np.unique(whose[is_gone])
            for table in self._read_tables()
            for whose, is_gone, _ in self._missing(table, held)
        ]
        return np.unique(np.concatenate(found)) if found else np.array([], np.uint64)

    def _read_tables(self) -> list[str]:
        """Return the tables that were read completely for a user."""
        return [table for table, batches in self._users.items() if any(map(len, batches))]

    def _missing(self, table: str, held: Held) -> Iterator[tuple[Hashes, Any, Any]]:
        """Yield the rows that are not marked as deleted: hashes of user ids, whether the reads did not return the row,
        and whether the Server API returned it."""
        import numpy as np

        users = np.concatenate(self._users[table])
        rows = np.concatenate(self._rows[table]) if table in self._rows else None
        for whose, which, is_servers in _alive(table, held):
            is_read = np.isin(whose, users)
            yield whose, is_read if rows is None else is_read & ~np.isin(which, rows), is_servers

    def _hashes(self, table: str, column: str, values: list[Any]) -> Hashes:
        import pyarrow as pa

        from dlt_authsignal.source.rows.arrow_hash import cells

        return cells(column, pa.array(self._stored(table, column, values), pa.string()))


def _alive(table: str, held: Held) -> Iterator[tuple[Hashes, Hashes, Any]]:
    """Yield the rows that are not marked as deleted: hashes of user ids and of keys, and whether the Server API
    returned the row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from dlt_authsignal.source.rows.arrow_hash import cells

    columns = dict.fromkeys(["user_id", TABLES[table].key[-1]])
    for batch in held(table, *columns, _API):
        parts = {name: cells(name, _whole(batch.column(name)).cast(pa.string())) for name in columns}
        api = _whole(batch.column(_API)).cast(pa.string())
        is_servers = pc.fill_null(pc.not_equal(api, "client"), True).to_numpy(zero_copy_only=False)
        yield parts["user_id"], _keys(table, parts), is_servers


def _keys(table: str, parts: Mapping[str, Hashes]) -> Hashes:
    """Return one number per row key. An authenticator that moved to another user does not count as deleted."""
    first, *others = (parts[name] for name in TABLES[table].key)
    return sum(others, first)


def _whole(column: Any) -> Any:
    return column.combine_chunks() if hasattr(column, "combine_chunks") else column


def check_whole(table: Table, shown: Iterable[Mapping[str, Any]], allowed: Limit, held: Held) -> None:
    """Check a table that is read as a whole, by its whole key.

    Args:
        table: The table.
        shown: Objects that Authsignal returned, in their stored form.
        allowed: Limit of deletes.
        held: Reads rows of the destination.
    """
    fields = {column.name: column.field for column in table.columns}
    named = [fields.get(name) or _FIELD_OF_TENANT for name in table.key]
    there = {tuple(str(row.get(field)) for field in named) for row in shown}
    gone = total = 0
    for batch in held(table.name, *table.key):
        keys = list(zip(*(batch.column(name).to_pylist() for name in table.key), strict=True))
        total += len(keys)
        gone += sum(key not in there for key in keys)
    allowed.check(table.name, gone, total, everything=gone == total > 1)
