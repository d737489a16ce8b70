"""Tables and columns that somebody has taken out of the database: made again, and what stood in them read again.

dlt makes them once, when its schema changes, and fails for ever if they are gone after that.
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
"""Names that every database gives back as they are: another could seem to be lost for ever."""


def recreate(pipeline: Pipeline) -> list[str]:
    """Makes tables and columns again that were loaded once and are gone; returns the names of the tables.

    Tables made of files are made with their first row, and are left as they are.
    """
    if not pipeline.default_schema_name or is_made_of_files(pipeline):
        return []
    with job_client(pipeline) as client:
        lost = [] if _will_be_made(pipeline, client) else _lost(pipeline, client)
        if lost:
            if not client.is_storage_initialized():
                client.initialize_storage()
            _forget_reads(pipeline, client, lost)  # first: a run that is cut off here finds the tables gone still
            client.update_stored_schema(only_tables=lost, force=True)
    return lost


def _will_be_made(pipeline: Pipeline, client: Any) -> bool:
    """Whether a load is pending that dlt makes tables for before it goes on."""
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
    """Nobody has been read for a table that is lost."""
    parts = [part for part in KEPT if part in lost]
    if not parts or USER_READS.name in lost or USER_READS.name not in schema_of(pipeline).tables:
        return
    sql = client.sql_client
    nothing = ", ".join(f"{sql.escape_column_name(f'{part}_read_at')} = NULL" for part in parts)
    sql.execute_sql(f"UPDATE {sql.make_qualified_table_name(USER_READS.name)} SET {nothing} WHERE 1 = 1")
