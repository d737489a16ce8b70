"""System and browser of attempts: in tables that an earlier version loaded, and in the KPIs over them."""

from collections import defaultdict
from typing import Any

import duckdb
import pytest

from dlt_authsignal.models import find_model
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import rows, sync_from
from tests.loaded import synced

DERIVED = ("user_agent_os", "user_agent_browser")
FAMILIES = f"select user_id, idempotency_key, {', '.join(DERIVED)} from user_actions order by all"


def load_by_an_earlier_version(running: RunningSandbox, **arguments: Any) -> None:
    """Sync, and remove the derived columns from the table and from every schema of dlt."""
    sync_from(running, **arguments)
    pipeline = attach()
    schema = pipeline.default_schema
    for name in DERIVED:
        schema.tables["user_actions"]["columns"].pop(name)
    pipeline.schemas.save_schema(schema)
    pipeline.sync_schema()
    with pipeline.sql_client() as client:
        for name in DERIVED:
            client.execute_sql(f"alter table user_actions drop column {name}")


@pytest.mark.deep
def test_the_next_sync_adds_the_columns_and_counts_no_action_as_changed(seeded: RunningSandbox) -> None:
    seeded.sandbox.clock.freeze()
    load_by_an_earlier_version(seeded)
    hashes = rows("select idempotency_key, _row_hash from user_actions order by all")
    report = sync_from(seeded)
    assert (report.recreated, report.users_read) == ([], 0)
    again = sync_from(seeded, full=True)
    assert (again.tables["user_actions"].new, again.tables["user_actions"].changed) == (0, 0)
    assert rows("select idempotency_key, _row_hash from user_actions order by all") == hashes
    assert {row[2] for row in rows(FAMILIES)} == {"iOS", "Android", "Windows", "Mac OS"}


def slices(dimension: str) -> dict[str, float]:
    """Denominators of the drop-off rate, by system or browser."""
    text = in_duckdb(query(find_model("drop_off_rate"), existing(attach())))
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        connection.execute("set schema = 'authsignal_data'")
        found = connection.execute(
            "select dimension_value, denominator"
            f" from ({text}) as k where period_grain = 'all' and dimension = '{dimension}'"
        ).fetchall()
    return defaultdict(float, found)


def test_attempts_that_an_earlier_version_loaded_are_recognised_by_the_words_of_a_plain_user_agent(
    seeded: RunningSandbox,
) -> None:
    synced(seeded)
    pipeline, expected = attach(), {name: slices(name) for name in ("os", "browser")}
    with pipeline.sql_client() as client:
        client.execute_sql("update user_actions set user_agent_os = null where country_code <> 'US'")
    assert slices("os") == expected["os"]
    with pipeline.sql_client() as client:
        client.execute_sql("update user_actions set user_agent = 'a hash', user_agent_browser = null")
    assert slices("browser")["unknown"] == sum(expected["browser"].values())
    assert "unknown" not in expected["os"]
