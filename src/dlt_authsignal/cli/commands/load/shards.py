"""`dlt-authsignal sync --shard`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dlt_authsignal.cli.shell import stoppable

STOPPED: Final = "The shard is incomplete, and its files are ignored. Run the same command again."


def read(
    shard: str,
    round_: str | None,
    into: Mapping[str, Any],
    settings: Mapping[str, Any],
    *,
    tables: Sequence[str] | None,
    as_json: bool,
) -> None:
    """Read one shard with a progress display, and print its summary.

    Args:
        shard: The shard, such as `1/4`.
        round_: Name of the round; None for the default.
        into: Arguments of `make_pipeline`.
        settings: Settings of the source that win over those that dlt finds.
        tables: Tables to load; None for all.
        as_json: Print only the report, as JSON.
    """
    from dlt_authsignal.cli.output.sync.notice import noticed
    from dlt_authsignal.cli.output.sync.progress import showing
    from dlt_authsignal.cli.output.sync.summary import print_report
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics

    metrics = RunMetrics()
    with stoppable(STOPPED), noticed("sync"), showing(metrics, silent=as_json) as on_planned:
        from dlt_authsignal.pipeline.attach import look_apart
        from dlt_authsignal.pipeline.shards.read import read_shard_apart

        wanted = {name: into[name] for name in ("destination", "dataset", "pipeline_name")}
        report = read_shard_apart(look_apart(**wanted), shard, round_, tables, metrics, on_planned, None, settings)
    print_report(report, as_json=as_json)
