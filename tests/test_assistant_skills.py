"""The recipes for assistants: every command in them runs, every query finds rows, every error they name exists."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from dlt_authsignal.assistant.database import Database
from dlt_authsignal.assistant.dictionary import VIEWS
from dlt_authsignal.assistant.install import TOOLKIT
from dlt_authsignal.assistant.masking import SHOWN_TABLES as TABLES
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET, at
from tests.loaded import Loaded
from tests.ports import free_port
from tests.tiers import deep_except

TREE = TOOLKIT / "workbench" / "authsignal"
SKILLS = sorted((TREE / "skills").iterdir())
RUN = deep_except([skill for skill in SKILLS if skill.name == "authsignal-explore"], SKILLS)
SOURCE = Path(__file__).parents[1] / "src" / "dlt_authsignal"


def text(skill: Path) -> str:
    return (skill / "SKILL.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def run_as_script(script: str, folder: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """In a process group of its own, which ends with it: a recipe may leave a server running."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            ["bash", "-euxo", "pipefail", "-c", script],  # noqa: S607
            cwd=folder,
            env={**os.environ, "PATH": path, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(timeout=110)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        return subprocess.CompletedProcess(process.args, code, output.read())


@pytest.mark.parametrize("skill", RUN, ids=lambda skill: skill.name)
def test_every_command_of_a_skill_runs(skill: Path, seeded: RunningSandbox, loaded: Loaded, workdir: Path) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt" / "config.toml").write_text(
        f'[sources.authsignal_source]\nbase_url = "{seeded.url}"\nrate = "max"\n'
    )
    if skill.name == "authsignal-explore":
        shutil.copy(loaded.file, workdir)
    script = "\n".join(blocks(text(skill), "sh")).replace("4443", str(free_port()))
    script = script.replace("--region us", f"--base-url {seeded.url}")
    keys = {"AUTHSIGNAL_KEY": SECRET} if skill.name == "authsignal-keys" else at(seeded)
    assert script
    done = run_as_script(script, workdir, keys)
    assert done.returncode == 0, done.stdout
    assert SECRET not in done.stdout or skill.name == "authsignal-sandbox-tests"


@pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)
def test_every_query_of_a_skill_finds_rows(skill: Path, loaded: Loaded) -> None:
    database = Database(path=loaded.file, dataset="authsignal_data", seconds=40)
    assert [sql for sql in blocks(text(skill), "sql") if not database.query(sql, 10)["rows"]] == []


@pytest.mark.parametrize("skill", SKILLS, ids=lambda skill: skill.name)
def test_a_skill_has_a_description_and_numbered_steps(skill: Path) -> None:
    front, body = text(skill).split("---\n", 2)[1:]
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    assert fields["name"] == skill.name
    assert 40 < len(fields["description"]) < 1024
    steps = [int(number) for number in re.findall(r"^(\d+)\. ", body, re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) >= 3
    assert len(text(skill).splitlines()) < 100


def test_skills_and_rules_mention_only_existing_skills_and_pages() -> None:
    names = {skill.name for skill in SKILLS}
    for page in TREE.rglob("*.md"):
        written = page.read_text("utf-8")
        mentioned = set(re.findall(r"`(authsignal-[a-z-]+)`", written))
        assert mentioned <= names, page
    explore = TREE / "skills" / "authsignal-explore"
    assert {path.stem for path in (explore / "tables").glob("*.md")} == {*TABLES, *(view.name for view in VIEWS)}
    assert all((explore / path).exists() for path in re.findall(r"`(tables/\w+\.md)`", text(explore)))


def test_errors_explained_by_skills_exist() -> None:
    code = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    said = re.sub(r'"\s*f?"|\{[^{}]*\}', "", code)
    for name in ("authsignal-debug", "authsignal-keys"):
        rows = re.findall(r"^ *\| (`.+?) \|", text(TREE / "skills" / name), re.MULTILINE)
        quoted = [part.removesuffix("…").strip() for row in rows for part in re.findall(r"`([^`]+)`", row)]
        assert len(quoted) >= 3
        for part in quoted:
            assert re.sub(r" \d{3}$", " ", part) in said, part
