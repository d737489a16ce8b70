"""Check a destination by doing everything that a sync does there, in a temporary dataset."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import dlt
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import job_client, shared_clients
from dlt_authsignal.destination.dlt_patches import adapt_dlt, already_synced, resolved_once
from dlt_authsignal.destination.duckdb_file import database_file, keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready, hints
from dlt_authsignal.destination.stores.queries import row_counts
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.project.pipelines import check_is_usable, try_pipeline
from dlt_authsignal.schema.columns import Column, DataType, Table

_TYPES: Final[tuple[DataType, ...]] = ("text", "timestamp", "bool", "bigint", "double", "json")

TABLE: Final = Table(
    name="trial",
    apis=("server",),
    key=("id",),
    columns=(
        Column(name="id", field=None, type="text", meaning=""),
        *(Column(name=f"a_{kind}", field=None, type=kind, meaning="") for kind in _TYPES),
    ),
    meaning="Rows of the destination check.",
    source="nowhere",
)


def try_out(destination: str, pipeline_name: str) -> Iterator[str]:
    """Check the destination, and yield one sentence per successful step.

    Args:
        destination: dlt destination name.
        pipeline_name: Name of the pipeline that will sync; for DuckDB it determines the file.

    Raises:
        AuthsignalError: The first step that failed, and what to do.
    """
    dataset = f"authsignal_trial_{uuid4().hex[:8]}"
    with translate_errors(destination), tempfile.TemporaryDirectory() as folder:
        check_is_usable(pipeline_name, destination)
        pipeline = try_pipeline(pipeline_name, folder, destination=destination, dataset=dataset)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        file = database_file(pipeline)
        is_new = file is not None and not file.exists()
        yield "its driver is installed"
        with resolved_once(pipeline.destination), shared_clients(pipeline):
            pipeline.sync_destination()
            with job_client(pipeline) as client:
                yield f"the connection works: {client.config}"
            with keep_open(pipeline):
                yield from _load_and_drop(pipeline, dataset)
        if file and is_new:
            file.unlink(missing_ok=True)
        yield f"it allows dropping {dataset}"


def _load_and_drop(pipeline: Pipeline, dataset: str) -> Iterator[str]:
    try:
        _load(pipeline, ["a", "b"])
        yield f"it allows creating dataset {dataset} and writing"
        _load(pipeline, ["b", "c"])
        if (rows := row_counts(pipeline, [TABLE.name])[TABLE.name]) != 3:
            raise RunFailed(
                f"A merge of two loads with two rows each, one of them shared, gave {rows} rows instead of 3."
            )
        yield "it merges: a row that is loaded again is not duplicated"
    except BaseException:
        with suppress(Exception):
            _drop(pipeline)
        raise
    _drop(pipeline)


def _load(pipeline: Pipeline, ids: list[str]) -> None:
    now = datetime.now(UTC)
    values = {"a_text": "é", "a_timestamp": now, "a_bool": True, "a_bigint": 2**40, "a_double": 0.5, "a_json": [{}]}
    own = {"tenant_id": None, "_api": "server", "_read_at": now, "_row_hash": "0"}
    rows: list[dict[str, Any]] = [{"id": value, **values, **own} for value in ids]
    with already_synced(pipeline):
        pipeline.run(dlt.resource([rows], **hints(TABLE)))


def _drop(pipeline: Pipeline) -> None:
    with job_client(pipeline) as client:
        if hasattr(client, "with_staging_dataset"):
            with client.with_staging_dataset():
                if client.is_storage_initialized():
                    client.drop_storage()
        if client.is_storage_initialized():
            client.drop_storage()
