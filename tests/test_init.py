"""`dlt-authsignal init`: a folder that can be synced, from a region and a key."""

import io
import os
import stat
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.cli import project
from dlt_authsignal.cli.commands.setup.init import init
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.ceremonies import Visitor
from tests.helpers import COMMAND, MANAGEMENT_SECRET, SECRET, command, python, rows
from tests.loaded import synced
from tests.tiers import examples

ROOT = Path(__file__).parents[1]
SECTION = ("sources", "authsignal_source")


def run(*arguments: str, stdin: str = "") -> Result:
    """The command in this process; its exception is the error that a person sees."""
    return CliRunner().invoke(init, list(arguments), input=stdin)


def written(path: Path) -> Any:
    values: Any = tomllib.loads(path.read_text())
    for name in SECTION:
        values = values[name]
    return {name: value for name, value in values.items() if name != "privacy_key"}


@pytest.fixture
def australia(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two regions, each a sandbox of its own; gives the key that only the Australian one takes."""
    with (
        run_in_thread(SandboxConfig(api_secret_key="american", seed=1)) as us,
        run_in_thread(SandboxConfig(api_secret_key="australian", seed=1)) as au,
    ):
        for name, running in {"us": us, "eu": us, "ca": us, "au": au}.items():
            monkeypatch.setitem(REGIONS, name, running.url)
        yield "australian"


def test_init_sets_up_a_folder_that_can_be_synced_immediately(seeded: RunningSandbox, workdir: Path) -> None:
    done = command("init", "--base-url", seeded.url, "--api-secret-key", SECRET)
    assert done.returncode == 0, done.stderr
    assert "api_secret_key  works  users, user_authenticators, user_actions" in done.stdout
    assert "The tenant lists its users." in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert written(workdir / ".dlt/secrets.toml") == {"api_secret_key": SECRET}
    assert stat.S_IMODE((workdir / ".dlt/secrets.toml").stat().st_mode) == 0o600
    script = python("authsignal_pipeline.py")
    assert script.returncode == 0, script.stderr
    assert rows("select count(*) from users") == [(40,)]


def privacy_key(folder: Path) -> Any:
    return tomllib.loads((folder / ".dlt/secrets.toml").read_text())["sources"]["authsignal_source"].get("privacy_key")


def test_init_creates_a_privacy_key_once_and_never_shows_or_replaces_it(empty: RunningSandbox, workdir: Path) -> None:
    setup = ("--base-url", empty.url, "--api-secret-key", SECRET)
    first = command("init", *setup)
    made = privacy_key(workdir)
    assert len(bytes.fromhex(made)) == 32
    assert "Keep a copy" in first.stdout
    again = command("init", *setup, "--force")
    assert privacy_key(workdir) == made
    assert "Keep a copy" not in again.stdout
    assert made not in first.stdout + first.stderr + again.stdout + again.stderr


@pytest.mark.parametrize("settings", [{"PRIVACY_KEY": "3f9c1be07a52d8644e0d97b1c65fa238"}, {"PRIVACY": "keep"}])
def test_init_creates_no_privacy_key_if_one_is_configured_or_none_is_needed(
    empty: RunningSandbox, workdir: Path, settings: dict[str, str]
) -> None:
    env = {f"SOURCES__AUTHSIGNAL_SOURCE__{name}": value for name, value in settings.items()}
    done = command("init", "--base-url", empty.url, "--api-secret-key", SECRET, env=env)
    assert done.returncode == 0, done.stderr
    assert privacy_key(workdir) is None


def test_the_generated_script_equals_the_one_of_the_repository_and_is_short() -> None:
    assert project.script() == (ROOT / "authsignal_pipeline.py").read_text("utf-8")
    assert len(project.script().splitlines()) <= 30


def test_init_prompts_on_a_terminal_and_does_not_show_the_key(empty: RunningSandbox, workdir: Path) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt/config.toml").write_text(f'[sources.authsignal_source]\nbase_url = "{empty.url}"\n')
    seen = io.StringIO()
    session = pexpect.spawn(COMMAND, ["init"], encoding="utf-8", timeout=60, env={**os.environ, "COLUMNS": "120"})
    session.logfile_read = seen
    session.expect("Server API secret")
    session.sendline(SECRET)
    session.expect("Management API secret")
    session.sendline("")
    session.expect("Tenant id")
    session.sendline(empty.sandbox.config.tenant_id)
    session.expect("Next:")
    session.expect(pexpect.EOF)
    session.close()
    assert session.exitstatus == 0
    assert SECRET not in seen.getvalue()
    assert written(workdir / ".dlt/secrets.toml") == {
        "api_secret_key": SECRET,
        "tenant_id": empty.sandbox.config.tenant_id,
    }


def test_a_key_can_be_piped_in(empty: RunningSandbox, workdir: Path) -> None:
    assert run("--base-url", empty.url, "--api-secret-key", "-", stdin=f"{SECRET}\n").exit_code == 0
    other = run("--base-url", empty.url, "--management-secret-key", "-", stdin=f"{MANAGEMENT_SECRET}\n")
    assert other.exit_code == 0
    assert run("--api-secret-key", "-", "--management-secret-key", "-", stdin="x\n").exit_code == 2
    keys = {"api_secret_key": SECRET, "management_secret_key": MANAGEMENT_SECRET}
    assert written(workdir / ".dlt/secrets.toml") == keys


def test_init_reports_what_each_key_gives_access_to(empty: RunningSandbox) -> None:
    empty.sandbox.configure(listing="refused")
    keys = ["--api-secret-key", SECRET, "--tenant-id", empty.sandbox.config.tenant_id]
    done = run("--base-url", empty.url, *keys, "--token", Visitor(empty).track().token)
    said = " ".join(done.output.split())
    assert "does not list its users." in said
    assert "sync --users-from ids.csv" in said
    assert "tenant_id works passkey_initiate_challenge, passkey_authentication_options" in said
    assert "token works user_authenticators, passkey_register_options, passkey_register" in said


@pytest.mark.parametrize(
    ("name", "value"), [("--api-secret-key", "wrong"), ("--tenant-id", "wrong"), ("--token", "wrong")]
)
def test_a_key_that_does_not_work_is_reported_and_nothing_is_written(
    empty: RunningSandbox, workdir: Path, name: str, value: str
) -> None:
    done = run("--base-url", empty.url, name, value)
    assert isinstance(done.exception, ConfigurationError)
    assert name.strip("-").replace("-", "_") in str(done.exception)
    assert "Nothing was written" in str(done.exception)
    assert list(workdir.iterdir()) == []


@pytest.mark.deep
def test_if_the_user_list_is_refused_init_suggests_a_file_of_user_ids(workdir: Path) -> None:
    with run_in_thread(SandboxConfig(users=3, listing="refused")) as running:
        setup = ("init", "--base-url", running.url, "--api-secret-key", SECRET)
        said = command(*setup, env={"COLUMNS": "40"}).stdout  # a command is in one line, to be copied
        assert "The tenant does not list its users." in " ".join(said.split())
        suggested = said.partition("Next:")[2]
        assert "sync --users-from ids.csv" in suggested
        assert "authsignal_pipeline.py" not in suggested
        Path("ids.csv").write_text("\n".join(["user_id", *(user.user_id for user in running.sandbox.store.users())]))
        assert command("sync", "--users-from", "ids.csv").returncode == 0
        env = {"SOURCES__AUTHSIGNAL_SOURCE__USERS_FROM": "ids.csv"}
        suggested = command(*setup, env=env).stdout.partition("Next:")[2]
        assert "dlt-authsignal sync\n" in suggested
        assert "authsignal_pipeline.py" in suggested


def test_an_expired_token_and_a_token_of_another_tenant_are_distinguished(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    assert "a different tenant" in str(
        run("--base-url", empty.url, "--token", visitor.token, "--tenant-id", "x").exception
    )
    visitor.wait(minutes=11)
    assert "expired" in str(run("--base-url", empty.url, "--token", visitor.token).exception)


def test_init_finds_the_region_of_a_key(australia: str, workdir: Path) -> None:
    done = run("--region", "us", "--api-secret-key", australia)
    assert "This key belongs to region au, not us. Nothing was written. Run init again with --region au" in str(
        done.exception
    )
    assert list(workdir.iterdir()) == []
    assert run("--region", "au", "--api-secret-key", australia).exit_code == 0
    assert written(workdir / ".dlt/config.toml") == {"region": "au"}


def test_if_authsignal_is_unreachable_init_writes_nothing_without_no_check(workdir: Path) -> None:
    away = ["--base-url", "http://127.0.0.1:9/v1", "--api-secret-key", "k"]
    assert "127.0.0.1:9" in str(run(*away).exception)
    assert list(workdir.iterdir()) == []
    assert run(*away, "--no-check").exit_code == 0
    assert written(workdir / ".dlt/secrets.toml") == {"api_secret_key": "k"}


def test_without_any_key_init_says_how_to_pass_one(workdir: Path) -> None:
    assert "--api-secret-key" in str(run("--region", "eu").exception)
    assert list(workdir.iterdir()) == []


def test_init_keeps_existing_files_settings_and_comments(empty: RunningSandbox, workdir: Path) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt/secrets.toml").write_text(
        '# mine\n[destination.postgres]\ncredentials = "p"\n\n[sources.authsignal_source]\ntoken = "t" # old\n'
    )
    (workdir / ".dlt/config.toml").write_text("[load]\ndelete_completed_jobs = false\nworkers = 3\n")
    (workdir / "authsignal_pipeline.py").write_text("mine\n")
    (workdir / ".gitignore").write_text("*.log")
    done = run("--base-url", empty.url, "--api-secret-key", SECRET, "--no-check")
    assert done.exit_code == 0
    secrets = (workdir / ".dlt/secrets.toml").read_text()
    assert secrets.startswith("# mine\n")
    assert "# old" in secrets
    assert written(workdir / ".dlt/secrets.toml") == {"token": "t", "api_secret_key": SECRET}
    assert stat.S_IMODE((workdir / ".dlt/secrets.toml").stat().st_mode) == 0o600
    config = tomllib.loads((workdir / ".dlt/config.toml").read_text())
    assert config["load"] == {"delete_completed_jobs": False, "workers": 3}
    assert (workdir / "authsignal_pipeline.py").read_text() == "mine\n"
    assert "Did not change authsignal_pipeline.py" in done.output
    assert (workdir / ".gitignore").read_text().splitlines() == ["*.log", *project.IGNORED]


def test_init_replaces_another_key_only_with_force(empty: RunningSandbox, workdir: Path) -> None:
    arguments = ["--base-url", empty.url, "--api-secret-key", SECRET]
    assert run(*arguments[:-1], "old", "--no-check").exit_code == 0
    assert "--force" in str(run(*arguments).exception)
    assert written(workdir / ".dlt/secrets.toml") == {"api_secret_key": "old"}
    assert run(*arguments, "--force").exit_code == 0
    assert written(workdir / ".dlt/secrets.toml") == {"api_secret_key": SECRET}


def test_a_second_init_changes_nothing(empty: RunningSandbox, workdir: Path) -> None:
    arguments = ["--base-url", empty.url, "--api-secret-key", SECRET]
    run(*arguments)
    before = {path: path.read_text() for path in workdir.rglob("*") if path.is_file()}
    done = run(*arguments)
    assert "Wrote" not in done.output
    assert {path: path.read_text() for path in workdir.rglob("*") if path.is_file()} == before


def test_init_warns_if_git_already_tracks_the_keys(empty: RunningSandbox, workdir: Path) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt/secrets.toml").write_text("")
    for line in (["init", "-q"], ["add", "-f", ".dlt/secrets.toml"]):
        subprocess.run(["git", *line], check=True, timeout=60)  # noqa: S607
    done = run("--base-url", empty.url, "--api-secret-key", SECRET)
    assert "git rm --cached .dlt/secrets.toml" in done.output


@pytest.mark.parametrize(
    "text", ['[sources.authsignal_source]\napi_secret_key = "hush\n', "sources = 1\n", '[a]\nb = "hush"\nb = "hush"\n']
)
def test_an_invalid_settings_file_is_reported_and_not_quoted(empty: RunningSandbox, workdir: Path, text: str) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt/secrets.toml").write_text(text)
    error = run("--base-url", empty.url, "--api-secret-key", SECRET).exception
    assert isinstance(error, ConfigurationError)
    assert ".dlt/secrets.toml" in str(error)
    assert "hush" not in str(error)
    assert (workdir / ".dlt/secrets.toml").read_text() == text


@given(key=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40, quick=10), deadline=None
)
def test_any_key_is_written_unchanged(tmp_path: Path, key: str) -> None:
    path = tmp_path / "secrets.toml"
    path.unlink(missing_ok=True)
    project.write(path, project.merged(path, {SECTION: {"api_secret_key": key}}), private=True)
    assert tomllib.loads(path.read_text("utf-8"))["sources"]["authsignal_source"]["api_secret_key"] == key


def test_init_replaces_a_region_by_a_base_url_and_the_reverse(empty: RunningSandbox, workdir: Path) -> None:
    config = workdir / ".dlt/config.toml"
    assert run("--base-url", empty.url, "--api-secret-key", SECRET).exit_code == 0
    assert written(config) == {"base_url": empty.url}
    assert run("--region", "eu", "--no-check").exit_code == 0
    assert written(config) == {"region": "eu"}
    assert run("--base-url", empty.url).exit_code == 0
    assert written(config) == {"base_url": empty.url}
    assert "not both" in run("--region", "eu", "--base-url", empty.url).output


def test_an_unwritable_folder_is_reported(workdir: Path) -> None:
    (workdir / ".dlt").write_text("")
    done = run("--region", "eu", "--api-secret-key", "k", "--no-check")
    assert isinstance(done.exception, ConfigurationError)
    assert ".dlt is a file" in str(done.exception)
    assert [path.name for path in workdir.iterdir()] == [".dlt"]
    with pytest.raises(ConfigurationError, match=r"Cannot write .*config\.toml: "):
        project.write(workdir / ".dlt" / "config.toml", "")


def test_a_pipeline_that_another_project_started_in_a_shared_folder_is_refused(
    seeded: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(seeded)  # DLT_DATA_DIR is set
    (workdir / "other").mkdir()
    monkeypatch.chdir(workdir / "other")
    setup = ["--base-url", seeded.url, "--api-secret-key", SECRET]
    assert f"it first ran in {workdir}" in str(run(*setup).exception)
    assert list(Path.cwd().iterdir()) == []
    assert run(*setup, "--pipeline-name", "second").exit_code == 0
    assert written(Path(".dlt/config.toml")) == {"base_url": seeded.url, "pipeline_name": "second"}
