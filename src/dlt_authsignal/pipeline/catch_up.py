"""Finish what earlier runs left, before a run reads anything."""

from collections.abc import Callable

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.tombstones import tombstones
from dlt_authsignal.pipeline.attach import fetch_schema
from dlt_authsignal.pipeline.history.update import catch_up_history
from dlt_authsignal.pipeline.load_packages import Pending, abort_packages_before, finish_pending
from dlt_authsignal.pipeline.older_layout import check_layout
from dlt_authsignal.pipeline.repair import recreate


def catch_up(pipeline: Pipeline, reached: Callable[[], None] = lambda: None) -> tuple[Pending, list[str]]:
    """Finish what earlier runs left, and recreate missing tables; return what was pending and what was recreated.

    Args:
        pipeline: The pipeline that will run.
        reached: Called when the destination has answered.

    Raises:
        DatasetTooOld: An earlier version made the dataset, with tables that cannot be upgraded. It is unchanged.
    """
    check_layout(pipeline)
    abort_packages_before(pipeline, tombstones(pipeline).latest)
    recreated = recreate(pipeline)  # before a pending load is finished, and before dlt reads its own tables
    pending = finish_pending(pipeline)
    fetch_schema(pipeline)
    check_layout(pipeline)  # on a new machine, only the destination knows the tables
    reached()
    recreated += recreate(pipeline)
    catch_up_history(pipeline, is_repaired=bool(recreated))
    return pending, recreated
