"""Update deletes and history after a load. This can be repeated at any time."""

from collections.abc import Collection

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.pipeline import LoadInfo
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches import adapt_dlt
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.pipeline.history.noted import loads_of, note, note_more, noted
from dlt_authsignal.pipeline.history.rules import RULES, may_change
from dlt_authsignal.pipeline.repair import recreate


def update_history(pipeline: Pipeline) -> dict[str, int]:
    """Mark rows that a complete read no longer returned, and update the `<table>_history` tables.

    `dlt-authsignal sync` does this after each load, and before it if something else was loaded. Call it after
    `pipeline.run(authsignal_source(…))` in your own scripts. Missing tables are recreated.

    Returns:
        Rows marked as deleted, by table.
    """
    return _updated(pipeline, None)


def catch_up_history(pipeline: Pipeline, *, is_repaired: bool = False) -> None:
    """Do the same before a load, unless only this machine has loaded since it was done.

    Args:
        pipeline: Pipeline of the dataset.
        is_repaired: Whether missing tables were recreated.
    """
    if not pipeline.default_schema_name or is_made_of_files(pipeline):
        update_history(pipeline)
        return
    loads = loads_of(pipeline)
    if is_repaired or loads is None or loads != noted(pipeline):
        update_history(pipeline)
        note(pipeline, loads)


def update_after(load: LoadInfo, pipeline: Pipeline) -> dict[str, int]:
    """Do the same after a load, for the tables that the load may have changed.

    For the others, everything has to be up to date already. Then this saves the queries over whole tables when no user
    was due.
    """
    marked = _updated(pipeline, _loaded(load))
    note_more(pipeline, load.loads_ids)
    return marked


def note_other_load(load: LoadInfo, pipeline: Pipeline) -> None:
    """Note that a load filled no table that has deletes or history, so that the next run need not update any."""
    loaded = _loaded(load)
    if not any(may_change(table, loaded) for table in RULES):
        note_more(pipeline, load.loads_ids)


def _loaded(load: LoadInfo) -> set[str]:
    """Return the tables that a load filled."""
    jobs = (job for package in load.load_packages for job in package.jobs["completed_jobs"])
    return {job.job_file_info.table_name for job in jobs}


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
