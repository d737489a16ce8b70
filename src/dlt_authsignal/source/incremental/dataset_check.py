"""What must not meet in one dataset: two projects or tenants, whose people would count as gone in turn, and ids in two
forms."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.duckdb_file import database_file, file_elsewhere
from dlt_authsignal.destination.stores.queries import arrow_columns_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.bookkeeping_tables import USER_READS
from dlt_authsignal.source.privacy.policy import Privacy

_TENANT: Final = "tenant_id"


def check_dataset(pipeline: Pipeline, tenant_id: str | None, privacy: Privacy) -> None:
    """Looks at whose the dataset is, and whom it knows already.

    Args:
        pipeline: Whose dataset.
        tenant_id: The tenant to be read; None if it is not said.
        privacy: How ids are to be stored.

    Raises:
        ConfigurationError: It is another project's or tenant's, or ids stand there that are to be hashed now.
    """
    _check_folder(pipeline)
    others = _tenants(pipeline) - {None, tenant_id} if tenant_id is not None else ()
    for other in others:
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" holds tenant {other}, and this is {tenant_id}: each would mark the'
            " other's users as deleted. Give every tenant a --dataset and a --pipeline-name of its own."
        )
    for known in _with_old_privacy(pipeline, privacy):
        if any(privacy.stored_id(user_id) != user_id for user_id in known):
            raise ConfigurationError(
                f'Dataset "{pipeline.dataset_name}" holds user ids as they are that are to be hashed now: those users'
                " would be there twice, and stay readable. Load into a new dataset (--dataset, --pipeline-name), or"
                " leave the privacy settings as they were. docs/privacy.md says more."
            )


def _check_folder(pipeline: Pipeline) -> None:
    begun_in = file_elsewhere(pipeline)
    if begun_in and Path(".dlt").is_dir() and (begun_in / ".dlt").is_dir():
        raise ConfigurationError(
            f'Pipeline "{pipeline.pipeline_name}" is that of another project, {begun_in}, where its database is. Give'
            " this project's another name (--pipeline-name, or dlt.pipeline() in a script), or run it there."
        )


def _tenants(pipeline: Pipeline) -> set[str | None]:
    """Whose users the dataset knows; also where another pipeline made it, of which this one's schema says nothing."""
    if is_made_of_files(pipeline):
        return {name for batch in arrow_columns_of(pipeline, USER_READS.name, _TENANT) for name in _texts(batch)}
    file = database_file(pipeline)
    if file and not file.exists():  # to look would be to make it
        return set()
    try:
        with pipeline.sql_client() as client:
            column, reads = client.escape_column_name(_TENANT), client.make_qualified_table_name(USER_READS.name)
            return {name for (name,) in client.execute_sql(f"SELECT DISTINCT {column} FROM {reads}") or ()}
    except DestinationUndefinedEntity:
        return set()


def _texts(batch: Any) -> list[str | None]:
    found: list[str | None] = batch.column(_TENANT).unique().to_pylist()
    return found


def _with_old_privacy(pipeline: Pipeline, privacy: Privacy) -> Iterator[list[str]]:
    """Ids of users whose rows were stored under other settings."""
    import pyarrow.compute as pc

    now = f"{privacy.fingerprint:016x}"
    columns = "user_id", "privacy_hash"
    for known in arrow_columns_of(pipeline, USER_READS.name, *columns, where=f"privacy_hash <> '{now}'"):
        others = pc.fill_null(pc.not_equal(known.column("privacy_hash"), now), False)
        yield known.column("user_id").filter(others).to_pylist()
