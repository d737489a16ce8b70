"""Resource of the table `dataset_tenant`: what identifies the tenant of a dataset."""

from collections.abc import Iterator
from typing import Any

import dlt
from dlt.extract import DltResource

from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.schema.tables.bookkeeping import DATASET_TENANT
from dlt_authsignal.source.resources.table_resource import Loading
from dlt_authsignal.source.tenant.check import Evidence, check_tenant


def identity_resource(evidence: Evidence) -> DltResource:
    """Return a resource that refuses the dataset of another tenant, and records a key or tenant id that is new."""

    def read() -> Iterator[Any]:
        with keep_open(running_pipeline()):
            new = check_tenant(running_pipeline(), evidence)
        if new:
            yield from Loading(DATASET_TENANT).rows(new)

    resource: DltResource = dlt.resource(read, **hints(DATASET_TENANT, as_rows=False))
    return resource
