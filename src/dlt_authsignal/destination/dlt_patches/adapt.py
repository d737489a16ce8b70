"""Adapt dlt to this package's pipelines: what it stores, loads, logs and reports.

`adapt_dlt(pipeline)` makes the changes for one pipeline. Where dlt has no setting per pipeline, a function of dlt is
replaced by one that checks which pipeline is running (`is_ours`) and calls the original for all other pipelines.
"""

import logging
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Final

import dlt
import tomlkit
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.provider import ConfigProvider, get_key_name
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext
from dlt.common.destination.configuration import ParquetFormatConfiguration
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.dlt_patches.direct_merge import merge_directly
from dlt_authsignal.destination.dlt_patches.duckdb_pool import open_privately
from dlt_authsignal.destination.dlt_patches.empty_text import keep_empty_text
from dlt_authsignal.destination.dlt_patches.fixed_cost import (
    prepare_tables_quickly,
    remember_types,
    show_places_quickly,
)
from dlt_authsignal.destination.dlt_patches.libpq import OF_LIBPQ, leave_to_libpq
from dlt_authsignal.destination.dlt_patches.local_bucket import make_private_bucket
from dlt_authsignal.destination.dlt_patches.replaced import check_signature, replace
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.project.text_files import is_marked, read_text

SECTION: Final = "authsignal_source"
"""Section that dlt sets while this package's source is extracted."""

LIMIT: Final = "256MB"
"""DuckDB's memory limit. Above it, DuckDB uses temporary files beside the database during the merge."""

THREADS: Final = min(4, os.cpu_count() or 1)
"""DuckDB's threads. Each needs some MB: with 64 threads, 256 MB were too little for a load."""

_DEFAULTS: Final = {
    ("load", "delete_completed_jobs"): True,  # no loaded rows stay in dlt's working folder
    ("normalize", "parquet_normalizer", "add_dlt_load_id"): True,  # Arrow tables get the same column as other tables
}
_PIPELINES: Final[set[str]] = set()
_LOCK: Final = threading.Lock()


def adapt_dlt(pipeline: Pipeline) -> None:
    """Adapt dlt to this pipeline's tables. Other pipelines are not changed. Can be repeated.

    Raises:
        ConfigurationError: This version of dlt does not have a function that would be changed.
    """
    with _LOCK:
        _PIPELINES.add(pipeline.pipeline_name)
        _add_defaults()
        remember_types()
        prepare_tables_quickly()
        show_places_quickly()
        _send_no_usage_reports()
        _log_no_needless_warning()
        _accept_any_pipeline_name()
        if pipeline.destination is not None:
            _adapt_destination(pipeline.destination)


def adapt_running_pipeline() -> None:
    """Adapt dlt to the pipeline that is extracting now: `pipeline.run(authsignal_source())` in a script."""
    pipeline = running_pipeline()
    adapt_dlt(pipeline)
    make_private_bucket(pipeline)


def offer_defaults() -> None:
    """Offer dlt this package's defaults, which only its own pipelines and source get.

    dlt resolves some settings when the extraction of a source starts, before any resource runs.
    """
    with _LOCK:
        _add_defaults()


def is_ours() -> bool:
    """Whether an adapted pipeline, or this package's source in any pipeline, is running in this thread or its pool."""
    running = Container()[ConfigSectionContext]
    return running.pipeline_name in _PIPELINES or SECTION in running.sections


def is_anothers() -> bool:
    """Whether a pipeline is running here that was never adapted; False if that cannot be determined."""
    return Container()[ConfigSectionContext].pipeline_name is not None and not is_ours()


# Settings of dlt


