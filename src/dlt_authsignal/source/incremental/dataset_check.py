"""Check that a dataset belongs to this project and tenant, and does not contain ids in two forms."""

from collections.abc import Iterator

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.queries import arrow_columns_of
from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.project.pipelines import check_pipeline
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.tenant.check import Evidence, check_tenant


def check_dataset(pipeline: Pipeline, evidence: Evidence, privacy: Privacy) -> None:
    """Check that the dataset belongs to this project and tenant, and that its ids match the privacy settings.

    Args:
        pipeline: Pipeline of the dataset.
        evidence: What the run knows of its tenant.
        privacy: Privacy settings of this run.

    Raises:
        OtherTenant: The dataset holds another tenant, or was loaded with other keys only.
        ConfigurationError: The dataset belongs to another project, or contains plain ids that are now hashed.
    """
    check_pipeline(pipeline)
    check_content(pipeline, evidence, privacy)


def check_content(pipeline: Pipeline, evidence: Evidence, privacy: Privacy) -> None:
    """Check the same, except for the project.

    Raises:
        OtherTenant: The dataset holds another tenant, or was loaded with other keys only.
        ConfigurationError: The dataset contains plain ids that are now hashed.
    """
    check_tenant(pipeline, evidence)
    for known in _with_old_privacy(pipeline, privacy):
        if any(map(privacy.is_now_hashed, known)):
            raise ConfigurationError(
                f'Dataset "{pipeline.dataset_name}" contains plain user ids, but the current settings hash them.'
                " Loading would duplicate those users and leave the plain ids, so nothing was loaded. Load into a new"
                " dataset (--dataset, --pipeline-name), or restore the previous privacy settings. See"
                f" {DOCS}/privacy.md"
            )


def _with_old_privacy(pipeline: Pipeline, privacy: Privacy) -> Iterator[list[str]]:
    """Yield ids of users whose rows were stored under other settings."""
    import pyarrow.compute as pc

    now = f"{privacy.fingerprint:016x}"
    columns = "user_id", "privacy_hash"
    for known in arrow_columns_of(pipeline, USER_READS.name, *columns, where=f"privacy_hash <> '{now}'"):
        others = pc.fill_null(pc.not_equal(known.column("privacy_hash"), now), False)
        yield known.column("user_id").filter(others).to_pylist()
