"""Build Arrow tables from API responses, column by column instead of row by row."""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from itertools import chain
from operator import itemgetter
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pandas.util import hash_array

from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.row_hash import unhashed
from dlt_authsignal.schema.tables.server import PROVENANCE
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.guard import Guard
from dlt_authsignal.source.privacy.places import Places
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.arrow_hash import Hashes, as_text, cells, first_places, total
from dlt_authsignal.source.rows.column_names import Names
from dlt_authsignal.source.rows.column_types import ARROW, TIME, Columns, as_array
from dlt_authsignal.source.rows.field_tree import MORE, Field, FieldTree, is_variant
from dlt_authsignal.source.rows.flatten import (
    Answers,
    differs,
    flat,
    is_by_person,
    is_no_id,
    is_otp_link,
    kept,
    kept_of_each,
    updated,
    without_key,
)

Fields = dict[str, list[Any]]
"""Values by column, one value per response object."""

_NOTHING: Final[Mapping[str, Any]] = {}


class Agreed(Protocol):
    """What the processes that shape rows of one table decide together."""

    @property
    def places(self) -> Places:
        """Return the places in undeclared columns whose text is hashed."""

    def column(self, name: str) -> str | None:
        """Return the destination's name of an undeclared column; None if it has none."""

    def kind(self, name: str, kind: str) -> str:
        """Return the type of an added column, given the type that it would get."""


