"""Names of dlt that this package uses and dlt does not document: after a change of the range, see here what broke."""

import inspect
from functools import reduce
from importlib import import_module
from typing import Any, Final, NamedTuple

import pytest

from dlt_authsignal.destination import dlt_patches
from dlt_authsignal.errors import ConfigurationError


class Use(NamedTuple):
    """One name of dlt.

    Attributes:
        name: `module:attribute.attribute`.
        signature: Names of its parameters; None if it is not a function.
        used_by: Module of this package.
        breaks: What goes wrong when it changes.
    """

    name: str
    signature: tuple[str, ...] | None
    used_by: str
    breaks: str


_FILES: Final = "dlt.destinations.impl.filesystem.filesystem"
_PIPELINE: Final = "dlt.pipeline.pipeline:Pipeline"
_SCHEMA: Final = "dlt.common.schema.schema:Schema"
_STEPS: Final = "dlt.common.configuration"
_CREDENTIALS: Final = f"{_STEPS}.specs.connection_string_credentials:ConnectionStringCredentials"
_OF_TABLES: Final = ("tables", "table", "destination_capabilities")

USES: Final = (
    # replaced while a process runs
    Use(f"{_PIPELINE}._get_normalize_storage", ("self",), "load_packages", "a killed sync blocks all later ones"),
    Use(
        "dlt.common.storages.load_package:PackageStorage.delete_package",
        ("self", "load_id", "not_exists_ok"),
        "load_packages",
        "a killed sync blocks all later ones",
    ),
    Use(f"{_PIPELINE}._get_schema_or_create", ("self", "schema_name"), "dlt_patches", "names such as acme-prod fail"),
    Use(
        "dlt.destinations.impl.postgres.configuration:PostgresClientConfiguration.data_location",
        ("self",),
        "dlt_patches",
        "PostgreSQL whose host libpq finds cannot be loaded",
    ),
    Use(
        "dlt.common.configuration.providers.toml:SettingsTomlProvider._read_toml_file",
        ("self", "toml_path"),
        "dlt_patches",
        "commands refuse what Notepad saved",
    ),
    Use("dlt.common.libs.pyarrow:get_local_dataset_reader", ("file_paths",), "dlt_patches", "late columns of Delta"),
    Use(f"{_FILES}:TableFormatLoadFilesystemJob.arrow_dataset", ("self",), "dlt_patches", "late columns of Iceberg"),
    Use(f"{_FILES}:IcebergLoadFilesystemJob.run", ("self",), "dlt_patches", "Iceberg merges take minutes"),
    Use(
        "dlt.common.libs.pyiceberg:merge_iceberg_table",
        ("table", "data", "schema", "load_table_name"),
        "dlt_patches",
        "Iceberg merges take minutes",
    ),
    Use(
        "dlt.destinations.impl.postgres.postgres:PostgresCsvCopyJob.run",
        ("self",),
        "dlt_patches",
        "empty text becomes null in PostgreSQL",
    ),
    *(
        Use(f"dlt.destinations.impl.duckdb.duck:{name}", parameters, "dlt_patches", "loads take twice as long")
        for name, parameters in {
            "DuckDbClient.should_load_data_to_staging_dataset": ("self", "table_name"),
            "DuckDbClient._create_merge_followup_jobs": ("self", "table_chain"),
            "DuckDbCopyJob.run": ("self",),
        }.items()
    ),
    *(
        Use(name, parameters, "dlt_patches", "syncs with nothing to load take twice as long")
        for name, parameters in {
            "dlt.common.configuration.providers.environ:is_secret_hint": ("hint",),
            "dlt.common.configuration.resolve:is_secret_hint": ("hint",),
            "dlt.common.configuration.resolve:extract_inner_hint": (
                "hint",
                "preserve_new_types",
                "preserve_literal",
                "preserve_annotated",
            ),
            "dlt.common.validation:get_type_hints": ("obj", "globalns", "localns", "include_extras"),
            "dlt.common.destination.utils:prepare_load_table": _OF_TABLES,
            "dlt.common.destination.utils:resolve_merge_strategy": _OF_TABLES,
            "dlt.common.schema.utils:deepcopy": ("x", "memo", "_nil"),
            "dlt.extract.extract:yaml.dump": ("data", "stream", "Dumper", "kwds"),
        }.items()
    ),
    Use(
        "dlt.common.configuration.specs.base_configuration:BaseConfiguration.get_resolvable_fields",
        ("cls",),
        "dlt_patches",
        "syncs with nothing to load take twice as long",
    ),
    *(
        Use(name, parameters, "dlt_patches", "each sync imports SQLAlchemy")
        for name, parameters in {
            f"{_CREDENTIALS}.__str__": ("self",),
            f"{_CREDENTIALS}.to_url": ("self",),
            "dlt.common.libs.sql_alchemy_shims:URL.create": None,
            "dlt.common.libs.sql_alchemy_shims:URL.render_as_string": ("self", "hide_password"),
        }.items()
    ),
    Use(f"{_PIPELINE}.load", None, "dlt_patches", "the DuckDB file is opened again for each step of a load"),
    Use(
        "dlt.pipeline.track:dlthub_telemetry_track",
        ("event_category", "event_name", "properties"),
        "dlt_patches",
        "usage reports of our pipelines are sent",
    ),
    Use(
        "dlt.common.destination:Destination.configuration",
        ("self", "initial_config", "accept_partial"),
        "dlt_patches",
        "DuckDB takes all memory",
    ),
    Use(
        "dlt.common.runtime.run_context:global_dir", (), "plugin", "dlt fails to start where this package is installed"
    ),
    Use(
        "dlt.extract.decorators:DltSourceFactoryWrapper.__call__",
        ("self", "args", "kwargs"),
        "dlt_patches",
        "scripts end with long tracebacks",
    ),
    # who is at work
    Use(f"{_STEPS}.container:Container", None, "dlt_patches", "changes reach other pipelines, or none of ours"),
    Use(f"{_STEPS}.specs.config_section_context:ConfigSectionContext.pipeline_name", None, "dlt_patches", "the same"),
    Use(f"{_STEPS}.specs.config_section_context:ConfigSectionContext.sections", None, "dlt_patches", "the same"),
    Use(f"{_STEPS}.specs.pluggable_run_context:PluggableRunContext", None, "dlt_patches", "our defaults are lost"),
    Use(f"{_STEPS}.providers.provider:ConfigProvider.is_empty", ("self",), "dlt_patches", "defaults reach others"),
    Use(
        f"{_STEPS}.providers.provider:ConfigProvider.get_value",
        ("self", "key", "hint", "pipeline_name", "sections"),
        "dlt_patches",
        "our defaults are lost",
    ),
    Use("dlt.common.pipeline:PipelineContext.pipeline", ("self",), "load_hints, tombstones", "no table format"),
    Use("dlt.common.utils:digest128", ("v", "len_"), "dlt_patches", "usage reports of our pipelines are sent"),
    # underscore names
    Use(
        "dlt.destinations.job_client_impl:SqlJobClientBase._get_info_schema_columns_query",
        ("self", "catalog_name", "schema_name", "folded_table_names"),
        "stores.sql_store",
        "erase misses tables that dlt does not know",
    ),
    Use(
        "dlt.destinations.sql_client:SqlClientBase._get_information_schema_components",
        ("self", "tables"),
        "stores.sql_store",
        "erase misses tables that dlt does not know",
    ),
    Use("dlt.common.runtime.collector:Collector._start", ("self", "step"), "pipeline.sync.run", "no stages shown"),
    Use("dlt._workspace.helpers.dashboard", None, "cli.commands.look.show", "show does not find the dashboard"),
    # tables, schemas, load packages
    Use("dlt.extract:DltResource.compute_table_schema", ("self", "item", "meta"), "load_hints", "no format check"),
    Use(f"{_FILES}:FilesystemClient.load_open_table", None, "stores", "nothing is read from Delta and Iceberg"),
    Use(f"{_FILES}:FilesystemClient.list_table_files", None, "stores", "tables of files are not found"),
    Use(f"{_FILES}:FilesystemClient.is_dlt_table", None, "stores", "erase rewrites tables of dlt"),
    Use(f"{_FILES}:FilesystemClient.get_table_dir", None, "stores", "erase does not find files"),
    Use(f"{_FILES}:FilesystemClient.get_open_table_location", None, "stores", "erase does not find files"),
    Use(f"{_FILES}:FilesystemClient.get_open_table_catalog", None, "stores", "erase does not open Iceberg"),
    Use("dlt.common.libs.deltalake:deltalake_storage_options", None, "stores.delta", "erase fails on S3"),
    Use("dlt.common.libs.pyiceberg:evolve_table", None, "stores.iceberg", "erase does not open Iceberg"),
    Use("dlt.common.libs.pyiceberg:ensure_iceberg_compatible_arrow_data", ("data",), "dlt_patches", "merges fail"),
    Use("dlt.common.schema.utils:new_table", None, "history", "no history tables"),
    Use(f"{_SCHEMA}.update_table", None, "history", "no history tables"),
    Use(f"{_SCHEMA}.data_table_names", None, "repair", "dropped tables are not made again"),
    Use(f"{_SCHEMA}.get_new_table_columns", None, "repair", "dropped columns are not made again"),
    Use("dlt.common.destination.client:JobClientBase.update_stored_schema", None, "repair", "no repair"),
    Use(f"{_PIPELINE}.abort_packages", None, "load_packages", "pending packages block erase"),
    Use(f"{_PIPELINE}.get_load_package_info", ("self", "load_id"), "load_packages", "the same"),
    Use("dlt.common.storages.file_storage:FileStorage.open_zipsafe_ro", None, "load_packages", "the same"),
    Use(f"{_PIPELINE}.get_local_state_val", ("self", "key"), "duckdb_file", "another folder's file is not noticed"),
    # the trace and the log
    Use(f"{_STEPS}.utils:ResolvedValueTrace.config", None, "redaction", "users_from stands in the trace"),
    Use(f"{_STEPS}.utils:get_resolved_traces", (), "redaction", "users_from stands in the trace"),
    Use("dlt.pipeline.trace:save_trace", ("trace_dir", "trace"), "redaction", "rows stay in the trace"),
    Use("dlt.pipeline.trace:PipelineStepTrace._replace", None, "redaction", "rows stay in the trace"),
    Use("dlt.common.runtime.slack:send_slack_message", None, "cli.output.sync.notice", "no notice of failures"),
)


