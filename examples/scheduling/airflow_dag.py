"""Airflow 3: Authsignal into the warehouse, hourly. Keys come from the environment of the worker."""

from datetime import datetime, timedelta
from typing import Any

from airflow.sdk import dag, task


@dag(
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a sync brings everything up to date; there is nothing to repeat for the past
    max_active_runs=1,
    tags=["authsignal"],
)
def authsignal() -> None:
    @task(retries=2, retry_delay=timedelta(minutes=5), execution_timeout=timedelta(hours=2))
    def load() -> dict[str, Any]:
        import dlt  # here, so that Airflow parses this file without loading dlt

        from dlt_authsignal import sync

        pipeline = dlt.pipeline("authsignal_pipeline", destination="postgres", dataset_name="authsignal_data")
        return {name: table.total for name, table in sync(pipeline).tables.items()}

    load()


authsignal()
