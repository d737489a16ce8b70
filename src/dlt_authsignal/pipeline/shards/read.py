"""Read one shard: do what `sync` does before the load, and write the rows to files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from tempfile import TemporaryDirectory
from typing import Any, Final

from dlt.common.schema import Schema
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import shared_clients
from dlt_authsignal.destination.dlt_patches import adapt_dlt, resolved_once
from dlt_authsignal.destination.duckdb_file import database_file, keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready
from dlt_authsignal.destination.redaction import redacted
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.queries import schema_of
from dlt_authsignal.destination.tombstones import tombstones
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.attach import fetch_schema
from dlt_authsignal.pipeline.load_packages import newest_load
from dlt_authsignal.pipeline.older_layout import check_layout
from dlt_authsignal.pipeline.shards.alike import settings_alike, shard_folder, stored_alike
from dlt_authsignal.pipeline.shards.report import ShardReport
from dlt_authsignal.pipeline.sync.run import check_arguments, memory_of
from dlt_authsignal.project.pipelines import check_pipeline, try_pipeline
from dlt_authsignal.project.waiting import is_set, seconds_of, waiting_for
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.source.build import OnPlanned, evidence_of, shard_reader
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.incremental.dataset_check import check_content
from dlt_authsignal.source.incremental.part import part_of
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.state.known_reads import KnownReads, known_ids, with_data
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.resources.from_shards import needs_arrow
from dlt_authsignal.source.resources.reading import Server, found_users
from dlt_authsignal.source.resources.table_resource import HASHED_COLUMNS, STATE
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.shards.files import TABLES
from dlt_authsignal.source.shards.folder import ShardFolder
from dlt_authsignal.source.shards.manifest import FORMAT, Manifest
from dlt_authsignal.source.shards.names import new_attempt, today, word
from dlt_authsignal.source.shards.write import ShardWriter, undeclared_of
from dlt_authsignal.source.tenant.fingerprint import fingerprint, new_salt, region_of
from dlt_authsignal.source.user_ids import KNOWN
from dlt_authsignal.source.workers.messages import Shaped, drift_as_plain
from dlt_authsignal.source.workers.shaping import shaped

PATIENCE: Final = 60.0
"""Seconds that a shard waits for a DuckDB file. The shards of one machine open it one after the other."""


def read_shard(
    pipeline: Pipeline,
    shard: str,
    *,
    round: str | None = None,
    tables: Sequence[str] | None = None,
    metrics: RunMetrics | None = None,
    on_planned: OnPlanned | None = None,
    wait: str | float | None = None,
    **settings: Any,
) -> ShardReport:
    """Read one part of the users, and write it to the shard folder, as `dlt-authsignal sync --shard K/N` does.

    It reads users as `sync` does, on any machine that can read the destination. Nothing in the destination changes:
    `load_shards` loads the users when all shards of the round are there. Several shards can run at the same time. A
    shard that is run again replaces its earlier output.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination. All shards and the load need the same name, destination and
            dataset.
        shard: The shard, such as `1/4`: users whose hash modulo 4 is 0.
        round: Name of the round, the same for all of its shards. Default: the day, in UTC.
        tables: Tables to load. Default: all tables of users, except `action_details`. `load_shards` reads
            the other tables.
        metrics: Counters to fill, for a progress display.
        on_planned: Called once all users who are due are known, with the limit on requests per second.
        wait: Maximum time to wait for other programs that have the DuckDB file open. Default: the command's `--wait`,
            otherwise 60 seconds.
        **settings: Settings of `authsignal_source`, `shard_folder` among them. They win over those that dlt finds.

    Raises:
        ConfigurationError: A setting is missing or wrong. Nothing was written.
        RunFailed: The shard was not read completely. Its files are ignored.
    """
    check_arguments(pipeline, tables, settings)
    check_pipeline(pipeline)
    bound = dict(pipeline.destination.config_params)
    with TemporaryDirectory(prefix="authsignal-", ignore_cleanup_errors=True) as scratch:
        look = try_pipeline(
            pipeline.pipeline_name, scratch, destination=pipeline.destination, dataset=pipeline.dataset_name
        )
        look.destination.config_params.update(bound)  # the database may be in another folder than the current one
        try:
            return read_shard_apart(
                look, shard, round, tables, metrics or RunMetrics(), on_planned, seconds_of(wait), settings
            )
        finally:
            pipeline.activate()


def read_shard_apart(
    look: Pipeline,
    shard: str,
    round_: str | None,
    tables: Sequence[str] | None,
    metrics: RunMetrics,
    on_planned: OnPlanned | None,
    wait: float | None,
    settings: Mapping[str, Any],
) -> ShardReport:
    """Read one shard with a pipeline whose folder only this shard uses; see `read_shard`."""
    part, round_ = part_of(shard), word("round", today() if round_ is None else round_)
    started = time.monotonic()
    with translate_errors(look.destination.destination_name):
        adapt_dlt(look)
        check_ready(look)
        if not destination_of_type(look.destination.destination_type).arrow:
            raise needs_arrow()
        found = resolved_settings(look.pipeline_name, **settings)
        selected = _selected(tables)
        folder = shard_folder(found, look.pipeline_name)
        reads = KnownReads()
        server, plan = shard_reader(found, part, reads, metrics, on_planned)
        folder.prepare()
        output = _Output(
            settings=found,
            selected=selected,
            server=server,
            writer=ShardWriter(folder=folder, round=round_, part=part, attempt=new_attempt()),
        )
        with redacted(look):
            patience = wait if wait is not None or is_set() else PATIENCE
            with waiting_for(database_file(look), patience), resolved_once(look.destination), shared_clients(look):
                known = _known(look, found, plan, reads, selected)
            metrics.stage = "reading"
            begun = {name: _Begun.of(server, TABLES[name], known) for name in selected}
            with _removed_if_stopped(output.writer):
                for shaped_users in _read(server, replace(known.plan, tables=frozenset(selected)), begun):
                    output.writer.add(shaped_users)
                output.publish(known.newest_load, {name: each.shaper for name, each in begun.items()})
    metrics.stage = "done"
    return output.report(look.pipeline_name, round(time.monotonic() - started, 2))


@dataclass(frozen=True, kw_only=True)
class _Output:
    """What a shard leaves: its files, their manifest, and the report."""

    settings: SourceSettings
    selected: Sequence[str]
    server: Server
    writer: ShardWriter
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def publish(self, newest_load: str, shapers: Mapping[str, Shaper]) -> None:
        """Write the remaining rows and the manifest. From then on, a load takes the shard."""
        writer, metrics, salt = self.writer, self.server.meter, new_salt()
        writer.flush()
        writer.folder.publish(
            Manifest(
                format=FORMAT,
                round=writer.round,
                number=writer.part.number,
                of=writer.part.of,
                attempt=writer.attempt,
                started_at=self.started_at,
                ended_at=datetime.now(UTC),
                newest_load=newest_load,
                salt=salt,
                key=fingerprint(self.server.api_secret_key, region_of(self.server.base), salt),
                settings=settings_alike(self.settings),
                stored_as=stored_alike(self.settings, self.selected),
                counters=metrics.counters(),
                errors=dict(metrics.errors),
                positions=metrics.unknown_positions,
                drift={name: drift_as_plain(each) for name, each in metrics.drift.items().items()},
                undeclared=undeclared_of(shapers),
                files=writer.entries,
            )
        )

    def report(self, pipeline: str, seconds: float) -> ShardReport:
        """Return what was read."""
        writer, metrics = self.writer, self.server.meter
        return ShardReport(
            pipeline=pipeline,
            round=writer.round,
            shard=str(writer.part),
            folder=writer.folder.url,
            tables={name: writer.rows.get(name, 0) for name in self.selected},
            rate=self.server.throttle.pace.rate,
            unknown_positions=sorted(metrics.unknown_positions),
            errors=dict(metrics.errors),
            seconds=seconds,
            drift=metrics.drift.report(),
            **metrics.counters(),
        )


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What the destination contains before a shard is read.

    Attributes:
        plan: What to read.
        newest_load: Newest load of `user_reads`; empty if there is none.
        columns: Types of the columns, by table.
        hashed: Places whose text is hashed, by table.
        naming: Returns the destination's name for an undeclared column.
    """

    plan: Plan
    newest_load: str = ""
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    hashed: Mapping[str, list[str]] = field(default_factory=dict)
    naming: Callable[[str], str] = field(default_factory=lambda: Schema(STATE).naming.normalize_path)


