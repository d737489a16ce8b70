"""Update deletes and history after a load. This can be repeated at any time."""

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.pipeline.repair import recreate


def update_history(pipeline: Pipeline) -> dict[str, int]:
    """Mark rows that a complete read no longer returned, and update the `<table>_history` tables.

    `dlt-authsignal sync` does this before and after each load. Call it after `pipeline.run(authsignal_source(…))` in
    your own scripts. Missing tables are recreated.

    Returns:
        Rows marked as deleted, by table.
    """
    if not pipeline.default_schema_name:
        return {}
    adapt_dlt(pipeline)
    if is_made_of_files(pipeline):
        from dlt_authsignal.pipeline.history import in_files

        return in_files.update_history(pipeline)
    from dlt_authsignal.pipeline.history import in_sql

    try:
        return in_sql.update_history(pipeline)
    except DestinationUndefinedEntity:
        recreate(pipeline)
        return in_sql.update_history(pipeline)
