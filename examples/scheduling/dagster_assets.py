"""Dagster: each table an asset. Try it: dagster dev -f dagster_assets.py"""

from collections.abc import Iterator
from typing import Any

import dlt
from dagster import AssetExecutionContext, AssetSelection, Definitions, ScheduleDefinition, define_asset_job
from dagster_dlt import DagsterDltResource, dlt_assets

from dlt_authsignal import authsignal_source

pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")


@dlt_assets(dlt_source=authsignal_source(), dlt_pipeline=pipeline, name="authsignal", group_name="authsignal")
def authsignal_assets(context: AssetExecutionContext, dlt: DagsterDltResource) -> Iterator[Any]:
    if pipeline.has_pending_data:  # a run that was killed: dlt would load what it left, and not read anything
        pipeline.run()
    yield from dlt.run(context=context)


hourly = ScheduleDefinition(
    job=define_asset_job("authsignal_sync", AssetSelection.assets(authsignal_assets)), cron_schedule="17 * * * *"
)

definitions = Definitions(assets=[authsignal_assets], schedules=[hourly], resources={"dlt": DagsterDltResource()})
