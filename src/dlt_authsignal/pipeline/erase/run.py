"""`erase`: one person, out of everything that a pipeline keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.locks import single_run
from dlt_authsignal.destination.redaction import redacted, untraced
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.destination.stores.opened import open_stores
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.destination.tombstones import bury, tombstones
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.erase import postgres_rewrite
from dlt_authsignal.pipeline.erase.duckdb_rewrite import rewrite
from dlt_authsignal.pipeline.erase.local_files import erase_leftovers
from dlt_authsignal.pipeline.erase.stored_ids import stored_forms
from dlt_authsignal.pipeline.erase.user_rows import delete_where, erase_rows
from dlt_authsignal.pipeline.load_packages import Pending, finish_pending
from dlt_authsignal.project.names import pipeline_name_or
from dlt_authsignal.project.pipelines import bring_state
from dlt_authsignal.schema.bookkeeping_tables import ERASED_USERS


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """What `erase` did.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        dataset: Dataset (schema) name.
        erased_at: Date of the tombstone: when the user was first erased.
        was_erased: Whether the tombstone was there before.
        rows: Rows deleted by table, also where there were none.
        places: Files or entries removed by place on this machine.
        old_files: Files removed that held earlier states of Delta or Iceberg tables.
        is_rewritten: Whether what holds the rows was written anew; elsewhere the database removes their bytes in its
            own time.
        finished_pending: Whether an earlier run's unfinished load was completed first.
        dropped_pending: Whether it could not be, and was dropped; the next sync reads it again.
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
) -> ErasureReport:
    """Removes a person from all tables of a dataset and from what the pipeline keeps on this machine, and leaves a
    tombstone, so that no sync brings them back. Asks Authsignal nothing. Repeated, it removes what is left.

    Args:
        user_id: The company's own id of the user, as it is at Authsignal.
        destination: dlt destination name.
        dataset: Dataset (schema) to erase from.
        pipeline_name: The pipeline that loaded it.

    Raises:
        AuthsignalError: Something could not be removed; the message says what, and what to do.
    """
    _check(user_id)
    with translate_errors(destination):
        pipeline_name = pipeline_name_or(pipeline_name)
    forms = stored_forms(user_id, pipeline_name)
    with translate_errors(destination):
        bring_state(pipeline_name)  # what is pending there holds people too
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        with single_run(pipeline), translate_errors(destination), redacted(pipeline), untraced(pipeline):
            finished, dropped = _settle_pending(pipeline)
            pipeline.sync_destination()
            known = tombstones(pipeline)
            erased_at = bury(pipeline, user_id, known)  # first of all: killed from here on, nobody comes back
            rows, old_files, is_rewritten = _erase_data(pipeline, forms)
            places = erase_leftovers(pipeline, forms)
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
    )


def lift(
    user_id: str,
    *,
    destination: str = "duckdb",
    dataset: str | None = None,
    pipeline_name: str | None = None,
) -> bool:
    """Takes a tombstone away: the next sync reads the user again. Says whether there was one.

    Args:
        user_id: The company's own id of the user.
        destination: dlt destination name.
        dataset: Dataset (schema) that holds the tombstone.
        pipeline_name: The pipeline that loads it.
    """
    _check(user_id)
    with translate_errors(destination):
        pipeline = attach(destination=destination, dataset=dataset, pipeline_name=pipeline_name)
        with single_run(pipeline), translate_errors(destination):
            known = tombstones(pipeline)
            if user_id not in known:
                return False
            with open_stores(pipeline) as stores:
                found = ERASED_USERS.name, "user_hash", known.hashes(user_id)
                return sum(delete_where(store, *found) for _, store in stores) > 0


def _check(user_id: str) -> None:
    if not user_id.strip():
        raise ConfigurationError("The user id is empty. Give the id that the user has at Authsignal.")
    try:
        user_id.encode()
    except UnicodeEncodeError:
        raise ConfigurationError("The user id is not UTF-8. Give the id that the user has at Authsignal.") from None


def _settle_pending(pipeline: Pipeline) -> tuple[bool, bool]:
    """Whether what an earlier run left was loaded, and whether it was dropped, since it could not be.

    It is loaded if it can be: dropping it would lose actions that Authsignal has forgotten since.
    """
    try:
        found = finish_pending(pipeline)
        return found is Pending.FINISHED, found is Pending.DROPPED
    except PipelineStepFailed:
        pipeline.abort_packages()
        return False, True


def _erase_data(pipeline: Pipeline, forms: frozenset[str]) -> tuple[dict[str, int], int, bool]:
    """Rows deleted by table, files removed of tables made of files, and whether no byte is left."""
    rows: dict[str, int] = {}
    old_files = 0
    with open_stores(pipeline) as stores:
        for prefix, store in stores:
            rows |= {f"{prefix}{name}": count for name, count in erase_rows(store, forms).items()}
            old_files += store.scrub()
    return rows, old_files, _rewrite(pipeline)


def _rewrite(pipeline: Pipeline) -> bool:
    """Writes anew what holds the rows, where that is for us to do; whether no byte of them is left."""
    if is_made_of_files(pipeline):
        return True  # a store of files is scrubbed
    file: Path | None = database_file(pipeline)
    if file:
        rewrite(file)
    is_postgres = destination_of_type(pipeline.destination.destination_type).name == "postgres"
    if is_postgres:
        postgres_rewrite.rewrite(pipeline)
    return bool(file) or is_postgres
