"""Rewrite PostgreSQL tables: until then, a deleted row stays in the table's file."""

import re
from typing import Any, Final

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.stores.sql_store import datasets
from dlt_authsignal.errors import RunFailed
from dlt_authsignal.pipeline.erase.user_rows import holds_people

LONGEST_WAIT: Final = "60s"
"""Longest wait for the lock of a table that is in use."""

_STATISTICS: Final = "pg_catalog.pg_statistic"
"""Table where ANALYZE stores the most common values of each column; only the database's owner may vacuum it."""

_STILL_SEEN: Final = re.compile(r"\n[^\n:]+:\s+(\d+)\s")


def rewrite(pipeline: Pipeline) -> None:
    """Rewrite the tables that contain users, each locked meanwhile, and the server's statistics, which quote values.

    Raises:
        RunFailed: A transaction that began before the rows were deleted can still see them.
    """
    with pipeline.destination_client() as job_client:
        client: Any = job_client
        sql = client.sql_client
        places = [
            store.place(name)
            for _, store in datasets(client)
            for name, columns in store.columns().items()
            if holds_people(name, columns)
        ]
        sql.execute_sql(f"SET lock_timeout = '{LONGEST_WAIT}'")
        notices = sql.native_connection.notices
        for place in places:
            del notices[:]
            sql.execute_sql(f"VACUUM (FULL, ANALYZE, VERBOSE) {place}")
            _check(notices)
        sql.execute_sql(f"VACUUM FULL {_STATISTICS}")


def _check(notices: list[str]) -> None:
    kept = sum(int(number) for notice in notices for number in _STILL_SEEN.findall(notice))
    if kept:
        raise RunFailed(
            f"The rows are deleted, but an older transaction can still see {kept:,} old versions of rows, so PostgreSQL"
            " keeps them. End that transaction (the oldest xact_start in pg_stat_activity) and run erase again."
        )
