"""Dagster: each table an asset. Try it: dagster dev -f dagster_assets.py"""

from collections.abc import Iterator

import dlt
from dagster import (
    AssetSelection,
    AssetSpec,
    Definitions,
    MaterializeResult,
    ScheduleDefinition,
    define_asset_job,
    multi_asset,
)

from dlt_authsignal import sync

TABLES = ["users", "user_authenticators", "user_actions", "user_devices", "tenant_authenticators"]


@multi_asset(specs=[AssetSpec(name, group_name="authsignal") for name in TABLES])
def authsignal() -> Iterator[MaterializeResult]:
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    tables = sync(pipeline, tables=TABLES).tables
    for name in TABLES:
        counts = {"rows": tables[name].total, "new": tables[name].new, "changed": tables[name].changed}
        yield MaterializeResult(asset_key=name, metadata={**counts, "deleted": tables[name].deleted})


hourly = ScheduleDefinition(
    job=define_asset_job("authsignal_sync", AssetSelection.assets(authsignal)), cron_schedule="17 * * * *"
)

definitions = Definitions(assets=[authsignal], schedules=[hourly])
