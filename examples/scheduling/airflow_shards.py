"""Airflow 3: read one tenant in four mapped tasks, and load it in one task.

Set the keys and the shard folder in the environment of the workers:
SOURCES__AUTHSIGNAL_SOURCE__SHARD_FOLDER=s3://bucket/shards
"""

import re
from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import dag, task

SHARDS = 4


def round_of(run_id: str | None) -> str:
    """Return the name of a DAG run's round. A task that is cleared has the same round, so it replaces its shard."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", str(run_id))


@dag(
    schedule="17 3 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a sync brings everything up to date, so past runs need not be repeated
    max_active_runs=1,  # the first of two loads would make the shards of the other run outdated
    tags=["authsignal"],
)
def authsignal_shards() -> None:
    @task(retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(hours=6))
    def read(shard: str, run_id: str | None = None) -> int:
        import dlt  # here, so that Airflow parses this file without loading dlt

        from dlt_authsignal import read_shard

        pipeline = dlt.pipeline("authsignal_pipeline", destination="postgres", dataset_name="authsignal_data")
        return read_shard(pipeline, shard, round=round_of(run_id)).users_read

    @task(retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(hours=2))
    def load(run_id: str | None = None) -> dict[str, Any]:
        import dlt

        from dlt_authsignal import load_shards

        pipeline = dlt.pipeline("authsignal_pipeline", destination="postgres", dataset_name="authsignal_data")
        report = load_shards(pipeline, round=round_of(run_id))
        return {name: table.total for name, table in report.tables.items()}

    read.expand(shard=[f"{number}/{SHARDS}" for number in range(1, SHARDS + 1)]) >> load()


authsignal_shards()