class Shaper:
    """Builds Arrow tables from the responses for one table. Keeps track of existing and added columns.

    Args:
        table: The table.
        api: API that the responses come from.
        tenant_id: Tenant id for rows whose response does not contain one.
        privacy: Rules that protect identifiers.
        stored: Types of the columns in the destination.
        naming: Returns the destination's name for an undeclared column.
        each_once: Whether to skip rows whose key came before; an upsert would insert all of them.
        drift: Collects the schema drift.
        hashed: Undeclared columns that earlier runs hashed; new ones are added.
        agreed: What other processes decide about undeclared columns, if they shape rows of the same table.

    Attributes:
        places: The places in undeclared columns whose text is hashed.
        columns: The types of the columns.
        column: Returns the destination's name of a column; None if it has none.
    """

    def __init__(
        self,
        table: Table,
        *,
        api: str,
        tenant_id: str | None,
        privacy: Privacy,
        stored: Mapping[str, str] = _NOTHING,
        naming: Callable[[str], str] = str,
        each_once: bool = False,
        drift: TableDrift | None = None,
        hashed: list[str] | None = None,
        agreed: Agreed | None = None,
    ) -> None:
        self._table = table
        self._names = Names(())
        self._api = api
        self._tenant_id = tenant_id
        self._unhashed = unhashed(table, api)
        self._fields = FieldTree(table)
        self._declared = {column.name: column.type for column in (*table.columns, *PROVENANCE)}
        self._drift = TableDrift() if drift is None else drift
        self.places = agreed.places if agreed else Places(hashed)
        self._guard = Guard(privacy, table, self._fields.plain, drift=self._drift, stored=stored, hashed=self.places)
        types = {**stored, **self._declared}
        if agreed:
            self.columns = Columns(types, self._drift, self._guard.protect_mismatch, agreed.kind)
            self.column: Callable[[str], str | None] = lru_cache(maxsize=4096)(partial(self._agreed_column, agreed))
        else:
            self.columns = Columns(types, self._drift, self._guard.protect_mismatch)
            self._names = Names(self._declared, stored, naming)
            self.column = self._names.column
        self._json = {name: kind for name, kind in stored.items() if kind == "json" and name not in self._declared}
        self._seen: set[int] | None = set() if each_once else None

    def __call__(self, answers: Answers) -> Any:
        """Return one Arrow table. If several rows of one response have the same key, it contains the latest one.

        Raises:
            UnexpectedAnswer: Part of the table's key is missing in a response.
        """
        rows = len(answers.items)
        if not rows:
            return self.nothing()
        arrays = self._placed(self._guard.columns(self._said(answers)))
        requests = pa.array(answers.requests, pa.int32())
        for name, array in self._placed(self._guard.columns(answers.keys)).items():
            arrays[name] = array.take(requests)
        self._check_key(arrays)
        parts = {name: cells(name, array) for name, array in arrays.items() if name not in self._unhashed}
        arrays["_row_hash"] = as_text(total(parts.values(), rows))
        arrays["_read_at"] = pa.array(answers.read_at, TIME).take(requests)
        arrays["_api"] = pa.repeat(self._api, rows)
        arrays["tenant_id"] = _or_ours(arrays.get("tenant_id"), self._tenant_id, rows)
        if DELETED_AT.name in self._declared:
            arrays[DELETED_AT.name] = pa.nulls(rows, TIME)  # an upsert does not change missing columns
        batch = self._as_table(arrays)
        keys = total((parts[name] if name in parts else cells(name, arrays[name]) for name in self._table.key), rows)
        places = _latest(batch, self._table.key, keys, requests)
        if self._seen is not None:
            places = first_places(keys, range(rows) if places is None else places, self._seen)
        return batch if places is None else batch.take(pa.array(places, pa.int64()))

    def _agreed_column(self, agreed: Agreed, name: str) -> str | None:
        return name if name in self._declared else agreed.column(name)

    def _said(self, answers: Answers) -> Fields:
        """Return the values of the responses by column, without those that the request's keys repeat."""
        self._fields.forget()
        said = fields(answers.items, self._fields.top, self._drift)
        for name in answers.keys.keys() & said.keys():
            asked = answers.keys[name]
            each = zip(said.pop(name), answers.requests, strict=True)
            self._move(said, name, [value if differs(value, asked[request]) else None for value, request in each])
        tenants = said.get("tenant_id", ())
        if any(map(is_no_id, tenants)):
            said["tenant_id"] = [None if is_no_id(value) else value for value in tenants]
            self._move(said, "tenant_id", [value if is_no_id(value) else None for value in tenants])
        return said

    def _move(self, said: Fields, name: str, values: list[Any]) -> None:
        """Put values that may not go into the column of their field into another one."""
        if times := sum(value is not None for value in values):
            column = self._fields.beside(name)
            said[column] = values
            self._drift.put_aside(name, column, times)

    def plain(self, rows: Iterable[Mapping[str, Any]]) -> Any:
        """Return an Arrow table of rows that this package made, unchanged."""
        listed = list(rows)
        values = {name: [row.get(name) for row in listed] for name in dict.fromkeys(chain.from_iterable(listed))}
        return self._as_table(self._placed(values)) if listed else self.nothing()

    def nothing(self) -> Any:
        """Return an Arrow table with all declared columns and no rows."""
        return self._as_table({name: pa.array([], ARROW[kind]) for name, kind in self._declared.items()})

    def new_types(self) -> dict[str, str]:
        """Return the types of undeclared JSON columns, each once per run. Otherwise dlt would treat JSON as text."""
        told, self._json = self._json, {}
        return told | {name: kind for name, kind in self.columns.untold().items() if kind == "json"}

    def undeclared(self) -> dict[str, tuple[str, str]]:
        """Return the field and the type of each undeclared column that was filled, by its name in the destination."""
        fields = self._names.fields()
        return {
            name: (fields.get(name, name), kind)
            for name, kind in self.columns.types.items()
            if name not in self._declared and (name in fields or is_variant(name))
        }

    def placed_again(self, rows: Any, values: Fields, fields: Mapping[str, str]) -> Any:
        """Return rows that another process shaped, with some columns under the names and types of this process.

        Args:
            rows: The Arrow table.
            values: Values of these columns.
            fields: Fields of these columns; without an entry, the field is the name of the column.
        """
        arrays = {name: rows[name].combine_chunks() for name in rows.column_names if name not in values}
        beside = {name: each for name, each in values.items() if name == MORE or is_variant(name)}
        found = [self._placed({fields.get(name, name): each for name, each in values.items() if name not in beside})]
        found += [dict(self.columns.place(name, each)) for name, each in beside.items()]
        for name, array in chain.from_iterable(placed.items() for placed in found):
            if name not in arrays:
                arrays[name] = array
            elif name == MORE:
                arrays[name] = _merged(arrays[name], array)
            else:  # a row has the value of a field in one of its columns only
                arrays[name] = pc.coalesce(arrays[name], array)
        parts = [cells(name, array) for name, array in arrays.items() if name not in self._unhashed]
        arrays["_row_hash"] = as_text(total(parts, rows.num_rows))
        return self._as_table(arrays)

    def _placed(self, values: Mapping[str, list[Any]]) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        homeless: Fields = {}
        for name, each in values.items():
            if all(value is None for value in each):
                continue
            column = self.column(name)
            if column is None:
                homeless[name] = each
            else:
                arrays.update(self.columns.place(column, each))
        if homeless:
            arrays.update(self.columns.place(MORE, self._together(homeless)))
        return arrays

    def _together(self, values: Fields) -> list[dict[str, Any] | None]:
        """Return for each response an object with the fields that have no column."""
        for name, each in values.items():
            self._drift.into_json(name, sum(value is not None for value in each))
        return [
            {
                name: kept(value, self._drift, own=True)
                for name, value in zip(values, row, strict=True)
                if value is not None
            }
            or None
            for row in zip(*values.values(), strict=True)
        ]

    def _check_key(self, arrays: Mapping[str, Any]) -> None:
        missing = [name for name in self._table.key if name not in arrays or _has_gaps(arrays[name])]
        if missing:
            raise without_key(self._table, missing)

    def _as_table(self, arrays: Mapping[str, Any]) -> Any:
        schema = [pa.field(name, array.type, nullable=name not in self._table.key) for name, array in arrays.items()]
        return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(schema))


