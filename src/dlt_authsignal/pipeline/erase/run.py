"""Erase one user from a pipeline's dataset and from its files on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import shared_clients, sql_client
from dlt_authsignal.destination.dlt_patches import resolved_once
from dlt_authsignal.destination.duckdb_file import database_file, keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.locks import single_run
from dlt_authsignal.destination.redaction import redacted, untraced
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.opened import open_stores
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.destination.tombstones import bury, tombstones
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.attach import attach_any, fetch_schema
from dlt_authsignal.pipeline.erase import postgres_rewrite
from dlt_authsignal.pipeline.erase.attack_signals import erase_detections, own_subjects
from dlt_authsignal.pipeline.erase.duckdb_names import attached_databases, check_can_be_replaced
from dlt_authsignal.pipeline.erase.duckdb_rewrite import rewrite
from dlt_authsignal.pipeline.erase.local_files import erase_leftovers, further_names
from dlt_authsignal.pipeline.erase.shard_files import erase_from_shards
from dlt_authsignal.pipeline.erase.spool_files import erase_from_spool
from dlt_authsignal.pipeline.erase.stored_ids import stored_forms
from dlt_authsignal.pipeline.erase.user_rows import delete_where, erase_rows
from dlt_authsignal.pipeline.load_packages import Pending, finish_pending
from dlt_authsignal.pipeline.repair import recreate
from dlt_authsignal.project.names import pipeline_name_or
from dlt_authsignal.project.pipelines import bring_state, check_can_be_erased
from dlt_authsignal.project.waiting import seconds_of, waiting_for
from dlt_authsignal.schema.tables.bookkeeping import ERASED_USERS
from dlt_authsignal.source.config.event_settings import DEFAULT_TENANT, resolved_event_settings
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.tenant.check import Evidence, check_tenant


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """Report of `erase`.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        dataset: Dataset (schema) name.
        erased_at: Date of the tombstone: when the user was first erased.
        was_erased: Whether the tombstone existed before.
        rows: Rows deleted by table, including tables where there were none.
        places: Files or entries removed, by place on this machine.
        old_files: Files removed that held earlier states of Delta or Iceberg tables.
        is_rewritten: Whether the files with the rows were rewritten. If not, the database removes the bytes eventually.
        finished_pending: Whether an earlier run's unfinished load was completed first.
        dropped_pending: Whether that load failed and was dropped; the next sync reads its users again.
        not_searched: Places that may contain the user and were not changed: databases that the pipeline's settings
            attach, and other names (hard links) of files that were removed.
    """

    pipeline: str
    destination: str
    dataset: str
    erased_at: datetime
    was_erased: bool
    rows: Mapping[str, int]
    places: Mapping[str, int]
    old_files: int
    is_rewritten: bool
    finished_pending: bool
    dropped_pending: bool
    not_searched: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no row was found."""
        return not any(self.rows.values())


