"""Recreate missing tables and columns, and make their users due.

dlt creates tables once, when its schema changes, and fails in every later run if they are missing.
"""

import re
from collections.abc import Collection
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import job_client
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.schema.bookkeeping_tables import USER_READS
from dlt_authsignal.source.incremental.read_state import KEPT

_PLAIN: Final = re.compile(r"[a-z0-9_]{1,63}")
"""Names that every database returns unchanged. Other names could always look missing."""


def recreate(pipeline: Pipeline) -> list[str]:
    """Recreate tables and columns that were loaded once and are missing; return the names of the tables.

    Tables made of files are created with their first row, and are not changed.
    """
    if not pipeline.default_schema_name or is_made_of_files(pipeline):
        return []
    with job_client(pipeline) as client:
        lost = [] if _will_be_made(pipeline, client) else _lost(pipeline, client)
        if lost:
            if not client.is_storage_initialized():
                client.initialize_storage()
            _forget_reads(pipeline, client, lost)  # first: a next run still finds the tables missing
            client.update_stored_schema(only_tables=lost, force=True)
    return lost


def _will_be_made(pipeline: Pipeline, client: Any) -> bool:
    """Whether dlt will create the tables of a pending load before continuing it."""
    return pipeline.has_pending_data and not client.get_stored_schema_by_hash(schema_of(pipeline).stored_version_hash)


def _lost(pipeline: Pipeline, client: Any) -> list[str]:
    schema = schema_of(pipeline)
    is_exact = client.capabilities.generates_case_sensitive_identifiers()
    made = schema.data_table_names(seen_data_only=True)
    stored = dict(client.get_storage_tables(made))
    return [
        name
        for name in made
        if any(
            _PLAIN.fullmatch(column["name"] or "")
            for column in schema.get_new_table_columns(name, stored.get(name, {}), case_sensitive=is_exact)
        )
    ]


def _forget_reads(pipeline: Pipeline, client: Any, lost: Collection[str]) -> None:
    """Reset the read times of users for the missing tables."""
    parts = [part for part in KEPT if part in lost]
    if not parts or USER_READS.name in lost or USER_READS.name not in schema_of(pipeline).tables:
        return
    sql = client.sql_client
    nothing = ", ".join(f"{sql.escape_column_name(f'{part}_read_at')} = NULL" for part in parts)
    sql.execute_sql(f"UPDATE {sql.make_qualified_table_name(USER_READS.name)} SET {nothing} WHERE 1 = 1")
