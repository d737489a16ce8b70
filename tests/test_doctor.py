"""`dlt-authsignal doctor`: what a destination can do is shown, what it cannot is named, and nothing is left behind."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.cli.output.doctor.diagnosis import Diagnosis
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.helpers import SECRET, at, command, sync_from
from tests.tiers import deep_after
from tests.warehouses import Postgres

DONE = ("driver is installed", "the connection works", "it allows creating", "it merges", "dropping")


def ticks(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("✓")]


@pytest.mark.deep
def test_a_database_that_passes_all_checks_is_unchanged(empty: RunningSandbox, postgres_database: str) -> None:
    env = {**Postgres(postgres_database).env, **at(empty)}
    done = command("doctor", "--destination", "postgres", "--dataset", "mine", env=env)
    assert done.returncode == 0, done.stderr
    found = [line for line in ticks(done.stdout) if line.startswith("✓ postgres")]
    assert all(word in line for word, line in zip(DONE, found, strict=True))
    assert "Next: dlt-authsignal sync --destination postgres --dataset mine\n" in done.stdout
    left = Postgres(postgres_database).rows("select count(*) from pg_namespace where nspname like 'authsignal%'")
    assert left == [(0,)]


@pytest.mark.deep
def test_doctor_tests_the_duckdb_file_of_the_sync_and_leaves_no_trace(empty: RunningSandbox, workdir: Path) -> None:
    done = command("doctor", "--pipeline-name", "mine", env=at(empty))
    assert done.stdout.count("✓ duckdb: ") == len(DONE), done.stderr
    assert "mine.duckdb" in done.stdout
    assert "sync --destination duckdb --pipeline-name mine" in done.stdout
    assert list(workdir.rglob("*.duckdb")) == []
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("create table own (a int)")
    assert command("doctor", env=at(empty)).returncode == 0
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        schemas = connection.execute("select distinct schema_name from information_schema.schemata").fetchall()
        assert connection.execute("select count(*) from own").fetchall() == [(0,)]
    assert not [name for (name,) in schemas if name.startswith("authsignal")]


@pytest.mark.deep
@pytest.mark.parametrize("table_format", ["delta", pytest.param("iceberg", marks=pytest.mark.slow)])
def test_doctor_tests_a_filesystem_in_its_table_format(workdir: Path, table_format: str) -> None:
    prefix = "DESTINATION__FILESYSTEM__"
    env = {f"{prefix}BUCKET_URL": str(workdir / "lake"), f"{prefix}TABLE_FORMAT": table_format}
    done = command("doctor", "--destination", "filesystem", env=env)
    assert len(ticks(done.stdout)) == len(DONE), done.stderr
    assert [path for path in (workdir / "lake").rglob("*") if path.is_file()] == []


def test_doctor_stops_at_the_first_failed_check_with_the_next_step(empty: RunningSandbox) -> None:
    url = "postgresql://loader:hunter2@127.0.0.1:1/warehouse"
    env = {"DESTINATION__POSTGRES__CREDENTIALS": url, **at(empty)}
    done = command("doctor", "--destination", "postgres", env=env)
    assert done.returncode == 1
    assert done.stdout.count("✓ postgres: ") == 1
    assert "Correct host and port under [destination.postgres.credentials]" in done.stdout
    assert "Connection refused" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_doctor_tests_the_keys_too(empty: RunningSandbox) -> None:
    done = command("doctor", env=at(empty))
    assert done.returncode == 0, done.stderr
    assert "✓ api_secret_key: users, user_authenticators" in done.stdout
    assert "The tenant lists its users." in done.stdout
    assert set(empty.sandbox.log.by_route) == {"GET /authenticators", "GET /users"}


def test_a_key_that_does_not_work_is_reported_and_the_destination_is_tested_anyway(empty: RunningSandbox) -> None:
    done = command("doctor", env=at(empty, API_SECRET_KEY="nope"))
    assert done.returncode == 2
    assert "✗ api_secret_key" in done.stdout
    assert "✓ duckdb: it merges" in done.stdout
    assert "api_secret_key: It does not work at 127.0.0.1" in done.stderr
    assert "nope" not in done.stdout + done.stderr


@pytest.mark.deep
def test_doctor_reports_due_users_and_how_long_a_sync_will_take(seeded: RunningSandbox) -> None:
    said = command("doctor", env=at(seeded, RATE="20")).stdout
    assert "✓ sync: 40 of 40 users are due: up to 160 requests, 8 seconds at 20 a second." in said
    sync_from(seeded)
    seeded.sandbox.log.clear()
    assert "✓ sync: 0 of 40 users are due." in command("doctor", env=at(seeded)).stdout
    assert "GET /users/{userId}" not in seeded.sandbox.log.by_route


@pytest.mark.deep
def test_doctor_reports_a_refused_user_list_and_continues() -> None:
    with run_in_thread(SandboxConfig(users=3, listing="refused")) as running:
        done = command("doctor", env=at(running))
    assert done.returncode == 0, done.stderr
    assert "- sync: Authsignal answered 400" in done.stdout
    assert done.stdout.endswith("Next: dlt-authsignal sync --destination duckdb --users-from ids.csv\n")


@pytest.mark.parametrize(
    ("settings", "said"),
    deep_after(
        1,
        [
            ({"PRIVACY": "pseudonymize"}, "- privacy: Identifiers are left out"),
            (
                {"PRIVACY": "pseudonymize", "PRIVACY_KEY": "3f9c1be07a52d8644e0d97b1c65fa238"},
                "✓ privacy: identifiers are hashed",
            ),
            (
                {"PRIVACY_COLUMNS": '{"users.custom": "drop"}'},
                "in plain text (keep)\n- privacy_columns: users.custom: drop",
            ),
        ],
    ),
)
def test_doctor_reports_the_privacy_settings(empty: RunningSandbox, settings: dict[str, str], said: str) -> None:
    done = command("doctor", env=at(empty, **settings))
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    assert "3f9c1be07a52d864" not in done.stdout + done.stderr


def as_json(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Exit code and object of `doctor --json`; no result repeats the key."""
    done = command("doctor", "--json", *arguments, env=env)
    assert SECRET not in done.stdout + done.stderr
    assert "nope" not in done.stdout + done.stderr
    return done.returncode, json.loads(done.stdout)


