"""The examples of examples/scheduling, in the schedulers they are for. `make test-schedulers` installs those."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import pytest

from dlt_authsignal.cli.main import cli
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import at, rows
from tests.warehouses import postgres_cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "scheduling"

pytestmark = pytest.mark.timeout(300)


def run(*command: str | Path, **env: str) -> str:
    """What a command prints; it has to succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture
def warehouse() -> Iterator[str]:
    with postgres_cluster() as server:
        yield f"{server}/postgres"


def users_in(warehouse: str) -> int:
    with psycopg2.connect(warehouse) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from authsignal_data.users")
        ((count,),) = cursor.fetchall()
        return int(count)


def run_dag(example: str, dag: str, workdir: Path, warehouse: str, **environment: str) -> str:
    """What Airflow says about one run of an example that loads into a PostgreSQL database."""
    (workdir / "dags").mkdir()
    shutil.copy(EXAMPLES / example, workdir / "dags")
    airflow = ROOT / ".venv-airflow" / "bin" / "airflow"
    settings = {
        **environment,
        "AIRFLOW_HOME": str(workdir / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(workdir / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "DESTINATION__POSTGRES__CREDENTIALS": warehouse,
    }
    run(airflow, "db", "migrate", **settings)
    return run(airflow, "dags", "test", dag, **settings)


def test_the_dag_runs_in_airflow_and_fills_the_warehouse(seeded: RunningSandbox, warehouse: str, workdir: Path) -> None:
    assert "state=success" in run_dag("airflow_dag.py", "authsignal", workdir, warehouse, **at(seeded))
    assert users_in(warehouse) == 40


def test_the_assets_materialise_in_dagster_twice_without_duplicates(seeded: RunningSandbox, workdir: Path) -> None:
    shutil.copy(EXAMPLES / "dagster_assets.py", workdir)
    dagster = ROOT / ".venv-dagster" / "bin" / "dagster"
    select = ("asset", "materialize", "-f", "dagster_assets.py", "--select", "*")
    settings = {**at(seeded), "DAGSTER_HOME": str(workdir), "DAGSTER_DISABLE_TELEMETRY": "1"}
    for _ in range(2):
        said = run(dagster, *select, **settings)
        assert "Materialized value user_authenticators" in said
    assert rows("select count(*), count(distinct user_id) from users") == [(40, 40)]


def test_the_dag_of_shards_reads_in_mapped_tasks_and_loads_once(
    seeded: RunningSandbox, warehouse: str, workdir: Path
) -> None:
    environment = at(seeded, SHARD_FOLDER=str(workdir / "shards"))
    assert "state=success" in run_dag("airflow_shards.py", "authsignal_shards", workdir, warehouse, **environment)
    assert users_in(warehouse) == 40
    assert not list((workdir / "shards").rglob("*.parquet"))


def test_the_partitions_of_shards_materialise_in_dagster_and_are_loaded_once(
    seeded: RunningSandbox, workdir: Path
) -> None:
    shutil.copy(EXAMPLES / "dagster_shards.py", workdir)
    dagster = ROOT / ".venv-dagster" / "bin" / "dagster"
    settings = {
        **at(seeded, SHARD_FOLDER=str(workdir / "shards")),
        "DAGSTER_HOME": str(workdir),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }
    day = datetime.now(UTC).date().isoformat()
    for number in (1, 2, 3, 4):
        shard = "--select", "authsignal_shard", "--partition", f"{day}|{number}-of-4"
        run(dagster, "asset", "materialize", "-f", "dagster_shards.py", *shard, **settings)
    assert list((workdir / "shards").rglob("*.parquet"))
    run(
        dagster,
        "asset",
        "materialize",
        "-f",
        "dagster_shards.py",
        "--select",
        "authsignal",
        "--partition",
        day,
        **settings,
    )
    assert rows("select count(*), count(distinct user_id) from users") == [(40, 40)]
    assert not list((workdir / "shards").rglob("*.parquet"))


def test_the_workflow_is_valid_for_github() -> None:
    judge = ROOT / ".venv-judges" / "bin" / "check-jsonschema"
    assert "ok" in run(judge, "--builtin-schema", "vendor.github-workflows", EXAMPLES / "github-actions.yml")


def test_the_cron_job_is_valid_for_kubernetes() -> None:
    judge = ROOT / ".venv-judges" / "bin" / "kubernetes-validate"
    assert "passed for resource cronjob/authsignal-sync" in run(judge, "--strict", EXAMPLES / "kubernetes-cronjob.yaml")


def test_the_units_are_valid_for_systemd(workdir: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.fail("systemd-analyze judges the units: apt-get install systemd.")
    for name in ("authsignal-sync.service", "authsignal-sync.timer"):
        unit = (EXAMPLES / name).read_text().replace("/srv/authsignal/.venv/bin/dlt-authsignal", "/bin/true")
        (workdir / name).write_text(unit.replace("User=authsignal", "User=root"))
    said = run(analyze, "verify", "--man=no", workdir / "authsignal-sync.timer", workdir / "authsignal-sync.service")
    assert "authsignal-sync" not in said, said


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_command_in_the_examples_is_a_valid_command(path: Path) -> None:
    text = path.read_text()
    commands = re.findall(r"dlt-authsignal ((?:[\w./*-]+ ?)+)", re.sub(r'[",\[\]]+', "", text))
    for line in commands:
        words = line.split()
        command = cli.commands.get(words[0])
        if command is not None:
            command.make_context(words[0], words[1:])
    expects = path.suffix not in (".py", ".timer")
    assert bool(commands) == expects
