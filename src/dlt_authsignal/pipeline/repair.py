"""Recreate missing tables and columns, and make their users due.

dlt creates tables once, when its schema changes, and fails in every later run if they are missing.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import job_client
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.tables.bookkeeping import OWN_TABLES, USER_READS
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.source.incremental.state.last_read import KEPT

_PLAIN: Final = re.compile(r"[a-z0-9_]{1,63}")
"""Names that every database returns unchanged. Other names could always look missing."""

_KEPT_STATE: Final = "_last_extracted_hash"
"""dlt's note that it has stored its state; without it, the next load stores the state again."""

_CATALOGUED: Final = frozenset({"duckdb", "postgres"})
"""Destinations whose catalogue says which columns need a value."""


def recreate(pipeline: Pipeline) -> list[str]:
    """Recreate tables and columns that were loaded once and are missing; return the names of the tables.

    dlt's own tables are included. Tables made of files are created with their first row, and are not changed.

    Raises:
        ConfigurationError: A table became a view, lost its key, or got a column that needs a value. The message says
            what to do.
    """
    if not pipeline.default_schema_name or is_made_of_files(pipeline):
        return []
    if pipeline.first_run and pipeline.has_pending_data:
        return []  # the first load was interrupted: dlt makes its tables when it continues it
    with job_client(pipeline) as client:
        _check_writable(pipeline, client)
        lost = _recreate_dlts(pipeline, client)
        if not _will_be_made(pipeline, client):
            lost += _recreate_ours(pipeline, client)
    return lost


def _recreate_dlts(pipeline: Pipeline, client: Any) -> list[str]:
    """Recreate the tables in which dlt records loads, schemas and its state.

    Without records of loads, all loads count as incomplete: the next sync reads all users again.
    """
    schema = schema_of(pipeline)
    lost = _lacking(client, schema, schema.dlt_table_names())
    if not lost:
        return []
    _make(client, lost)
    if schema.state_table_name in lost:
        pipeline.set_local_state_val(_KEPT_STATE, "")
    return list(lost)


def _recreate_ours(pipeline: Pipeline, client: Any) -> list[str]:
    schema = schema_of(pipeline)
    lost = _lacking(client, schema, schema.data_table_names(seen_data_only=True))
    if lost:
        _forget_reads(pipeline, client, lost)  # first: a next run still finds the tables missing
        _forget_files(pipeline, client, lost)
        _make(client, lost)
    return list(lost)


def _make(client: Any, lost: Mapping[str, bool]) -> None:
    """Create tables, and add columns. A table that lacks a column that no row may be without is created again."""
    if not client.is_storage_initialized():
        client.initialize_storage()
    if broken := [name for name, is_unusable in lost.items() if is_unusable]:
        client.sql_client.drop_tables(*broken)
    client.update_stored_schema(only_tables=list(lost), force=True)


def _will_be_made(pipeline: Pipeline, client: Any) -> bool:
    """Whether dlt will create the tables of a pending load before continuing it."""
    return pipeline.has_pending_data and not client.get_stored_schema_by_hash(schema_of(pipeline).stored_version_hash)


def _lacking(client: Any, schema: Any, names: Collection[str]) -> dict[str, bool]:
    """Return the tables that are missing or lack columns, and whether they have to be created again.

    Raises:
        ConfigurationError: A table with rows of Authsignal lacks a part of its key.
    """
    is_exact = client.capabilities.generates_case_sensitive_identifiers()
    stored = dict(client.get_storage_tables(names))
    found = {}
    for name in names:
        held = stored.get(name, {})
        lost = [
            column
            for column in schema.get_new_table_columns(name, held, case_sensitive=is_exact)
            if _PLAIN.fullmatch(column["name"] or "")
        ]
        if lost:
            needed = [column["name"] for column in lost if held and not column.get("nullable", True)]
            found[name] = bool(needed)
            if needed and name not in _REMADE and name not in schema.dlt_table_names():
                raise _without_key(client, name, needed)
    return found