def read_marked_settings() -> None:
    """Let dlt read TOML files that begin with a byte-order mark, which Windows editors write and dlt 1.31 refuses.

    dlt reads its settings before it knows any pipeline, so this holds for the process. It changes the reading of those
    files only that dlt would refuse anyway.
    """
    from dlt.common.configuration.providers.toml import SettingsTomlProvider

    def without_mark(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def read(self: Any, toml_path: str) -> Any:
            path = Path(toml_path)
            if path.is_file() and is_marked(path):
                return tomlkit.parse(read_text(path))
            return original(self, toml_path)

        return read

    replace(SettingsTomlProvider, "_read_toml_file", ("self", "toml_path"), without_mark)


class _Defaults(ConfigProvider):
    """Provide defaults after all other providers, and only while one of this package's pipelines is running."""

    def get_value(self, key: str, hint: Any, pipeline_name: str | None, *sections: str) -> tuple[Any, str]:
        value = None if pipeline_name else _DEFAULTS.get((*sections, key))
        return value, get_key_name(key, ".", *filter(None, (pipeline_name, *sections)))

    @property
    def name(self) -> str:
        return "Defaults of dlt-authsignal"

    @property
    def supports_secrets(self) -> bool:
        return False

    @property
    def supports_sections(self) -> bool:
        return True

    @property
    def is_empty(self) -> bool:
        return not is_ours()


def _add_defaults() -> None:
    providers = Container()[PluggableRunContext].providers
    if not any(isinstance(provider, _Defaults) for provider in providers.providers):  # dlt may have recreated them
        providers.add_provider(_Defaults())


def _send_no_usage_reports() -> None:
    """Send no usage reports to dltHub for this package's pipelines, unless a setting asks for them."""
    from dlt.pipeline import track

    def ours_only_if_wanted(original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def report(event_category: str, event_name: str, properties: Any) -> None:
            if not _is_silent(properties):
                original(event_category, event_name, properties)

        return report

    replace(track, "dlthub_telemetry_track", ("event_category", "event_name", "properties"), ours_only_if_wanted)


def _is_silent(properties: Any) -> bool:
    from dlt.common.utils import digest128

    ours = {digest128(name) for name in tuple(_PIPELINES)}
    is_of_ours = is_ours() or (properties or {}).get("pipeline_name_hash") in ours
    return is_of_ours and dlt.config.get("runtime.dlthub_telemetry", bool) is not True


def end_with_message(factory: Any) -> None:
    """Make a source raise this package's errors from where it is called, so that a script's traceback stays short.

    Otherwise some twenty lines of dlt and of this package come before the message that says what to do. It holds for
    this one source, and for what `with_args` makes of it.
    """
    kind: Any = type(factory)

    class ShortErrors(kind):  # type: ignore[misc]
        def __call__(self, *args: Any, **settings: Any) -> Any:
            try:
                return super().__call__(*args, **settings)
            except AuthsignalError as error:
                found = error.with_traceback(None)
            raise found

    factory.__class__ = ShortErrors


# The pipeline


def _accept_any_pipeline_name() -> None:
    """Let a pipeline whose name is not a Python identifier (`acme-prod`) connect before it has a schema.

    dlt 1.31 creates an empty schema with the pipeline's name for that, although it loads under such a name. Only calls
    that dlt would refuse are changed.
    """
    from dlt.common.schema.exceptions import InvalidSchemaName
    from dlt.common.schema.schema import Schema

    def with_a_valid_name(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def schema_of(self: Any, schema_name: str | None = None) -> Any:
            try:
                return original(self, schema_name)
            except InvalidSchemaName:
                with self._maybe_destination_capabilities():
                    return Schema(SECTION)

        return schema_of

    replace(Pipeline, "_get_schema_or_create", ("self", "schema_name"), with_a_valid_name)


# The log


class _NoTypeWarning(logging.Filter):
    """Drop dlt's warning for each batch that JSON columns arrive as text: Arrow has no JSON type."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "when merging arrow schema with dlt schema" not in record.getMessage() or not is_ours()


def _log_no_needless_warning() -> None:
    log = logging.getLogger("dlt")
    if not any(isinstance(known, _NoTypeWarning) for known in log.filters):
        log.addFilter(_NoTypeWarning())


# The destination


def _adapt_destination(destination: Any) -> None:
    known = destination_of_type(destination.destination_type)
    if known.transactions:
        # dlt 1.31 declares transactions for no database, and then deletes and inserts without one
        destination.caps_params.setdefault("supports_transactions", True)
    if known.name == "duckdb":
        _write_files_fast(destination)
        _open_databases(destination)
        merge_directly(is_ours)
    if known.name in OF_LIBPQ:
        leave_to_libpq(destination)
    if known.name == "postgres":
        # a file that was copied before its run was killed is copied again, which unique ids would always refuse
        destination.config_params["create_indexes"] = False
        keep_empty_text(is_ours)
    if known.table_format:
        _read_every_column()
        _merge_iceberg_at_once()


def _write_files_fast(destination: Any) -> None:
    """Leave out the compression of dlt's files, which DuckDB reads once from the same disk. A setting of dlt wins.

    They are hardly larger: Parquet's dictionaries shorten what repeats, and hashes cannot be compressed.
    """
    destination.caps_params.setdefault("parquet_format", ParquetFormatConfiguration(compression="none"))


def _open_databases(destination: Any) -> None:
    """Open this destination's databases privately, and with a memory limit unless `global_config` has another."""
    if "configuration" in vars(destination):
        return
    check_signature(type(destination), "configuration", "self", "initial_config", "accept_partial")
    resolve = destination.configuration

    @wraps(resolve)
    def configuration(initial_config: Any, accept_partial: bool = False) -> Any:
        config = resolve(initial_config, accept_partial)
        if config.credentials is not None:
            config.credentials.global_config = {
                "memory_limit": LIMIT,
                "threads": THREADS,
                **(config.credentials.global_config or {}),
            }
            open_privately(config.credentials)
        return config

    destination.configuration = configuration


def _read_every_column() -> None:
    """Read the columns of all files of a load, where dlt reads those of the first file and drops the others.

    Without this, a field that first appears late in a load is lost without a message.
    """
    from dlt.common.libs import pyarrow as reading
    from dlt.destinations.impl.filesystem.filesystem import TableFormatLoadFilesystemJob as Job

    def every_column(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def reader(file_paths: Sequence[str]) -> Any:
            return _reader(file_paths) if is_ours() else original(file_paths)

        return reader

    def every_column_of_job(original: property) -> property:
        return property(lambda self: dataset_of(self.file_paths) if is_ours() else original.__get__(self))

    replace(reading, "get_local_dataset_reader", ("file_paths",), every_column)
    replace(Job, "arrow_dataset", ("self",), every_column_of_job)


def dataset_of(paths: Sequence[str]) -> Any:
    """Return Parquet files as one dataset with the columns of all files."""
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    return pyarrow.dataset.dataset(list(paths), schema=pa.unify_schemas([pq.read_schema(path) for path in paths]))


def _reader(file_paths: Sequence[str]) -> Any:
    return dataset_of(file_paths).scanner(batch_size=65_536, batch_readahead=2, fragment_readahead=1).to_reader()


def _merge_iceberg_at_once() -> None:
    """Merge an Iceberg table in one commit: dlt merges 1,000 rows at a time and searches the table for each row.

    dlt's merge takes minutes for a few thousand rows. pyiceberg is imported only when there is a table to load.
    """
    from dlt.destinations.impl.filesystem.filesystem import IcebergLoadFilesystemJob as Job

    def with_our_merge(original: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(original)
        def run(self: Any) -> Any:
            if is_ours():
                with _LOCK:
                    replace_iceberg_merge()
            return original(self)

        return run

    replace(Job, "run", ("self",), with_our_merge)


def replace_iceberg_merge() -> None:
    """Replace dlt's merge of an Iceberg table for this package's pipelines. Imports pyiceberg."""
    from dlt.common.libs import pyiceberg as merging

    from dlt_authsignal.destination.stores import iceberg

    def at_once(original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def merge(table: Any, data: Any, schema: Any, load_table_name: str) -> None:
            (iceberg.merge if is_ours() else original)(table, data, schema, load_table_name)

        return merge

    replace(merging, "merge_iceberg_table", ("table", "data", "schema", "load_table_name"), at_once)


# The process


def remove_with(pipeline: Pipeline, folder: tempfile.TemporaryDirectory[str]) -> None:
    """Remove the folder when the pipeline is no longer used, at the end of the process at the latest."""
    weakref.finalize(pipeline, folder.cleanup)
