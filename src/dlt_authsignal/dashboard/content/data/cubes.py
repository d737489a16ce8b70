"""The figures of a dataset as small cubes in memory, from which a page is computed for any combination of filters.

A cube has what a KPI is computed from, counted by day and all dimensions together. KPIs about states of users have no
cube: their results are kept. No cube has users.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from dlt_authsignal.models.kpis.availability import needs_of
from dlt_authsignal.models.kpis.catalogue import Model, all_models
from dlt_authsignal.models.kpis.forms import COLUMNS
from dlt_authsignal.models.kpis.queries import base_queries, bounds_query, cube_query, query
from dlt_authsignal.models.opened import Stored, opened_for_many
from dlt_authsignal.models.tables import existing
from dlt_authsignal.schema.sql_text import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from dlt.pipeline.pipeline import Pipeline

CUBED: Final = frozenset({"cases", "durations"})
"""Forms of KPIs that have a cube."""

_TYPES: Final = {
    "day": "date",
    "hits": "bigint",
    "cases": "bigint",
    "seconds": "double",
    "period_start": "date",
    "numerator": "double",
    "denominator": "bigint",
    "value": "double",
    "low": "double",
    "high": "double",
    "is_complete": "boolean",
    "first_day": "date",
    "complete_from": "date",
    "last_day": "date",
    "until_day": "date",
}
"""Types in memory of the columns that are not text. Databases return sums and differences in types of their own."""


@dataclass(frozen=True, kw_only=True)
class Cubes:
    """The cubes of a dataset.

    Attributes:
        connection: DuckDB in memory; a thread uses a cursor of it.
        needs: For each KPI that is not available, what it needs.
        filled: Names of the KPIs that have at least one row.
    """

    connection: "duckdb.DuckDBPyConnection"
    needs: Mapping[str, tuple[str, ...]]
    filled: frozenset[str]


Progress = Callable[[int, int], None]
"""Is told how many steps of how many are done."""


def no_progress(_done: int, _steps: int) -> None:
    """Ignore the progress."""


def make_cubes(pipeline: "Pipeline", progress: Progress = no_progress) -> Cubes:
    """Read what the KPIs are computed from. Without data, no KPI is available."""
    import duckdb

    connection = duckdb.connect()
    stored: Stored = existing(pipeline) if pipeline.default_schema_name else {}
    needs = {model.name: found for model in all_models() if (found := needs_of(model, stored))}
    available = [model for model in all_models() if model.name not in needs]
    cubed = {model.name for model in available if model.form in CUBED}
    filled: set[str] = set()
    if available:
        with opened_for_many(pipeline) as reader:
            bases = base_queries(available, stored) if reader.keep else []  # each runs once, and not for each KPI
            queries = _queries(available, stored, has_bases=reader.keep is None)
            done, steps = count(1), len(bases) + len(queries)
            for name, text in bases:
                if reader.keep:
                    reader.keep(name, text)
                progress(next(done), steps)
            for name, text in queries.items():
                if _keep(connection, name, reader.fetch(text)):
                    filled.add(name)
                    if name in cubed:
                        _pack(connection, name)
                progress(next(done), steps)
    return Cubes(connection=connection, needs=needs, filled=frozenset(filled))


def _queries(models: Iterable[Model], stored: Stored, *, has_bases: bool) -> dict[str, str]:
    queries: dict[str, str] = {}
    for model in models:
        if model.form in CUBED:
            queries[model.name] = cube_query(model, stored, has_bases=has_bases)
        else:
            result = query(model, stored, has_bases=has_bases)
            queries[model.name] = f"select {', '.join(COLUMNS)} from ({result}) as k"
        if model.bounds and model.bounds not in queries:
            queries[model.bounds] = bounds_query(model, stored, has_bases=has_bases)
    return queries


def _keep(connection: "duckdb.DuckDBPyConnection", name: str, batches: "Iterator[pa.Table]") -> bool:
    """Store the rows as a table of this name, and return whether there are any."""
    is_there = False
    for batch in batches:
        if not batch.num_rows:
            continue
        connection.register("batch", batch.rename_columns([column.lower() for column in batch.column_names]))
        columns = ", ".join(
            f"cast({quoted(column)} as {_TYPES.get(column, 'varchar')}) as {quoted(column)}"
            for column in (each.lower() for each in batch.column_names)
        )
        into = f"insert into {quoted(name)}" if is_there else f"create table {quoted(name)} as"
        connection.execute(f"{into} select {columns} from batch")
        connection.unregister("batch")
        is_there = True
    return is_there


def _pack(connection: "duckdb.DuckDBPyConnection", name: str) -> None:
    """Sort a cube by day and give its texts types of their values, so that it is filtered and grouped sooner."""
    kinds = {column: kind for column, kind, *_ in connection.execute(f"describe {quoted(name)}").fetchall()}
    texts = [column for column, kind in kinds.items() if kind == "VARCHAR"]
    for column in texts:
        values = f"select distinct {quoted(column)} from {quoted(name)} where {quoted(column)} is not null"
        connection.execute(f"create type {type_of(name, column)} as enum ({values})")
    columns = ", ".join(
        f"cast({quoted(column)} as {type_of(name, column)}) as {quoted(column)}" if column in texts else quoted(column)
        for column in kinds
    )
    connection.execute(f"create table packed as select {columns} from {quoted(name)} order by day")
    connection.execute(f"drop table {quoted(name)}")
    connection.execute(f"alter table packed rename to {quoted(name)}")


def type_of(name: str, column: str) -> str:
    """Return the name of the type of a text in a cube."""
    return quoted(f"{name} {column}")