def _merged(*objects: Any) -> Any:
    """Return one JSON object per row from those of several columns."""
    each = zip(*(column.to_pylist() for column in objects), strict=True)
    merged = [
        {name: value for text in row if text for name, value in msgspec.json.decode(text).items()} for row in each
    ]
    return as_array("json", [row or None for row in merged])


def _has_gaps(texts: Any) -> bool:
    return bool(texts.null_count or pc.any(pc.equal(texts, "")).as_py())


def _or_ours(tenant_ids: Any, ours: str | None, rows: int) -> Any:
    if tenant_ids is None:
        return pa.repeat(pa.scalar(ours, pa.string()), rows)
    return pc.coalesce(tenant_ids, pa.scalar(ours, pa.string()))


def _latest(batch: Any, key: tuple[str, ...], keys: Hashes, requests: Any) -> list[int] | None:
    """Return the positions of the latest row per key in each response; None if no key occurs twice."""
    if len(np.unique(keys + hash_array(requests.to_numpy()))) == batch.num_rows:
        return None
    last: dict[tuple[Any, ...], tuple[str, int]] = {}
    times = batch["updated_at"].to_pylist() if "updated_at" in batch.column_names else [None] * batch.num_rows
    rows = zip(requests.to_pylist(), *(batch[name].to_pylist() for name in key), strict=True)
    for place, (time, row) in enumerate(zip(times, rows, strict=True)):
        if row not in last or updated(time) >= last[row][0]:
            last[row] = (updated(time), place)
    return [place for _, place in last.values()]


def fields(answers: list[Mapping[str, Any]], known: Field, drift: TableDrift) -> Fields:
    """Return the values by column. Nested objects are flattened; secrets are removed and counted.

    Args:
        answers: Decoded objects.
        known: The table's fields.
        drift: Counts secrets.
    """
    found: Fields = {}
    counted = TableDrift()
    try:
        _gather(answers, known, found, counted)
    except _OneByOne:
        return by_row(answers, known, drift)
    drift.withhold(counted.withheld)
    return found


def by_row(answers: list[Mapping[str, Any]], known: Field, drift: TableDrift) -> Fields:
    """Return the same as `fields`, by processing each response separately."""
    rows = [flat(answer, known, drift) for answer in answers]
    return {name: [row.get(name) for row in rows] for name in dict.fromkeys(chain.from_iterable(rows))}


class _OneByOne(Exception):
    """Signals that each response must be processed separately. The reason is an object whose keys are identifiers, or
    two fields with equal marks."""


def _gather(objects: list[Mapping[str, Any]], known: Field, found: Fields, drift: TableDrift) -> None:
    for name in dict.fromkeys(chain.from_iterable(objects)):
        field = known[name]
        values = _values(objects, name)
        if field.is_withheld:
            drift.withhold(len(values) - values.count(None))
            continue
        classes = set(map(type, values))
        if dict in classes and not field.is_whole:
            if any(type(each) is dict and is_by_person(each) for each in values):
                raise _OneByOne
            _gather([each if type(each) is dict else _NOTHING for each in values], field, found, drift)
            keeps_empty = not field.is_parent
            values = [None if type(each) is dict and (each or not keeps_empty) else each for each in values]
        if field.column in found:
            raise _OneByOne
        found[field.column] = _cleaned(values, classes, drift, own=field.is_custom)


def _values(objects: list[Mapping[str, Any]], name: str) -> list[Any]:
    """Return one field of each object. Most fields are in all of them, which takes half the time."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return [each.get(name) for each in objects]


def _cleaned(values: list[Any], classes: set[type], drift: TableDrift, *, own: bool) -> list[Any]:
    if str in classes and _may_hold_otp_link(values, classes):
        links = [is_otp_link(each) for each in values]
        drift.withhold(sum(links))
        values = [None if is_link else each for each, is_link in zip(values, links, strict=True)]
    if list in classes or dict in classes:
        values = kept_of_each(values, drift, own=own)
    return values


def _may_hold_otp_link(values: list[Any], classes: set[type]) -> bool:
    texts = values if classes == {str} else [each for each in values if isinstance(each, str)]
    return "otpauth" in "\n".join(texts).lower()