def _known(look: Pipeline, settings: SourceSettings, plan: Plan, reads: KnownReads, selected: Sequence[str]) -> _Known:
    """Read what determines which users are due and how rows are stored, from the destination. Nothing is written."""
    file = database_file(look)
    if file is not None and not file.exists():  # opening it would create it
        return _Known(plan=plan)
    with keep_open(look):
        check_layout(look)
        fetch_schema(look)
        check_layout(look)
        check_content(look, evidence_of(settings), privacy_from(settings))
        reads.recall(look, details="action_details" in selected)
        plan = replace(plan, user_ids=replace(plan.user_ids, erased=tombstones(look)), has_detail=reads.has_detail)
        if KNOWN in plan.user_ids.sources:
            ids = [plan.privacy.asked_id(user_id) for user_id in known_ids(look)]
            user_ids = replace(plan.user_ids, known=lambda: ids)
            plan = replace(plan, user_ids=user_ids, had_data=with_data(look).__contains__)
        if not look.default_schema_name:
            return _Known(plan=plan)
        schema = schema_of(look)
        tables = {name: schema.tables.get(name, {}).get("columns", {}) for name in selected}
        return _Known(
            plan=plan,
            newest_load=newest_load(look, USER_READS.name),
            columns={
                table: {name: str(column["data_type"]) for name, column in columns.items() if "data_type" in column}
                for table, columns in tables.items()
            },
            hashed=look.state.get("sources", {}).get(STATE, {}).get(HASHED_COLUMNS, {}),
            naming=schema.naming.normalize_path,
        )


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A table that the shard fills. A load has `Loading` instead."""

    stored: Mapping[str, str]
    shaper: Shaper
    as_rows: bool = False

    @classmethod
    def of(cls, server: Server, table: Table, known: _Known) -> _Begun:
        """Return a table.

        Raises:
            ConfigurationError: The table was first loaded with rows.
        """
        stored = known.columns.get(table.name, {})
        if "_dlt_id" in stored:
            raise needs_arrow()
        shaper = Shaper(
            table,
            api="server",
            tenant_id=server.tenant_id,
            privacy=server.privacy,
            stored=stored,
            naming=known.naming,
            drift=server.meter.drift.of(table.name),
            hashed=list(known.hashed.get(table.name, ())),
        )
        return cls(stored=stored, shaper=shaper)


def _selected(tables: Sequence[str] | None) -> list[str]:
    """Return the tables of users that are read.

    Raises:
        ConfigurationError: None of the selected tables is a table of users.
    """
    if not tables:
        return [name for name, table in TABLES.items() if not table.opt_in]
    if not TABLES.keys() & set(tables):
        raise ConfigurationError(
            f"None of the selected tables is read in shards: {', '.join(tables)}. Nothing was read. Shards read"
            f" {', '.join(TABLES)}; sync --load-shards reads the others."
        )
    wanted = {*tables, *memory_of(tables)}
    return [name for name in TABLES if name in wanted]


def _read(server: Server, plan: Plan, begun: Mapping[str, _Begun]) -> Iterator[Shaped]:
    shapers = {name: each.shaper for name, each in begun.items()}
    for number, found in enumerate(found_users(server, plan, lambda table: begun[table.name])):
        if isinstance(found, Shaped):
            yield found
        else:
            yield shaped(number, found, shapers, server.privacy, server.tenant_id)


@contextmanager
def _removed_if_stopped(writer: ShardWriter) -> Iterator[None]:
    """Remove the files of a shard that fails or is stopped. A later load removes the files of a killed shard."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            _remove(writer.folder, writer)
        raise


def _remove(folder: ShardFolder, writer: ShardWriter) -> None:
    if writer.entries:
        folder.remove_attempt(writer.round, writer.part, writer.attempt)
