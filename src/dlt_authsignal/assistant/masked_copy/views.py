"""The views of configuration changes, events and KPIs, over the tables of the masked copy."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from dlt_authsignal.assistant.masking import EVERY_TABLE, is_masked, masked_rows
from dlt_authsignal.models.configuration.views import plain_queries as configuration_queries
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.events.views import plain_queries as event_queries
from dlt_authsignal.models.kpis.availability import needs_of
from dlt_authsignal.models.kpis.catalogue import all_models
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.kpis.supplied import SIGN_INS
from dlt_authsignal.models.ocsf.views import plain_queries as ocsf_queries
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.sql_text import quoted
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS, USER_READS

READS = {
    CONFIGURATION_READS.name: tuple(column.name for column in CONFIGURATION_READS.columns),
    USER_READS.name: ("user_id", *(column.name for column in USER_READS.columns if column.name.endswith("_read_at"))),
}
"""Columns of the bookkeeping tables that the views need: when each part was read, and of which user."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the tables are copied from and to: schemas, quoted, with the names of their databases."""

    source: str
    target: str
    key: str | None


def add_views(connection: duckdb.DuckDBPyConnection, places: Places, present: Mapping[str, list[str]]) -> None:
    """Copy the times of the reads, and add each view whose tables exist.

    Args:
        connection: A connection that uses the schema of the copy.
        places: Schemas of the database and of the copy, and the key of the masks.
        present: Columns of each table of the database, bookkeeping included.
    """
    known = {table: columns for table, columns in present.items() if table not in READS}
    for table, wanted in READS.items():
        if found := [name for name in wanted if name in present.get(table, ())]:
            rows = masked_rows(table, found, source=places.source, key=places.key)
            connection.execute(f"create table {places.target}.{quoted(table)} as {rows}")
            known[table] = found
    stored: Stored = {table: dict.fromkeys(columns, "text") for table, columns in known.items()}
    others = {name: in_duckdb(made) for name, made in ocsf_queries(stored).items()}
    for name, made in {**configuration_queries(stored), **event_queries(stored), **others}.items():
        with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):  # tables not synced
            connection.execute(f"create view {name} as {made}")
    _add_kpis(connection, places, known)


def _add_kpis(connection: duckdb.DuckDBPyConnection, places: Places, known: dict[str, list[str]]) -> None:
    """Add the views of the available KPIs, over the masked tables. Masked columns of added fields are left out."""
    with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):  # most datasets do not have it
        connection.execute(
            f"create table {places.target}.{SIGN_INS} as select action_code from {places.source}.{SIGN_INS}"
        )
        known[SIGN_INS] = ["action_code"]
    stored = {table: dict.fromkeys(_readable(table, columns), "text") for table, columns in known.items()}
    for model in all_models():
        if needs_of(model, stored):
            continue
        with contextlib.suppress(duckdb.CatalogException, duckdb.BinderException):  # a table without declared columns
            connection.execute(f"create view {model.view} as {in_duckdb(query(model, stored))}")


def _readable(table: str, columns: Sequence[str]) -> list[str]:
    if table == SIGN_INS:
        return list(columns)
    declared = {column.name for column in EVERY_TABLE[table].columns} if columns else set()
    return [name for name in columns if name in declared or not is_masked(table, name)]