def found(use: Use) -> Any:
    """The object of that name, as it stands in its class."""
    module, _, path = use.name.partition(":")
    owner = pytest.importorskip(module, exc_type=ImportError) if "lib" in module else import_module(module)
    *classes, last = path.split(".")
    if not path:
        return owner
    owner = reduce(getattr, classes, owner)
    value = inspect.getattr_static(owner, last, None)
    return getattr(owner, last) if value is None else value


@pytest.mark.parametrize("use", USES, ids=lambda use: use.name)
def test_dlt_has_every_undocumented_name_in_use(use: Use) -> None:
    try:
        value = found(use)
    except (AttributeError, ModuleNotFoundError) as error:
        pytest.fail(f"{use.name}: {error}. Used by {use.used_by}; without it: {use.breaks}.")
    if use.signature is not None:
        function: Any = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        parameters = tuple(inspect.signature(function).parameters)
        assert parameters == use.signature, f"{use.name}, used by {use.used_by}; what breaks: {use.breaks}"


def test_a_missing_name_of_dlt_is_an_error_with_the_supported_versions() -> None:
    with pytest.raises(ConfigurationError, match=r"dlt 1\..*dlt_patches\.no_such_name.*dlt>=1\.31,<1\.32"):
        dlt_patches.check_signature(dlt_patches, "no_such_name", "self")


def test_a_name_of_dlt_with_another_signature_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"differs from dlt 1\.31"):
        dlt_patches.check_signature(dlt_patches, "dataset_of", "file_paths")
