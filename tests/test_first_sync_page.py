"""docs/first-sync.md: each command runs as printed, on PostgreSQL, and prints what the page shows."""

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from dlt_authsignal.sandbox import SandboxConfig
from tests.helpers import ROOT, command
from tests.shared_fixtures import served

PAGE = (ROOT / "docs" / "first-sync.md").read_text("utf-8")
STEPS = re.findall(r"```sh\ndlt-authsignal (.*?)\n```\n\n```text\n(.*?)```", PAGE, re.DOTALL)
ADDRESS = "http://127.0.0.1:4443/v1"


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.mark.deep
def test_the_first_sync_runs_as_printed(postgres_database: str, workdir: Path) -> None:
    import psycopg2

    assert [shlex.split(step)[0] for step, _ in STEPS] == ["init", "doctor", "sync", "models"]
    with served(SandboxConfig(users=500, seed=7)) as running:
        for step, shown in STEPS:
            env = {"SOURCES__AUTHSIGNAL_SOURCE__RATE": "20" if step.startswith("doctor") else "max"}
            done = command(*shlex.split(step.replace(ADDRESS, running.url)), env=env, timeout=110)
            assert done.returncode == 0, done.stderr
            printed = lines(done.stdout.replace(running.url, ADDRESS))
            assert [line for line in lines(shown) if line not in printed] == [], done.stdout
            if step.startswith("init"):
                secrets = workdir / ".dlt" / "secrets.toml"
                database = f'\n[destination.postgres]\ncredentials = "{postgres_database}"\n'
                secrets.write_text(secrets.read_text("utf-8") + database, encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with closing(psycopg2.connect(postgres_database)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        (row,) = cursor.fetchall()
    assert f"{row[0]:.0f} | {row[1]:.0f}" in " ".join(PAGE.split())
