"""Check that a dataset is not shared by two projects or tenants, and does not contain ids in two forms."""

from collections.abc import Iterator
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.duckdb_file import database_file
from dlt_authsignal.destination.stores.queries import arrow_columns_of
from dlt_authsignal.destination.stores.store import is_made_of_files
from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.project.pipelines import check_pipeline
from dlt_authsignal.schema.bookkeeping_tables import USER_READS
from dlt_authsignal.source.privacy.policy import Privacy

_TENANT: Final = "tenant_id"


def check_dataset(pipeline: Pipeline, tenant_id: str | None, privacy: Privacy) -> None:
    """Check that the dataset belongs to this project and tenant, and that its ids match the privacy settings.

    Args:
        pipeline: Pipeline of the dataset.
        tenant_id: Tenant to read; None if unknown.
        privacy: Privacy settings of this run.

    Raises:
        ConfigurationError: The dataset belongs to another project or tenant, or contains plain ids that are now hashed.
    """
    check_pipeline(pipeline)
    others = _tenants(pipeline) - {None, tenant_id} if tenant_id is not None else ()
    for other in others:
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" contains tenant {other}, but this run reads tenant {tenant_id}. Each'
            " would mark the other's users as deleted, so nothing was loaded. Use a separate --dataset and"
            " --pipeline-name for each tenant."
        )
    for known in _with_old_privacy(pipeline, privacy):
        if any(privacy.stored_id(user_id) != user_id for user_id in known):
            raise ConfigurationError(
                f'Dataset "{pipeline.dataset_name}" contains plain user ids, but the current settings hash them.'
                " Loading would duplicate those users and leave the plain ids, so nothing was loaded. Load into a new"
                " dataset (--dataset, --pipeline-name), or restore the previous privacy settings. See"
                f" {DOCS}/privacy.md"
            )


def _tenants(pipeline: Pipeline) -> set[str | None]:
    """Return the tenants of the users in the dataset, even if another pipeline created it."""
    if is_made_of_files(pipeline):
        return {name for batch in arrow_columns_of(pipeline, USER_READS.name, _TENANT) for name in _texts(batch)}
    file = database_file(pipeline)
    if file and not file.exists():  # connecting would create it
        return set()
    try:
        with sql_client(pipeline) as client:
            column, reads = client.escape_column_name(_TENANT), client.make_qualified_table_name(USER_READS.name)
            return {name for (name,) in client.execute_sql(f"SELECT DISTINCT {column} FROM {reads}") or ()}
    except DestinationUndefinedEntity:
        return set()


def _texts(batch: Any) -> list[str | None]:
    found: list[str | None] = batch.column(_TENANT).unique().to_pylist()
    return found


def _with_old_privacy(pipeline: Pipeline, privacy: Privacy) -> Iterator[list[str]]:
    """Yield ids of users whose rows were stored under other settings."""
    import pyarrow.compute as pc

    now = f"{privacy.fingerprint:016x}"
    columns = "user_id", "privacy_hash"
    for known in arrow_columns_of(pipeline, USER_READS.name, *columns, where=f"privacy_hash <> '{now}'"):
        others = pc.fill_null(pc.not_equal(known.column("privacy_hash"), now), False)
        yield known.column("user_id").filter(others).to_pylist()
