"""Prepare dlt and the destination for what is not a sync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import shared_clients
from dlt_authsignal.destination.dlt_patches import adapt_dlt, make_private_bucket, resolved_once
from dlt_authsignal.destination.duckdb_file import database_file, keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.destination.locks import single_run
from dlt_authsignal.destination.redaction import redacted
from dlt_authsignal.project.pipelines import check_pipeline
from dlt_authsignal.project.waiting import seconds_of, waiting_for


@contextmanager
def prepared(pipeline: Pipeline, wait: str | float | None) -> Iterator[None]:
    """Prepare dlt and the destination, and lock both."""
    with translate_errors(pipeline.destination.destination_name):
        check_pipeline(pipeline)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        make_private_bucket(pipeline)
        with (
            waiting_for(database_file(pipeline), seconds_of(wait)),
            single_run(pipeline),
            resolved_once(pipeline.destination),
            shared_clients(pipeline),
            redacted(pipeline),
            translate_errors(pipeline.destination.destination_name),
        ):
            yield


@contextmanager
def opened_once(pipeline: Pipeline) -> Iterator[None]:
    """Resolve the destination's settings, and open its DuckDB file, once for all queries of the block.

    dlt does both again for each query. Do not use this while Authsignal is being read: see `keep_open`.
    """
    with resolved_once(pipeline.destination), shared_clients(pipeline), keep_open(pipeline):
        yield
