"""What a load package of dlt holds."""

from pathlib import Path
from typing import Any

import dlt
import pytest

from dlt_authsignal.pipeline.load_packages import has_rows


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "insert_values", "parquet"])
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_file_that_only_creates_a_table_counts_as_one_without_rows(
    tmp_path: Path, file_format: Any, rows: int
) -> None:
    destination = "postgres" if file_format in ("csv", "insert_values") else "duckdb"
    pipeline = dlt.pipeline("packages", str(tmp_path), destination=destination, dataset_name="data")
    mark = dlt.mark.materialize_table_schema()
    columns: Any = {"id": {"data_type": "bigint"}, "text": {"data_type": "text"}}
    values: list[Any] = [{"id": row, "text": "two\nlines"} for row in range(rows)]
    resource = dlt.resource(values or [mark], name="table", columns=columns)
    pipeline.extract(resource, loader_file_format=file_format)
    pipeline.normalize()
    (load_id,) = pipeline.list_normalized_load_packages()
    (job,) = [
        job
        for job in pipeline.get_load_package_info(load_id).jobs["new_jobs"]
        if job.job_file_info.table_name == "table"
    ]
    assert has_rows(job.file_path, file_format) == bool(rows)
