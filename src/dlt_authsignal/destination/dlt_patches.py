"""What Delta and Iceberg tables need and dlt 1.31 does not do.

Every file's columns, each key once, and for Iceberg a merge that ends in our lifetime.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, Final


def read_every_column() -> None:
    """Makes dlt read the columns of all files of one load, where it reads those of the first and drops the rest.

    A field that turns up late in a load would be lost without a word otherwise.
    """
    from dlt.common.libs import pyarrow as reading
    from dlt.destinations.impl.filesystem.filesystem import TableFormatLoadFilesystemJob as Job

    reading.get_local_dataset_reader = _reader
    Job.arrow_dataset = property(lambda job: dataset_of(job.file_paths))  # type: ignore[method-assign,assignment]


def dataset_of(paths: Sequence[str]) -> Any:
    """Parquet files as one dataset with all their columns."""
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    return pyarrow.dataset.dataset(list(paths), schema=pa.unify_schemas([pq.read_schema(path) for path in paths]))


def merge_at_once() -> None:
    """Makes dlt merge an Iceberg table in one commit, file by file.

    It does so by 1,000 rows otherwise and searches the table for each: minutes for a few thousand.
    """
    from dlt.common.libs import pyiceberg as merging

    from dlt_authsignal.destination.stores import iceberg

    merging.merge_iceberg_table = iceberg.merge


def _reader(file_paths: Sequence[str]) -> Any:
    return dataset_of(file_paths).scanner(batch_size=65_536, batch_readahead=2, fragment_readahead=1).to_reader()


class _Meant(logging.Filter):
    """dlt warns for each batch that a column of JSON comes as text; Arrow knows it no other way."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "when merging arrow schema with dlt schema" not in record.getMessage()


LIMIT: Final = "256MB"
"""Beyond it DuckDB uses files beside the database, for as long as the merge lasts."""


@cache
def limit_memory() -> None:
    """Gives every DuckDB that dlt opens in this process the limit, unless `global_config` has one."""
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    resolved = DuckDbCredentials.on_resolved

    def on_resolved(credentials: Any) -> None:
        credentials.global_config = {"memory_limit": LIMIT, **(credentials.global_config or {})}
        resolved(credentials)

    DuckDbCredentials.on_resolved = on_resolved  # type: ignore[method-assign,assignment]
