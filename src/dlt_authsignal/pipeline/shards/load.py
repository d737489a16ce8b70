"""Load the shards of a round in one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import ShardsUnusable
from dlt_authsignal.pipeline.load_packages import newest_load
from dlt_authsignal.pipeline.shards.alike import shard_folder, stored_alike
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.pipeline.sync.run import check_arguments, run_sync
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.resources.from_shards import LOADED
from dlt_authsignal.source.resources.table_resource import STATE
from dlt_authsignal.source.shards.folder import ShardFolder
from dlt_authsignal.source.shards.manifest import Manifest
from dlt_authsignal.source.shards.names import word
from dlt_authsignal.source.shards.round import Round, check_fits, chosen_round, opened_round
from dlt_authsignal.source.tenant.fingerprint import fingerprint, region_of
from dlt_authsignal.source.workers.messages import drift_of


def load_shards(
    pipeline: Pipeline,
    *,
    round: str | None = None,
    accept_missing_shards: bool = False,
    tables: Sequence[str] | None = None,
    metrics: RunMetrics | None = None,
    wait: str | float | None = None,
    **settings: Any,
) -> SyncReport:
    """Load all shards of a round, as `dlt-authsignal sync --load-shards` does, and remove their files.

    It is a `sync` that takes users from the shards instead of Authsignal. The tables that are not read per user, such
    as `tenant_authenticators` and the configuration, are read now. If a load was interrupted, call it again.

    Args:
        pipeline: The pipeline of the shards.
        round: Name of the round. Default: the only one in the shard folder.
        accept_missing_shards: Load even if shards are missing. Then no rows of users, authenticators or devices are
            marked as deleted: users with a row that would be marked are left out.
        tables: Tables to load. The tables of users among them must be those that the shards read.
        metrics: Counters to fill, for a progress display.
        wait: As in `sync`.
        **settings: Settings of `authsignal_source`, `shard_folder` among them. They win over those that dlt finds.

    Raises:
        ConfigurationError: A setting is missing or wrong. Nothing was loaded.
        ShardsMissing: Shards are missing. Nothing was loaded.
        ShardsUnusable: The shards are damaged, are outdated or do not belong together. Nothing was loaded.
        RunFailed: The run did not complete. Nothing that it read was loaded.
    """
    check_arguments(pipeline, tables, settings)
    found = resolved_settings(pipeline.pipeline_name, **settings)
    folder = shard_folder(found, pipeline.pipeline_name)
    name = chosen_round(folder, None if round is None else word("round", round))
    shards = _Shards(folder, name, accept_missing=accept_missing_shards)
    report = run_sync(pipeline, tables, metrics or RunMetrics(), None, wait, settings, shards)
    report.notes += shards.notes()
    try:
        folder.remove_loaded(shards.all)
    except ShardsUnusable as error:
        report.notes.append(
            f"The shards are loaded, but their files could not be removed: {str(error).partition(' Nothing was')[0]}"
            " The next load of this round removes them."
        )
    return report


class _Shards:
    """The shards of a round, for the run that loads them.

    Args:
        folder: The shard folder.
        name: Name of the round.
        accept_missing: Whether shards may be missing.

    Attributes:
        round: The shards to load.
        all: All shards in the folder, including those that were loaded before.
    """

    def __init__(self, folder: ShardFolder, name: str, *, accept_missing: bool) -> None:
        self.round: Round = opened_round(folder, name)
        self.all: Sequence[Manifest] = self.round.manifests
        self._accept_missing = accept_missing

    def check(
        self, pipeline: Pipeline, settings: SourceSettings, selected: Collection[str], metrics: RunMetrics
    ) -> None:
        """Check that the shards fit the dataset and this run, and count what they have read; see `Shards`."""
        noted = pipeline.state.get("sources", {}).get(STATE, {}).get(LOADED, [])
        self.round.leave_out(noted)
        self.round.check_complete(accept_missing=self._accept_missing)
        for manifest in self.round.manifests:
            key = fingerprint(settings.api_secret_key or "", region_of(settings.base), manifest.salt)
            if key != manifest.key:
                raise ShardsUnusable(
                    f"Shard {manifest.part} of round {self.round.name} was read with another api_secret_key or from"
                    " another region than this load uses.",
                    "Load with the key of the shards. Each tenant needs its own --shard-folder or --pipeline-name.",
                )
        check_fits(self.round, stored_alike(settings, selected), newest_load(pipeline, USER_READS.name))
        for manifest in self.round.manifests:
            _count(metrics, manifest)
        metrics.user_ids_complete = True

    def notes(self) -> list[str]:
        """Return a sentence that says what was loaded."""
        parts = ", ".join(str(manifest.part) for manifest in self.round.manifests)
        if not parts:
            return [f"Round {self.round.name} was already loaded. Its files were removed."]
        if not self.round.missing:
            return [f"Loaded shards {parts} of round {self.round.name}."]
        missing = ", ".join(map(str, self.round.missing))
        return [
            f"Loaded shards {parts} of round {self.round.name} without {missing}. No rows of users were marked as"
            " deleted."
        ]


def _count(metrics: RunMetrics, manifest: Manifest) -> None:
    """Add the counts of a shard to those of the run."""
    try:
        for name in metrics.counters().keys() & manifest.counters.keys() - {"values_withheld"}:
            setattr(metrics, name, getattr(metrics, name) + manifest.counters[name])
        for table, plain in manifest.drift.items():
            metrics.drift.of(table).add(drift_of(plain))
    except (KeyError, TypeError, ValueError, AttributeError):
        failure = ShardsUnusable(f"The manifest of shard {manifest.part} of round {manifest.round} is damaged.")
    else:
        metrics.errors += Counter(manifest.errors)
        metrics.unknown_positions += manifest.positions
        return
    raise failure