_REMADE: Final = frozenset(table.name for table in (*OWN_TABLES, EVENT_FILES) if table.name != "erased_users")
"""This project's tables whose rows the next sync can do without."""


def _without_key(client: Any, name: str, columns: list[str]) -> ConfigurationError:
    place = client.sql_client.make_qualified_table_name(name)
    lost = ", ".join(columns)
    return ConfigurationError(
        f"Table {place} has no column {lost}, which every row needs. Nothing was read or loaded. Restore {lost} from a"
        " backup."
        f" Without a backup, rename the table, and the next sync creates it and reads its users again: ALTER TABLE"
        f" {place} RENAME TO {name}_kept"
    )


def _check_writable(pipeline: Pipeline, client: Any) -> None:
    """Check that no table became a view, and that no column needs a value that a sync does not write.

    Raises:
        ConfigurationError: Names the first one.
    """
    if destination_of_type(pipeline.destination.destination_type).name not in _CATALOGUED:
        return
    sql, schema = client.sql_client, schema_of(pipeline)
    _, dataset, _ = sql._get_information_schema_components()
    columns, tables = map(sql._qualify_info_schema_table_name, ("COLUMNS", "TABLES"))
    query = (
        f"SELECT t.table_name, t.table_type, c.column_name, c.is_nullable FROM {tables} t JOIN {columns} c"
        " ON c.table_catalog = t.table_catalog AND c.table_schema = t.table_schema AND c.table_name = t.table_name"
        " WHERE t.table_schema = %s AND (t.table_type = 'VIEW' OR (c.is_nullable = 'NO' AND c.column_default IS NULL"
        " AND coalesce(c.is_identity, 'NO') = 'NO' AND coalesce(c.is_generated, 'NEVER') = 'NEVER'))"
    )
    ours = {*schema.dlt_table_names(), *schema.data_table_names(seen_data_only=True)}
    for name, kind, column, is_nullable in sql.execute_sql(query, dataset) or ():
        if name not in ours:
            continue
        place = sql.make_qualified_table_name(name)
        if kind == "VIEW":
            raise ConfigurationError(
                f"{place} is a view, and a sync writes into a table of this name. Nothing was read or loaded. Rename"
                f" the view, and the next sync creates the table and fills it: ALTER VIEW {place} RENAME TO {name}_view"
            )
        declared = schema.tables[name]["columns"].get(column)
        if is_nullable == "NO" and (declared is None or declared.get("nullable", True)):
            quoted = sql.escape_column_name(column)
            whose = "is not a column of this package and" if declared is None else "may be empty at Authsignal and"
            raise ConfigurationError(
                f"Column {column} of {place} {whose} needs a value in each row (NOT NULL, without a default), so a sync"
                " cannot add rows. Nothing was read or loaded. Allow empty values: ALTER TABLE"
                f" {place} ALTER COLUMN {quoted} DROP NOT NULL. Or give the column a default."
            )


def _forget_reads(pipeline: Pipeline, client: Any, lost: Collection[str]) -> None:
    """Reset the read times of users for the missing tables."""
    parts = [part for part in KEPT if part in lost]
    if not parts or USER_READS.name in lost or USER_READS.name not in schema_of(pipeline).tables:
        return
    sql = client.sql_client
    nothing = ", ".join(f"{sql.escape_column_name(f'{part}_read_at')} = NULL" for part in parts)
    sql.execute_sql(f"UPDATE {sql.make_qualified_table_name(USER_READS.name)} SET {nothing} WHERE 1 = 1")


def _forget_files(pipeline: Pipeline, client: Any, lost: Collection[str]) -> None:
    """Forget which files of the spool were loaded into the missing tables: the next load reads them again."""
    names = [name for name in EVENT_TABLES if name in lost]
    if not names or EVENT_FILES.name in lost or EVENT_FILES.name not in schema_of(pipeline).tables:
        return
    sql = client.sql_client
    place, column = sql.make_qualified_table_name(EVENT_FILES.name), sql.escape_column_name("table_name")
    sql.execute_sql(f"DELETE FROM {place} WHERE {column} IN ({', '.join(['%s'] * len(names))})", *names)
