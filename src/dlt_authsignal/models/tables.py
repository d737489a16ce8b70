"""The tables of a dataset that KPIs can be computed from."""

from typing import TYPE_CHECKING, Any

from dlt_authsignal.models import lake
from dlt_authsignal.models.kpis.supplied import SUPPLIED, usable_columns
from dlt_authsignal.models.opened import Stored, stored_columns, writer

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline


def existing(pipeline: "Pipeline") -> Stored:
    """Return the columns of the tables that were loaded, and of the tables that you supply, if they exist."""
    from dlt_authsignal.destination.stores.store import is_made_of_files

    stored = stored_columns(pipeline)
    if is_made_of_files(pipeline):
        held = lake.held(pipeline)
        return {name: columns for name, columns in stored.items() if name in held}
    with pipeline.sql_client() as client:
        there = {name: columns for name, columns in stored.items() if is_there(client, name)}
        supplied = [name for name in SUPPLIED if is_there(client, name)]
        written, _ = writer(client, supplied)
        return there | {name: usable_columns(name, lambda text: client.execute_sql(written(text))) for name in supplied}


def is_there(client: Any, table: str) -> bool:
    """Return whether a table or view exists in the dataset."""
    from dlt.common.destination.exceptions import DestinationUndefinedEntity

    try:
        client.execute_sql(f"select 1 from {client.make_qualified_table_name(table)} where 1 = 0")
    except DestinationUndefinedEntity:
        return False
    return True
