"""The page for auditors: its queries run on a synced dataset, where they show what the page says."""

import re

import duckdb

from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from tests.helpers import ROOT, rows, sync_from

PAGE = (ROOT / "docs" / "audit.md").read_text("utf-8")
PRIVACY_KEY = "9f1c7a52e8b04d63a17f5e2c9d80b6347c15f0ae92d84b6e3057c9a1f2e4d86b"
FILE = "authsignal_pipeline.duckdb"


def test_the_queries_for_auditors_show_the_run_the_erasure_and_no_plain_identifier() -> None:
    with run_in_thread(SandboxConfig(seed=7, users=4, days=10)) as running:
        sync_from(running, privacy="pseudonymize", privacy_key=PRIVACY_KEY)
        ((user, *_rest),) = rows("select user_id from users order by 1 limit 1")
        erase(user, destination="duckdb", dataset="authsignal_data", pipeline_name="authsignal_pipeline")
    text = ";".join(re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL))
    with duckdb.connect(FILE, read_only=True) as connection:
        connection.execute("set search_path = 'authsignal_data'")
        plain, erased, deleted, runs = [connection.sql(query).fetchall() for query in text.split(";") if query.strip()]
    assert plain == [(0,)]
    assert len(erased) == 1
    assert deleted == [(0, None, None)]
    assert [(outcome, read) for _, _, outcome, _, read, *_ in runs] == [("done", 4)]