def erase(
    user_id: str,
    *,
    destination: str = "duckdb",
    dataset: str | None = None,
    pipeline_name: str | None = None,
    tenant: str = DEFAULT_TENANT,
    accept_new_key: bool = False,
    wait: str | float | None = None,
) -> ErasureReport:
    """Remove a user from all tables of a dataset, from the spool of events, from shards that are not loaded yet, and
    from the pipeline's files on this machine.

    Writes a tombstone, so that no later sync loads the user again. Sends no request to Authsignal. If it was
    interrupted, call it again.

    Args:
        user_id: The user's id at Authsignal, not hashed.
        destination: dlt destination name.
        dataset: Dataset (schema) to erase from.
        pipeline_name: The pipeline that loaded it.
        tenant: Name of the tenant in the settings of events.
        accept_new_key: Confirm that the configured key is a new one of the same tenant.
        wait: Maximum time to wait for other programs that have the DuckDB file open, such as `"60s"`. Default: the
            command's `--wait`, otherwise no wait.

    Raises:
        OtherTenant: The configured key belongs to another tenant than the dataset. Nothing was changed.
        AuthsignalError: Some data could not be removed. The message says which, and what to do.
    """
    _check(user_id)
    wait = seconds_of(wait)
    with translate_errors(destination):
        pipeline_name = pipeline_name_or(pipeline_name)
    settings = resolved_settings(pipeline_name)
    forms = stored_forms(user_id, settings)
    events = resolved_event_settings(pipeline_name, settings)
    events.tenant(tenant)
    with translate_errors(destination):
        check_can_be_erased(pipeline_name, destination)
        bring_state(pipeline_name)  # pending loads contain users too
        pipeline = attach_any(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        file = database_file(pipeline)
        with (
            waiting_for(file, wait),
            single_run(pipeline),
            resolved_once(pipeline.destination),
            shared_clients(pipeline),
            translate_errors(destination),
            redacted(pipeline),
            untraced(pipeline),
        ):
            if file:
                check_can_be_replaced(file)
            with keep_open(pipeline):
                _check_tenant(pipeline, settings, accept_new_key=accept_new_key)
                known = tombstones(pipeline)
                recreate(pipeline)
                finished, dropped = _finish_or_drop_pending(pipeline)
                fetch_schema(pipeline)
                # first: the tombstone holds even if the run is killed
                erased_at = bury(pipeline, user_id, known, _stored_id(user_id, settings))
                attached = _attached(pipeline) if file else []
            rows, old_files, is_rewritten, subjects = _erase_data(pipeline, forms)
            linked = further_names(pipeline)
            places = erase_leftovers(pipeline, forms | subjects)
            changed, unread = erase_from_spool(events, events.tenant(tenant).name, user_id, forms)
            places |= {"files of the spool": changed}
            shards, unsearched = erase_from_shards(settings, pipeline_name, forms)
            places |= {"shards, to be read again": shards}
    return ErasureReport(
        pipeline=pipeline.pipeline_name,
        destination=pipeline.destination.destination_name,
        dataset=pipeline.dataset_name,
        erased_at=erased_at,
        was_erased=user_id in known,
        rows=rows,
        places=places,
        old_files=old_files,
        is_rewritten=is_rewritten,
        finished_pending=finished,
        dropped_pending=dropped,
        not_searched=(*attached, *linked, *unread, *unsearched),
    )


def lift(
    user_id: str,
    *,
    destination: str = "duckdb",
    dataset: str | None = None,
    pipeline_name: str | None = None,
    accept_new_key: bool = False,
) -> bool:
    """Remove a tombstone, so that the next sync reads the user again. Return whether there was one.

    Args:
        user_id: The user's id at Authsignal, not hashed.
        destination: dlt destination name.
        dataset: Dataset (schema) that holds the tombstone.
        pipeline_name: The pipeline that loads it.
        accept_new_key: Confirm that the configured key is a new one of the same tenant.
    """
    _check(user_id)
    with translate_errors(destination):
        pipeline = attach_any(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        with single_run(pipeline), translate_errors(destination):
            _check_tenant(pipeline, resolved_settings(pipeline.pipeline_name), accept_new_key=accept_new_key)
            known = tombstones(pipeline)
            if user_id not in known:
                return False
            with open_stores(pipeline) as stores:
                settings = resolved_settings(pipeline.pipeline_name)
                ids = {user_id, _stored_id(user_id, settings)} - {None}
                hashes = frozenset(each for user in ids for each in known.hashes(str(user)))
                found = ERASED_USERS.name, "user_hash", hashes
                return sum(delete_where(store, *found) for _, store in stores) > 0


def _check(user_id: str) -> None:
    if not user_id.strip():
        raise ConfigurationError("The user id is empty. Nothing was changed. Pass the user's id at Authsignal.")
    try:
        user_id.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(
            "The user id is not UTF-8. Nothing was changed. Pass the user's id at Authsignal."
        ) from None


def _stored_id(user_id: str, settings: SourceSettings) -> str | None:
    """Return the stored form of a user id; None if it cannot be stored, because there is no privacy key."""
    privacy = privacy_from(settings)
    return next(iter(privacy.stored_ids([user_id])), None)


def _check_tenant(pipeline: Pipeline, settings: SourceSettings, *, accept_new_key: bool) -> None:
    """Check that the configured key belongs to the dataset: an equal id may be another person at another tenant."""
    accept = accept_new_key or settings.accept_new_key
    evidence = Evidence(
        base=settings.base, key=settings.api_secret_key, named=settings.tenant_id, accept_new_key=accept
    )
    check_tenant(pipeline, evidence)


def _finish_or_drop_pending(pipeline: Pipeline) -> tuple[bool, bool]:
    """Load what an earlier run left, or drop it if that fails; return whether it was loaded and whether dropped.

    Dropping it may lose actions: Authsignal returns the last 30 days only.
    """
    try:
        found = finish_pending(pipeline)
        return found is Pending.FINISHED, found is Pending.DROPPED
    except PipelineStepFailed:
        pipeline.abort_packages()
        return False, True


def _erase_data(pipeline: Pipeline, forms: frozenset[str]) -> tuple[dict[str, int], int, bool, frozenset[str]]:
    """Return the rows deleted by table, the table files removed, whether no byte of the rows is left, and the phone
    numbers and IP addresses that only this user had."""
    rows: dict[str, int] = {}
    old_files = 0
    subjects: frozenset[str] = frozenset()
    with open_stores(pipeline) as stores:
        for prefix, store in stores:
            subjects |= own_subjects(store, forms)
            deleted = erase_rows(store, forms) | erase_detections(store, forms | subjects)
            rows |= {f"{prefix}{name}": count for name, count in deleted.items()}
            old_files += store.scrub()
    return rows, old_files, _rewrite(pipeline), subjects


def _attached(pipeline: Pipeline) -> list[str]:
    with sql_client(pipeline) as client:
        return [f"attached database {name}" for name in attached_databases(client.native_connection)]


def _rewrite(pipeline: Pipeline) -> bool:
    """Rewrite the files that contained the rows, if possible; return whether no byte of the rows is left."""
    if is_made_of_files(pipeline):
        return True  # `scrub` has removed the old files
    file: Path | None = database_file(pipeline)
    if file:
        rewrite(file)
    is_postgres = destination_of_type(pipeline.destination.destination_type).name == "postgres"
    if is_postgres:
        postgres_rewrite.rewrite(pipeline)
    return bool(file) or is_postgres
