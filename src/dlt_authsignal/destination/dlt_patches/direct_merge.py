"""Merge files into DuckDB's tables directly, where dlt copies every row into a staging table first.

One file is one transaction that a killed load can repeat: it removes what it replaces, and adds its rows. Within one
load, the copy of a row that was read last wins, whatever the order of its files. Across loads, the later load wins.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationTransientException
from dlt.common.runtime.signals import was_signal_received

from dlt_authsignal.destination.dlt_patches.replaced import replace
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES

_OF_EVENTS: Final = frozenset((*EVENT_TABLES, EVENT_FILES.name))
_NEEDED: Final = frozenset({"_read_at", "_dlt_load_id"})
_ONE_AT_A_TIME: Final = Lock()
"""Two transactions that change the same row would conflict."""


def merges_directly(table: Mapping[str, Any]) -> bool:
    """Return whether a table of dlt's schema is merged without a staging table, if it is in DuckDB.

    A table that was first loaded with rows has the column `_dlt_id`, and files of another format. A user may have
    chosen another strategy, or have switched `_dlt_load_id` off.
    """
    columns = table["columns"]
    is_merged = table.get("write_disposition") == "merge" and table.get("x-merge-strategy") in (None, "delete-insert")
    is_arrow = table.get("file_format") == "parquet" and "_dlt_id" not in columns and columns.keys() >= _NEEDED
    return is_merged and is_arrow and bool(_keys(table))


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [name for name, column in table["columns"].items() if column.get("primary_key")]


def merge_directly(is_ours: Callable[[], bool]) -> None:
    """Merge this package's tables directly in its pipelines. Imports DuckDB."""
    from dlt.destinations.impl.duckdb.duck import DuckDbClient, DuckDbCopyJob

    def is_direct(client: Any, name: str) -> bool:
        return type(client) is DuckDbClient and is_ours() and merges_directly(client.schema.get_table(name))

    def staged(original: Callable[..., bool]) -> Callable[..., bool]:
        @wraps(original)
        def is_staged(self: Any, table_name: str) -> bool:
            return not is_direct(self, table_name) and original(self, table_name)

        return is_staged

    def followed(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def merges(self: Any, table_chain: Any) -> Any:
            return [] if is_direct(self, table_chain[0]["name"]) else original(self, table_chain)

        return merges

    def loaded(original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def run(self: Any) -> None:
            (_merge if is_direct(self._job_client, self.load_table_name) else original)(self)

        return run

    replace(DuckDbClient, "should_load_data_to_staging_dataset", ("self", "table_name"), staged)
    replace(DuckDbClient, "_create_merge_followup_jobs", ("self", "table_chain"), followed)
    replace(DuckDbCopyJob, "run", ("self",), loaded)


def _merge(job: Any) -> None:
    name, client = job.load_table_name, job._job_client.sql_client
    table, keys = client.make_qualified_table_name(name), _keys(job._job_client.schema.get_table(name))
    key = ", ".join(map(client.escape_column_name, keys))
    same = " AND ".join(f"new.{each} = old.{each}" for each in map(client.escape_column_name, keys))
    latest = ("_read_at", "_row_hash") if name in _OF_EVENTS else ("_read_at",)
    new, old = (f"({', '.join(f'{row}.{column}' for column in latest)})" for row in ("new", "old"))
    file = f"'{job._file_path.replace(chr(39), chr(39) * 2)}'"
    rows, numbered = f"read_parquet({file})", f"read_parquet({file}, file_row_number = true)"
    with _ONE_AT_A_TIME, _any_order(client), client.begin_transaction():
        _check_not_stopped()
        if _are_all_new(client, table, key, rows):
            client.execute_sql(f"INSERT INTO {table} BY NAME SELECT * FROM {rows}")
            return
        client.execute_sql(
            f"DELETE FROM {table} AS old WHERE EXISTS (SELECT 1 FROM {rows} AS new WHERE {same}"
            f" AND (new._dlt_load_id <> old._dlt_load_id OR {new} >= {old}))"
        )
        # rows are chosen by their number: a window would hold all their columns, beyond DuckDB's memory
        client.execute_sql(
            f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (file_row_number) FROM {numbered} WHERE file_row_number IN"
            f" (SELECT max_by(file_row_number, {new}) FROM {numbered} AS new"
            f" WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE {same}) GROUP BY {key})"
        )


def _check_not_stopped() -> None:
    """Leave the files that still wait to the next run after Ctrl-C or SIGTERM.

    dlt starts twenty at once, and would wait for all of them.
    """
    if was_signal_received():
        raise DestinationTransientException("stopped by a signal")


@contextmanager
def _any_order(client: Any) -> Iterator[None]:
    """Let DuckDB write rows in any order: it then needs less than half the time, and less memory."""
    ((before,),) = client.execute_sql("SELECT current_setting('preserve_insertion_order')")
    client.execute_sql("SET GLOBAL preserve_insertion_order = false")
    try:
        yield
    finally:
        client.execute_sql(f"SET GLOBAL preserve_insertion_order = {str(before).lower()}")


def _are_all_new(client: Any, table: str, key: str, rows: str) -> bool:
    """Return whether no row of a file is in the table or twice in the file: then nothing has to be compared."""
    ((found,),) = client.execute_sql(
        f"SELECT (SELECT count(*) FROM {rows}) = (SELECT count(*) FROM (SELECT DISTINCT {key} FROM {rows}))"
        f" AND NOT EXISTS (SELECT 1 FROM {table} SEMI JOIN {rows} USING ({key}))"
    )
    return bool(found)
