"""Dagster: read one tenant in four partitions per day, and load it when all four have been read.

Try it: SOURCES__AUTHSIGNAL_SOURCE__SHARD_FOLDER=shards dagster dev -f dagster_shards.py
"""

from collections.abc import Iterator

import dlt
from dagster import (
    AssetExecutionContext,
    AutomationCondition,
    DailyPartitionsDefinition,
    Definitions,
    MaterializeResult,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    RunRequest,
    ScheduleEvaluationContext,
    StaticPartitionsDefinition,
    asset,
    define_asset_job,
    schedule,
)

from dlt_authsignal import load_shards, read_shard

SHARDS = 4
days = DailyPartitionsDefinition(start_date="2026-01-01", end_offset=1)  # includes today
shards = StaticPartitionsDefinition([f"{number}-of-{SHARDS}" for number in range(1, SHARDS + 1)])


def pipeline() -> dlt.Pipeline:
    return dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")


@asset(partitions_def=MultiPartitionsDefinition({"day": days, "shard": shards}), group_name="authsignal")
def authsignal_shard(context: AssetExecutionContext) -> MaterializeResult:
    keys = context.partition_key.keys_by_dimension
    report = read_shard(pipeline(), keys["shard"].replace("-of-", "/"), round=keys["day"])
    return MaterializeResult(metadata={"users": report.users_read, "requests": report.requests})


@asset(
    partitions_def=days,
    deps=[authsignal_shard],
    group_name="authsignal",
    automation_condition=AutomationCondition.eager(),  # when all shards of the day have been read
)
def authsignal(context: AssetExecutionContext) -> MaterializeResult:
    tables = load_shards(pipeline(), round=context.partition_key).tables
    return MaterializeResult(metadata={name: table.total for name, table in tables.items()})


shard_job = define_asset_job("authsignal_shards", [authsignal_shard])


@schedule(job=shard_job, cron_schedule="17 3 * * *")
def nightly(context: ScheduleEvaluationContext) -> Iterator[RunRequest]:
    day = context.scheduled_execution_time.date().isoformat()
    for shard in shards.get_partition_keys():
        yield RunRequest(partition_key=MultiPartitionKey({"day": day, "shard": shard}))


definitions = Definitions(assets=[authsignal_shard, authsignal], schedules=[nightly])
