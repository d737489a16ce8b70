"""Projects are independent: two folders on one machine, both with default names, share neither state nor data."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from tests.helpers import COMMAND, SECRET, at, forked, rows
from tests.tiers import deep_after

ROOT = Path(__file__).parents[1]
STATE = Path(".dlt/.var/pipelines/authsignal_pipeline")
QUERY = 'import dlt; print(len(dlt.pipeline("authsignal_pipeline").dataset().users.df()))'
OTHER_PROJECT = 'Pipeline "authsignal_pipeline" belongs to another project'
USER = 1000
FEW_TABLES = "users,user_devices"


@dataclass(frozen=True)
class Machine:
    """A new machine, whose user has a home folder: dlt's machine-wide folder is in it, and nothing is set."""

    home: Path
    env: dict[str, str]

    @property
    def shared(self) -> Path:
        """dlt's folder for the whole machine."""
        return self.home / ".dlt" / "pipelines"

    def run(self, folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        if command[0] == COMMAND:
            return forked(command[1:], folder=folder, env={**self.env, **env}, user=USER)
        if command[0] == sys.executable:
            return forked(command[1:], folder=folder, env={**self.env, **env}, user=USER, is_python=True)
        return subprocess.run(
            command, cwd=folder, env={**self.env, **env}, capture_output=True, text=True, timeout=50, check=False
        )

    def command(self, folder: Path, *arguments: str, **env: str) -> str:
        """Run our command; return what it printed."""
        done = self.run(folder, COMMAND, *arguments, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, folder: Path, *arguments: str, **env: str) -> str:
        """Run our command, which has to end with exit code 2; return its message."""
        done = self.run(folder, COMMAND, *arguments, **env)
        assert done.returncode == 2, done.stdout + done.stderr
        return done.stderr

    def python(self, folder: Path, *arguments: str, **env: str) -> str:
        done = self.run(folder, sys.executable, *arguments, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def users(self, folder: Path) -> int:
        """Users that dlt alone finds in a folder, without any setting in the environment."""
        return int(self.python(folder, "-c", QUERY))


def new_machine(folder: Path) -> Machine:
    # dlt gives root a folder of the whole system: as another user, it is in the home folder
    (folder / "python").mkdir()
    (folder / "python" / "sitecustomize.py").write_text(f"import os\nos.geteuid = lambda: {USER}\n")
    (folder / "home").mkdir()
    left_out = ("DLT_", "SOURCES__", "PIPELINES", "XDG_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    env |= {"HOME": str(folder / "home"), "PYTHONPATH": str(folder / "python"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    return Machine(home=folder / "home", env=env)


@pytest.fixture(scope="module")
def tenants() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Settings of two tenants: one of 5 users, one of 3."""
    with (
        run_in_thread(SandboxConfig(users=5, days=5, seed=1)) as five,
        run_in_thread(SandboxConfig(users=3, days=5, seed=2)) as three,
    ):
        yield at(five), at(three)


@pytest.fixture
def machine(workdir: Path) -> Machine:
    return new_machine(workdir)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, tenants: tuple[dict[str, str], dict[str, str]]) -> Path:
    """A project that has been synced from the tenant of five, by a command. Copy it."""
    folder = tmp_path_factory.mktemp("template")
    project = folder / "project"
    project.mkdir()
    synced(new_machine(folder), project, tenants[0])
    return project


@pytest.fixture
def five(tenants: tuple[dict[str, str], dict[str, str]]) -> dict[str, str]:
    return tenants[0]


@pytest.fixture
def three(tenants: tuple[dict[str, str], dict[str, str]]) -> dict[str, str]:
    return tenants[1]


@pytest.fixture
def folder(workdir: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        (workdir / name).mkdir()
        return workdir / name

    return made


def synced(machine: Machine, folder: Path, tenant: dict[str, str]) -> str:
    return machine.command(folder, "sync", "--tables", FEW_TABLES, **tenant)


def left_by_an_earlier_version(machine: Machine, template: Path, project: Path) -> None:
    """Make a project as earlier versions left it: the database in it, the state in dlt's folder for the machine."""
    project.mkdir()
    shutil.copy(template / "authsignal_pipeline.duckdb", project)
    shutil.copytree(template / STATE, machine.shared / STATE.name)
    (machine.shared / f"{STATE.name}.runs.jsonl").touch()
    state = machine.shared / STATE.name / "state.json"
    state.write_text(state.read_text().replace('"initial_cwd":"."', f'"initial_cwd":"{project}"'))


def bytes_of(folder: Path) -> dict[str, str]:
    """A hash of each file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def stored(folder: Path) -> int:
    [(count,)] = rows("select count(*) from users", str(folder / "authsignal_pipeline.duckdb"))
    return int(count)


def test_two_folders_with_default_names_share_nothing(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str], three: dict[str, str]
) -> None:
    one, other = folder("one"), folder("other")
    first = synced(machine, one, five)
    before = bytes_of(one)
    synced(machine, other, three)
    assert bytes_of(one) == before
    assert (stored(one), stored(other)) == (5, 3)
    assert (machine.users(one), machine.users(other)) == (5, 3)
    assert not machine.shared.exists()
    assert first.count("Wrote .dlt/config.toml: dlt keeps the state of") == 1
    assert "Wrote" not in synced(machine, one, five)


@pytest.mark.deep
def test_a_moved_folder_continues_its_sync(
    machine: Machine, workdir: Path, five: dict[str, str], template: Path
) -> None:
    shutil.copytree(template, workdir / "old")
    assert machine.users(workdir / "old") == 5  # dlt alone notes no folder either
    (workdir / "old").rename(workdir / "new")
    assert machine.users(workdir / "new") == 5
    assert "0 of 5 users were due" in synced(machine, workdir / "new", five)
    assert json.loads(machine.command(workdir / "new", "status", "--json"))["tables"]["users"]["rows"] == 5
    assert not (workdir / "old").exists()


@pytest.mark.deep
def test_a_copied_project_folder_has_its_own_data(
    machine: Machine, workdir: Path, five: dict[str, str], template: Path
) -> None:
    before = bytes_of(template)
    shutil.copytree(template, workdir / "copy")
    with duckdb.connect(str(workdir / "copy" / "authsignal_pipeline.duckdb")) as database:
        database.execute(
            "delete from authsignal_data.users where user_id = (select min(user_id) from authsignal_data.users)"
        )
    assert machine.users(workdir / "copy") == 4
    synced(machine, workdir / "copy", five)
    assert bytes_of(template) == before


@pytest.mark.deep
def test_a_folder_that_dlt_alone_started_is_corrected_after_it_moved(
    machine: Machine, workdir: Path, five: dict[str, str], template: Path
) -> None:
    copy = workdir / "copy"
    shutil.copytree(template, copy)
    state = copy / STATE / "state.json"
    state.write_text(state.read_text().replace('"initial_cwd":"."', f'"initial_cwd":"{template}"'))  # as dlt notes it
    before = bytes_of(template)
    synced(machine, copy, five)
    assert json.loads(state.read_text())["_local"]["initial_cwd"] == "."
    assert machine.users(copy) == 5
    assert bytes_of(template) == before


@pytest.mark.deep
def test_a_deleted_and_recreated_folder_starts_empty(
    machine: Machine, folder: Callable[[str], Path], workdir: Path, three: dict[str, str], template: Path
) -> None:
    shutil.copytree(template, workdir / "project")
    shutil.rmtree(workdir / "project")
    again = folder("project")
    synced(machine, again, three)
    assert (stored(again), machine.users(again)) == (3, 3)


def test_git_ignores_the_pipeline_state(machine: Machine, workdir: Path, template: Path) -> None:
    project = workdir / "project"
    shutil.copytree(template, project)
    machine.run(project, "git", "init", "-q")
    shown = machine.run(project, "git", "status", "--porcelain", "--untracked-files=all").stdout
    assert "config.toml" in shown
    assert ".var" not in shown


@pytest.mark.deep
def test_a_folder_set_up_by_init_and_checked_by_doctor_can_be_synced(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str]
) -> None:
    other = folder("other")
    machine.command(
        other, "init", "--base-url", five["SOURCES__AUTHSIGNAL_SOURCE__BASE_URL"], "--api-secret-key", SECRET
    )
    assert ".dlt/.var/" in (other / ".gitignore").read_text()
    said = machine.command(other, "doctor")
    assert f"duckdb:///{other}/authsignal_pipeline.duckdb" in said
    machine.command(other, "sync", "--tables", FEW_TABLES)
    assert machine.users(other) == stored(other) == 5


@pytest.mark.deep
def test_the_script_of_init_loads_into_its_folder(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str]
) -> None:
    one = folder("one")
    machine.command(one, "init", "--api-secret-key", "k", "--no-check", "--region", "us")
    machine.python(one, "authsignal_pipeline.py", **five)
    assert stored(one) == machine.users(one) == 5
    assert json.loads((one / STATE / "state.json").read_text())["_local"]["initial_cwd"] == "."
    assert not machine.shared.exists()


def test_a_script_in_a_folder_without_settings_is_refused_with_a_message(
    machine: Machine, folder: Callable[[str], Path], workdir: Path, three: dict[str, str], template: Path
) -> None:
    one, other = workdir / "one", folder("other")
    left_by_an_earlier_version(machine, template, one)
    shutil.copy(ROOT / "authsignal_pipeline.py", other)
    before, state = bytes_of(one), bytes_of(machine.shared)
    refused = machine.run(other, sys.executable, "authsignal_pipeline.py", **three)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"Error: {OTHER_PROJECT}: it first ran in {one}")
    assert "run: dlt-authsignal init" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (bytes_of(one), bytes_of(machine.shared)) == (before, state)


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync",),
        ("demo", "--users", "3", "--pipeline-name", "authsignal_pipeline"),
        ("doctor",),
        ("init", "--api-secret-key", "k", "--no-check"),
        ("status",),
        ("erase", "ann", "--yes"),
        ("models", "install"),
        ("probe", "--user", "canary", "--pipeline-name", "authsignal_pipeline"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_refused_command_does_not_change_the_other_project(
    shared_data_dir: tuple[Machine, Path, Path], arguments: tuple[str, ...], three: dict[str, str]
) -> None:
    machine, one, data_dir = shared_data_dir
    other = one.parent / f"refused {arguments[0]}"
    other.mkdir()
    before, state = bytes_of(one), bytes_of(data_dir)
    said = machine.refused(other, *arguments, DLT_DATA_DIR=str(data_dir), **three)
    assert f"{OTHER_PROJECT}: it first ran in {one}" in said
    assert "Nothing was changed" in said
    assert "--pipeline-name NAME" in said
    assert (bytes_of(one), bytes_of(data_dir)) == (before, state)
    assert list(other.iterdir()) == []


@pytest.fixture(scope="module")
def shared_data_dir(
    tmp_path_factory: pytest.TempPathFactory, tenants: tuple[dict[str, str], dict[str, str]]
) -> tuple[Machine, Path, Path]:
    """A project whose state is in a folder that DLT_DATA_DIR names, and that folder."""
    folder = tmp_path_factory.mktemp("shared")
    machine, one, data_dir = new_machine(folder), folder / "one", folder / "data dir"
    one.mkdir()
    machine.command(one, "sync", "--tables", FEW_TABLES, DLT_DATA_DIR=str(data_dir), **tenants[0])
    assert not (one / ".dlt").exists()  # somebody chose another place
    return machine, one, data_dir


@pytest.mark.deep
def test_a_shared_data_dir_accepts_a_second_project_with_another_pipeline_name(
    shared_data_dir: tuple[Machine, Path, Path], folder: Callable[[str], Path], three: dict[str, str]
) -> None:
    machine, one, data_dir = shared_data_dir
    other, env = folder("other"), {"DLT_DATA_DIR": str(data_dir), **three}
    machine.command(other, "init", "--api-secret-key", "k", "--no-check", "--pipeline-name", "second", **env)
    assert 'pipeline_name="second"' in (other / "authsignal_pipeline.py").read_text()
    assert "pipelines" not in tomllib.loads((other / ".dlt/config.toml").read_text())
    machine.command(other, "sync", "--tables", FEW_TABLES, **env)
    assert rows("select count(*) from users", str(other / "second.duckdb")) == [(3,)]
    assert json.loads(machine.command(other, "status", "--json", **env))["tables"]["users"]["rows"] == 3
    assert machine.command(other, "doctor", **env).count("second.duckdb") == 1
    assert stored(one) == 5


@pytest.mark.deep
def test_a_moved_project_keeps_its_state_in_a_chosen_data_dir(
    machine: Machine, workdir: Path, five: dict[str, str], template: Path
) -> None:
    left_by_an_earlier_version(machine, template, workdir / "one")
    data_dir = machine.home / ".dlt"
    (workdir / "one").rename(workdir / "moved")
    env = {"DLT_DATA_DIR": str(data_dir), **five}
    assert "0 of 5 users were due" in machine.command(workdir / "moved", "sync", "--tables", FEW_TABLES, **env)
    assert machine.python(workdir / "moved", "-c", QUERY, **env) == "5"


@pytest.mark.parametrize("name", deep_after(1, ["PIPELINES_DIR", "PIPELINES__AUTHSIGNAL_PIPELINE__PIPELINES_DIR"]))
@pytest.mark.deep
def test_a_pipelines_dir_chosen_by_the_user_is_respected(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str], name: str
) -> None:
    project, chosen = folder("project"), folder("chosen")
    machine.command(project, "sync", "--tables", FEW_TABLES, **{name: str(chosen)}, **five)
    assert (chosen / "authsignal_pipeline" / "state.json").exists()
    assert not (project / ".dlt").exists()
    assert machine.python(project, "-c", QUERY, **{name: str(chosen)}) == "5"


@pytest.mark.deep
def test_user_settings_are_kept_when_sync_adds_its_own(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str]
) -> None:
    project = folder("project")
    (project / ".dlt").mkdir()
    mine = '# mine\n[pipelines.authsignal_pipeline] # too\nprogress = "log"\n\n[load]\nworkers = 2\n'
    (project / ".dlt/config.toml").write_text(mine)
    synced(machine, project, five)
    text = (project / ".dlt/config.toml").read_text()
    assert [line for line in mine.splitlines() if line not in text.splitlines()] == []
    assert tomllib.loads(text)["pipelines"]["authsignal_pipeline"]["pipelines_dir"] == ".dlt/.var/pipelines"
    assert machine.users(project) == 5


@pytest.mark.deep
def test_a_query_in_the_process_of_the_sync_finds_the_data(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str]
) -> None:
    made = "dlt.pipeline('authsignal_pipeline', destination='duckdb', dataset_name='authsignal_data')"
    code = f"import dlt; from dlt_authsignal import sync; sync({made}, tables=['users']); {QUERY}"
    assert machine.python(folder("project"), "-c", code, **five) == "5"


def test_state_of_an_earlier_version_in_the_home_folder_is_moved_into_the_project(
    machine: Machine, workdir: Path, five: dict[str, str], template: Path
) -> None:
    project = workdir / "project"
    left_by_an_earlier_version(machine, template, project)
    said = synced(machine, project, five)
    assert f'Moved dlt\'s state of "authsignal_pipeline" from {machine.shared} into this folder' in said
    assert "0 of 5 users were due" in said
    assert list(machine.shared.glob("authsignal_pipeline*")) == []
    assert machine.users(project) == 5
    assert json.loads((project / STATE / "state.json").read_text())["_local"]["initial_cwd"] == "."


@pytest.mark.deep
@pytest.mark.parametrize("is_gone", [False, True])
def test_state_of_another_project_in_the_home_folder_is_unchanged(
    machine: Machine, folder: Callable[[str], Path], workdir: Path, three: dict[str, str], template: Path, is_gone: bool
) -> None:
    old, new = workdir / "old", folder("new")
    left_by_an_earlier_version(machine, template, old)
    if is_gone:
        shutil.rmtree(old)
    before, state = bytes_of(old), bytes_of(machine.shared)
    synced(machine, new, three)
    assert machine.users(new) == stored(new) == 3
    assert (bytes_of(old), bytes_of(machine.shared)) == (before, state)


def test_an_unwritable_folder_is_reported(
    machine: Machine, folder: Callable[[str], Path], five: dict[str, str]
) -> None:
    project = folder("project")
    (project / ".dlt").write_text("")
    for name in ("sync", "doctor"):
        said = machine.refused(project, name, **five)
        assert f"Cannot write in {project / '.dlt'}" in said
        assert "PIPELINES_DIR" in said


def test_the_query_of_the_readme_runs_as_printed_after_the_demo(demo: Path, machine: Machine) -> None:
    readme = (ROOT / "README.md").read_text("utf-8").partition("Query the data with Python:\n")[2]
    code, answer = re.findall(r"```(?:python|text)\n(.*?)```", readme, re.DOTALL)[:2]
    found = machine.python(demo, "-c", code)
    assert found.splitlines()[0].split() == answer.splitlines()[0].split()
    assert len(found.splitlines()) == len(answer.splitlines())
    printed = re.search(r"In Python\n((?:   .*\n)+)", (demo / "demo.txt").read_text("utf-8"))
    assert printed
    assert machine.python(demo, "-c", printed.group(1).replace("\n   ", "\n").strip()) == ""


def test_the_repository_keeps_the_state_of_its_pipelines_in_its_folder() -> None:
    pipelines = tomllib.loads((ROOT / ".dlt/config.toml").read_text("utf-8"))["pipelines"]
    names = "authsignal_pipeline", "authsignal_demo", "authsignal_probe"
    wanted = {name: {"pipelines_dir": ".dlt/.var/pipelines"} for name in names}
    assert pipelines == wanted
    assert ".dlt/.var/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


@pytest.mark.parametrize("is_moved", [False, True], ids=["in its place", "moved"])
def test_make_creates_the_environment_again_only_in_a_clone_that_was_moved(workdir: Path, is_moved: bool) -> None:
    for name in ("requirements.lock", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, workdir)
    bin_ = workdir / ".venv" / "bin"
    bin_.mkdir(parents=True)
    place = workdir / "earlier" if is_moved else workdir
    (bin_ / "dlt-authsignal").write_text(f"#!{place}/.venv/bin/python\n")
    (workdir / ".venv" / ".ready").touch()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}  # of the make of the tests
    make = [str(shutil.which("make")), "--dry-run", "demo"]
    steps = subprocess.run(make, capture_output=True, text=True, timeout=60, check=True, env=env).stdout
    assert ("-m venv --clear .venv" in steps) == is_moved
    assert steps.rstrip().endswith("dlt-authsignal demo")
    assert len(steps.splitlines()) == 1 or is_moved
