"""Merge files of events into DuckDB's tables directly, where dlt copies every row into a staging table first.

One file is one transaction that a killed load can repeat: it removes what it replaces, and adds its rows. Within one
load, the copy of a row that was read last wins, whatever the order of its files. Across loads, the later load wins.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from threading import Lock
from typing import Any, Final

from dlt_authsignal.destination.dlt_patches.replaced import replace
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES

_KEYS: Final = {table.name: table.key[0] for table in (*EVENT_TABLES.values(), EVENT_FILES)}
_ONE_AT_A_TIME: Final = Lock()
"""Two transactions that change the same row would conflict."""


def merges_directly(table: Mapping[str, Any]) -> bool:
    """Return whether a table of dlt's schema is merged without a staging table, if it is in DuckDB.

    A table that was first loaded with rows has the column `_dlt_id`, and files of another format.
    """
    return table.get("name") in _KEYS and table.get("file_format") == "parquet" and "_dlt_id" not in table["columns"]


def merge_directly(is_ours: Callable[[], bool]) -> None:
    """Merge the tables of events directly in this package's pipelines. Imports DuckDB."""
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
    client = job._job_client.sql_client
    table, key = client.make_qualified_table_name(job.load_table_name), _KEYS[job.load_table_name]
    file = f"'{job._file_path.replace(chr(39), chr(39) * 2)}'"
    rows, numbered = f"read_parquet({file})", f"read_parquet({file}, file_row_number = true)"
    with _ONE_AT_A_TIME, client.begin_transaction():
        if _are_all_new(client, table, key, rows):
            client.execute_sql(f"INSERT INTO {table} BY NAME SELECT * FROM {rows}")
            return
        client.execute_sql(
            f"DELETE FROM {table} AS old WHERE EXISTS (SELECT 1 FROM {rows} AS new WHERE new.{key} = old.{key}"
            " AND (new._dlt_load_id <> old._dlt_load_id"
            " OR (new._read_at, new._row_hash) >= (old._read_at, old._row_hash)))"
        )
        # rows are chosen by their number: a window would hold all their columns, beyond DuckDB's memory
        client.execute_sql(
            f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (file_row_number) FROM {numbered} WHERE file_row_number IN"
            f" (SELECT max_by(file_row_number, (_read_at, _row_hash)) FROM {numbered} AS new"
            f" WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE old.{key} = new.{key}) GROUP BY {key})"
        )


def _are_all_new(client: Any, table: str, key: str, rows: str) -> bool:
    """Return whether no row of a file is in the table or twice in the file: then nothing has to be compared."""
    ((found,),) = client.execute_sql(
        f"SELECT count(*) = count(DISTINCT {key}) AND NOT EXISTS"
        f" (SELECT 1 FROM {table} SEMI JOIN {rows} USING ({key})) FROM {rows}"
    )
    return bool(found)
