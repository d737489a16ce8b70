"""Estimate the work of a sync without running it."""

from typing import NamedTuple

from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.errors import NoData
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.prepared import opened_once
from dlt_authsignal.source.config.request_limits import limits_of
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.incremental.state.known_reads import KnownReads, known_reads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.resources.server import DUE
from dlt_authsignal.source.source import source_of


class Forecast(NamedTuple):
    """What a sync would have to do.

    Attributes:
        metrics: Users who are due, and the requests that they take.
        rate: Limit on requests a second; None for none.
    """

    metrics: RunMetrics
    rate: float | None


def forecast(destination: str, pipeline_name: str | None, dataset: str | None = None) -> Forecast:
    """Count the due users, from the user list (for at most a minute) and the stored state of earlier reads.

    Raises:
        AuthsignalError: The user list or the destination cannot be read.
    """
    metrics = RunMetrics()
    with translate_errors(destination):
        settings = resolved_settings(pipeline_name, apis=["server"])
        list(source_of(settings, _known(destination, pipeline_name, dataset), metrics).resources[DUE])
    return Forecast(metrics, limits_of(settings).rate)


def _known(destination: str, pipeline_name: str | None, dataset: str | None) -> KnownReads:
    try:
        pipeline = attach(destination=destination, pipeline_name=pipeline_name, dataset=dataset)
        with opened_once(pipeline):
            return known_reads(pipeline)
    except NoData:
        return KnownReads()
