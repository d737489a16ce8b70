"""Estimate the work of a sync without running it."""

from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.errors import NoData
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.source.incremental.state_table import KnownReads, known_reads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.resources.server import DUE
from dlt_authsignal.source.source import authsignal_source


def forecast(destination: str, pipeline_name: str) -> RunMetrics:
    """Count the due users, from the user list (for at most a minute) and the stored state of earlier reads.

    Raises:
        AuthsignalError: The user list or the destination cannot be read.
    """
    meter = RunMetrics()
    with translate_errors(destination):
        source = authsignal_source(reads=_known(destination, pipeline_name), meter=meter, apis=["server"])
        list(source.resources[DUE])
    return meter


def _known(destination: str, pipeline_name: str) -> KnownReads:
    try:
        return known_reads(attach(destination=destination, pipeline_name=pipeline_name))
    except NoData:
        return KnownReads()
