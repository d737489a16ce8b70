"""The steps that settle a table, as SQL. They come from one description in three forms: UPDATE … FROM, MERGE, and for
tables made of files the SELECT of what is to be written.

Each can be repeated: done twice, it changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dlt_authsignal.pipeline.history.rules import Reading
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.history_tables import VALID_FROM, VALID_TO
from dlt_authsignal.schema.tables import DELETED_AT


@dataclass(frozen=True)
class Names:
    """How the destination writes names.

    Attributes:
        column: Of a column.
        table: Of a table, qualified.
        loads: dlt's table of loads.
    """

    column: Callable[[str], str]
    table: Callable[[str], str]
    loads: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sets one column of the rows of `target` (called `t`) that have a match in `source` (called `s`)."""

    target: str
    column: str
    value: str
    source: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Adding:
    """Adds the rows of `query` to `target`."""

    target: str
    columns: tuple[str, ...]
    query: str


Step = Setting | Adding


def marking(table: Table, reading: Reading, names: Names) -> Setting:
    """Sets `deleted_at` where a later complete read did not show the row."""
    n = names.column
    matches = [_same(n(name)) for name in reading.on]
    return Setting(
        target=names.table(table.name),
        column=n(DELETED_AT.name),
        value="s.gone_at",
        source=_reads(reading, names),
        where=" AND ".join(
            [
                *matches,
                _is_earlier(reading, names),
                f"t.{n(DELETED_AT.name)} IS NULL",
            ]
        ),
    )


def _is_earlier(reading: Reading, names: Names) -> str:
    """Whether a row was read before. Of a user who is unknown no row can be later, whatever clocks said: each read of
    one is noted in the same load. The Client API notes nothing there."""
    n = names.column
    earlier = f"t.{n('_read_at')} < s.gone_at"
    if not reading.whole:
        return earlier
    loaded = f"t.{n('_api')} = 'server' AND t.{n('_dlt_load_id')} IN ({_completed(names)})"
    return f"({earlier} OR (s.is_unknown = 1 AND {loaded}))"


def _reads(reading: Reading, names: Names) -> str:
    n = names.column
    when = n(reading.part) if reading.part else "NULL"
    unknown = ""
    if reading.whole:
        unknown = f", CASE WHEN {n('is_known')} THEN 0 ELSE 1 END AS is_unknown"
        when = f"CASE WHEN {n('is_known')} THEN {when} ELSE {n(reading.whole)} END"
    only = f" AND {n('table_name')} = '{reading.of}'" if reading.of else ""
    of_all = f" AND {n('user_id')} = '*'" if reading.of and "user_id" not in reading.on else ""
    if not reading.on:  # one row for each tenant that was named: a dataset holds one, whatever its rows say of it
        when = f"MAX({when})"
    return (
        f"SELECT {', '.join([*map(n, reading.on), f'{when} AS gone_at'])}{unknown} FROM {names.table(reading.table)}"
        f" WHERE {n('_dlt_load_id')} IN ({_completed(names)}){only}{of_all}"
    )


def _completed(names: Names) -> str:
    return f"SELECT {names.column('load_id')} FROM {names.table(names.loads)} WHERE {names.column('status')} = 0"


def _same(column: str) -> str:
    return f"t.{column} = s.{column}"


def closing(table: Table, history: Table, names: Names) -> Setting:
    """Ends the version that was valid, where the row is gone or says something else."""
    n = names.column
    said = [*map(n, table.key), n("_row_hash"), n(DELETED_AT.name)]
    began = f"t.{n(VALID_FROM.name)}"
    return Setting(
        target=names.table(history.name),
        column=n(VALID_TO.name),
        value=f"CASE WHEN s.ended > {began} THEN s.ended ELSE {began} END",
        source=(
            f"SELECT {', '.join(said)}, COALESCE({n(DELETED_AT.name)}, {n('_read_at')}) AS ended"
            f" FROM {names.table(table.name)}"
        ),
        where=" AND ".join(
            [
                *(_same(n(name)) for name in table.key),
                f"t.{n(VALID_TO.name)} IS NULL",
                f"(s.{n(DELETED_AT.name)} IS NOT NULL OR s.{n('_row_hash')} <> t.{n('_row_hash')})",
                "s.ended IS NOT NULL",
            ]
        ),
    )


def opening(table: Table, history: Table, columns: Sequence[str], names: Names) -> Adding:
    """Begins a version of each row that is there and has none that is valid; never before an earlier one ended.

    Args:
        table: Table of the present.
        history: Table of its versions.
        columns: Columns that both have.
        names: How the destination writes names.
    """
    n = names.column
    key = ", ".join(map(n, table.key))
    ends = f"MAX({n(VALID_TO.name)}) AS ended, COUNT(*) - COUNT({n(VALID_TO.name)}) AS valid"
    began = f"CASE WHEN s.ended > t.{n('_read_at')} THEN s.ended ELSE t.{n('_read_at')} END"
    return Adding(
        target=names.table(history.name),
        columns=(*map(n, columns), n(VALID_FROM.name)),
        query=(
            f"SELECT {', '.join(f't.{n(name)}' for name in columns)}, {began} AS {n(VALID_FROM.name)}"
            f" FROM {names.table(table.name)} AS t"
            f" LEFT JOIN (SELECT {key}, {ends} FROM {names.table(history.name)} GROUP BY {key}) AS s"
            f" ON {_all(_same(n(name)) for name in table.key)}"
            f" WHERE t.{n(DELETED_AT.name)} IS NULL AND COALESCE(s.valid, 0) = 0"
        ),
    )


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)


def as_update(step: Step) -> str:
    """For DuckDB, PostgreSQL and Redshift."""
    if isinstance(step, Adding):
        return _insert(step)
    return f"UPDATE {step.target} AS t SET {step.column} = {step.value} FROM ({step.source}) AS s WHERE {step.where}"


def as_merge(step: Step) -> str:
    """For Snowflake, BigQuery and Databricks."""
    if isinstance(step, Adding):
        return _insert(step)
    return (
        f"MERGE INTO {step.target} AS t USING ({step.source}) AS s ON {step.where}"
        f" WHEN MATCHED THEN UPDATE SET {step.column} = {step.value}"
    )


def as_select(step: Step) -> str:
    """The rows to be written, for DuckDB over tables made of files."""
    if isinstance(step, Adding):
        return f'SELECT *, NULL::TIMESTAMPTZ AS "{VALID_TO.name}" FROM ({step.query})'
    replaced = f"t.* REPLACE ({step.value} AS {step.column})"
    return f"SELECT {replaced} FROM {step.target} AS t, ({step.source}) AS s WHERE {step.where}"


def _insert(step: Adding) -> str:
    return f"INSERT INTO {step.target} ({', '.join(step.columns)}) {step.query}"
