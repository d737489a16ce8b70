"""SQL that updates deletes and history of a table.

Each step is described once and written as UPDATE … FROM, as MERGE, or, for tables made of files, as a SELECT of the
rows to write. Running a step twice has the same result as running it once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dlt_authsignal.pipeline.history.rules import Reading
from dlt_authsignal.schema.columns import DELETED_AT, Table
from dlt_authsignal.schema.tables.bookkeeping import TABLE_READS
from dlt_authsignal.schema.tables.histories import VALID_FROM, VALID_TO


@dataclass(frozen=True)
class Names:
    """How the destination quotes names.

    Attributes:
        column: Quotes the name of a column.
        table: Qualifies and quotes the name of a table.
        loads: Name of dlt's table of loads.
    """

    column: Callable[[str], str]
    table: Callable[[str], str]
    loads: str


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Set one column of the rows of `target` (alias `t`) that have a match in `source` (alias `s`)."""

    target: str
    column: str
    value: str
    source: str
    where: str


@dataclass(frozen=True, kw_only=True)
class Adding:
    """Insert the rows of `query` into `target`."""

    target: str
    columns: tuple[str, ...]
    query: str


Step = Setting | Adding


def marking(table: Table, reading: Reading, names: Names) -> Setting:
    """Set `deleted_at` on rows that a later complete read did not return."""
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
    """Return the condition that a row was read before the complete read.

    If Authsignal does not know the user, all of their rows are earlier, whatever the clocks: each read of a user is
    recorded in the same load. Reads with the Client API are not recorded there.
    """
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
    of_all = f" AND {n('user_id')} = '*'" if reading.table == TABLE_READS.name and not reading.on else ""
    if not reading.on:  # one row per tenant id: a dataset holds one tenant, even if its rows have different ids
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
    """End the current version of rows that were deleted or changed."""
    n = names.column
    compared = [*map(n, table.key), n("_row_hash"), n(DELETED_AT.name)]
    began = f"t.{n(VALID_FROM.name)}"
    return Setting(
        target=names.table(history.name),
        column=n(VALID_TO.name),
        value=f"CASE WHEN s.ended > {began} THEN s.ended ELSE {began} END",
        source=(
            f"SELECT {', '.join(compared)}, COALESCE({n(DELETED_AT.name)}, {n('_read_at')}) AS ended"
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
    """Start a version of each row that is not deleted and has no current version; never before an earlier one ended.

    Args:
        table: The table.
        history: Its history table.
        columns: Columns that both tables have.
        names: How the destination quotes names.
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
    """Return a step as SQL for DuckDB, PostgreSQL and Redshift."""
    if isinstance(step, Adding):
        return _insert(step)
    return f"UPDATE {step.target} AS t SET {step.column} = {step.value} FROM ({step.source}) AS s WHERE {step.where}"


def as_merge(step: Step) -> str:
    """Return a step as SQL for Snowflake, BigQuery and Databricks."""
    if isinstance(step, Adding):
        return _insert(step)
    return (
        f"MERGE INTO {step.target} AS t USING ({step.source}) AS s ON {step.where}"
        f" WHEN MATCHED THEN UPDATE SET {step.column} = {step.value}"
    )


def as_select(step: Step) -> str:
    """Return the query of the rows to write, for DuckDB over tables made of files."""
    if isinstance(step, Adding):
        return f'SELECT *, NULL::TIMESTAMPTZ AS "{VALID_TO.name}" FROM ({step.query})'
    replaced = f"t.* REPLACE ({step.value} AS {step.column})"
    return f"SELECT {replaced} FROM {step.target} AS t, ({step.source}) AS s WHERE {step.where}"


def _insert(step: Adding) -> str:
    return f"INSERT INTO {step.target} ({', '.join(step.columns)}) {step.query}"
