"""Update deletes and history after a load. This can be repeated at any time."""

from collections.abc import Collection

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.pipeline import LoadInfo
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
    return _updated(pipeline, None)


def update_after(load: LoadInfo, pipeline: Pipeline) -> dict[str, int]:
    """Do the same after a load, for the tables that the load may have changed.

    For the others, everything has to be up to date already. Then this saves the queries over whole tables when no user
    was due.
    """
    jobs = (job for package in load.load_packages for job in package.jobs["completed_jobs"])
    return _updated(pipeline, {job.job_file_info.table_name for job in jobs})


def _updated(pipeline: Pipeline, loaded: Collection[str] | None) -> dict[str, int]:
    if not pipeline.default_schema_name:
        return {}
    adapt_dlt(pipeline)
    if is_made_of_files(pipeline):
        from dlt_authsignal.pipeline.history import in_files

        return in_files.update_history(pipeline, loaded)
    from dlt_authsignal.pipeline.history import in_sql

    try:
        return in_sql.update_history(pipeline, loaded)
    except DestinationUndefinedEntity:
        recreate(pipeline)
        return in_sql.update_history(pipeline, None)
