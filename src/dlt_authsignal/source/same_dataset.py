"""What must not meet in one dataset: two tenants, whose people would count as gone in turn, and ids in two forms."""

from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.failures import database_file
from dlt_authsignal.source.held import arrow_columns_of
from dlt_authsignal.source.privacy import Privacy
from dlt_authsignal.source.reads import USER_READS

_TENANT: Final = "tenant_id"


def check_dataset(pipeline: Pipeline, tenant_id: str | None, privacy: Privacy) -> None:
    """Looks at whom the dataset knows already.

    Args:
        pipeline: Whose dataset.
        tenant_id: The tenant to be read; None if it is not said.
        privacy: How ids are to be stored.

    Raises:
        ConfigurationError: They are another tenant's, or their ids stand there as they are to be hashed now.
    """
    others = _tenants(pipeline) - {None, tenant_id} if tenant_id is not None else ()
    for other in others:
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" holds tenant {other}, and this is {tenant_id}: each would mark the'
            " other's users as deleted. Give every tenant a --dataset and a --pipeline-name of its own."
        )
    for known in arrow_columns_of(pipeline, USER_READS.name, "user_id", "privacy_hash"):
        if any(privacy.stored_id(user_id) != user_id for user_id in _stored_otherwise(known, privacy)):
            raise ConfigurationError(
                f'Dataset "{pipeline.dataset_name}" holds user ids that are e-mail addresses or phone numbers as they'
                " are, and now they are to be hashed: everybody would be there twice, and stay readable. Load into a"
                ' new dataset (--dataset, --pipeline-name), or say privacy = "keep". docs/privacy.md says more.'
            )


def _tenants(pipeline: Pipeline) -> set[str | None]:
    """Whose users the dataset knows; also where another pipeline made it, of which this one's schema says nothing."""
    if pipeline.destination.destination_type.endswith(".filesystem"):
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


def _stored_otherwise(known: Any, privacy: Privacy) -> list[str]:
    import pyarrow.compute as pc

    others = pc.fill_null(pc.not_equal(known["privacy_hash"], f"{privacy.fingerprint:016x}"), False)
    found: list[str] = known["user_id"].filter(others).to_pylist()
    return found
