"""What follows from a load: rows that are gone are marked, and versions kept. It can be done at any time, and again."""

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.pipeline.repair import recreate


def update_history(pipeline: Pipeline) -> dict[str, int]:
    """Marks rows that a complete read no longer showed, and brings the `<table>_history` tables up to date.

    `dlt-authsignal sync` does it before and after each load. Call it after `pipeline.run(authsignal_source(…))` of
    your own. Tables that somebody has dropped are made again.

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