def named(found: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [check for check in found["checks"] if check["name"] == name]


def test_json_is_one_object_with_each_check_and_its_fix(seeded: RunningSandbox) -> None:
    code, found = as_json("--dataset", "mine", "--pipeline-name", "other", env=at(seeded, RATE="20"))
    assert (code, found["ok"], found["address"]) == (0, True, seeded.url)
    assert (found["destination"], found["pipeline"], found["dataset"]) == ("duckdb", "other", "mine")
    assert {tuple(check) for check in found["checks"]} == {("name", "ok", "message", "fix")}
    assert len(named(found, "duckdb")) == len(DONE)
    assert named(found, "sync")[0]["message"].endswith("8 seconds at 20 a second.")
    code, found = as_json(env=at(seeded, API_SECRET_KEY="nope"))
    (refused,) = named(found, "api_secret_key")
    assert (code, found["ok"], refused["ok"]) == (2, False, False)
    assert "Copy it again" in refused["fix"]


@pytest.mark.deep
def test_without_any_key_doctor_exits_with_2_and_reports_the_address_it_would_use(workdir: Path) -> None:
    done = command("doctor")
    assert done.returncode == 2
    assert f"- address: {REGIONS['us']} (region us, the default)" in done.stdout
    assert "✗ keys: No keys found. Run dlt-authsignal init" in done.stdout
    assert done.stdout.count("✓ duckdb: ") == len(DONE)
    code, found = as_json(env={"SOURCES__AUTHSIGNAL_SOURCE__REGION": "eu"})
    assert (code, found["ok"], found["address"]) == (2, False, REGIONS["eu"])
    assert not named(found, "keys")[0]["ok"]


@pytest.mark.parametrize("blank", deep_after(1, ["", "  ", "<configure me>"]))
def test_a_blank_key_is_a_problem_even_if_other_keys_work(empty: RunningSandbox, blank: str) -> None:
    code, found = as_json(env=at(empty, TOKEN=blank, TENANT_ID=empty.sandbox.config.tenant_id))
    assert code == 2
    assert named(found, "token")[0]["message"] == "It is empty, or still the example value."
    assert named(found, "api_secret_key")[0]["ok"]
    assert named(found, "tenant_id")[0]["ok"]


@pytest.mark.deep
def test_of_several_keys_each_is_checked(empty: RunningSandbox) -> None:
    code, found = as_json(env=at(empty, TENANT_ID="nope", TOKEN="nope"))
    assert code == 2
    assert [named(found, name)[0]["ok"] for name in ("api_secret_key", "tenant_id", "token")] == [True, False, False]
    assert all(check["fix"] for check in found["checks"] if not check["ok"])


def test_an_address_that_does_not_respond_is_a_problem_and_the_destination_is_checked(workdir: Path) -> None:
    prefix = "SOURCES__AUTHSIGNAL_SOURCE__"
    code, found = as_json(env={f"{prefix}BASE_URL": "http://127.0.0.1:9/v1", f"{prefix}API_SECRET_KEY": "k"})
    assert (code, found["address"]) == (1, "http://127.0.0.1:9/v1")
    assert [check["ok"] for check in named(found, "address")] == [True, False]
    assert len(named(found, "duckdb")) == len(DONE)


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"REGION": "mars"}, "settings"), ({"BASE_URL": "no url"}, "settings"), ({"PRIVACY_KEY": "short"}, "privacy")],
)
def test_a_wrong_setting_is_a_problem_in_json_too(workdir: Path, settings: dict[str, str], name: str) -> None:
    code, found = as_json(env={f"SOURCES__AUTHSIGNAL_SOURCE__{key}": value for key, value in settings.items()})
    assert (code, found["ok"], named(found, name)[-1]["ok"]) == (2, False, False)
    assert named(found, name)[-1]["fix"]


@pytest.mark.deep
def test_a_key_of_another_region_is_reported_with_its_region(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        run_in_thread(SandboxConfig(api_secret_key="american", seed=1)) as us,
        run_in_thread(SandboxConfig(api_secret_key="european", seed=1)) as eu,
    ):
        for region in REGIONS:
            monkeypatch.setitem(REGIONS, region, eu.url if region == "eu" else us.url)
        monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY", "european")
        diagnosis = Diagnosis(destination="duckdb")
        (refused,) = [check for check in diagnosis.run() if check.name == "api_secret_key"]
    assert refused.fix == 'This key is of region eu: set region = "eu" in .dlt/config.toml.'
    with pytest.raises(ConfigurationError, match="region eu"):
        diagnosis.raise_problems()
