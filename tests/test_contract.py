"""What the last release promised is kept, or named in the changelog under a version that may break it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers import ROOT

SCRIPT = ROOT / "scripts" / "check_contract.py"
RELEASED = json.loads((ROOT / "tests" / "contract" / "released.json").read_text("utf-8"))


def test_the_code_keeps_what_the_last_release_promised() -> None:
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import check_contract

    yield check_contract
    for name in [name for name in sys.modules if name.split(".")[0] in ("contract", "check_contract")]:
        del sys.modules[name]


@pytest.fixture
def project(workdir: Path) -> Path:
    """A project of version 0.1.0, whose promises are those of this one."""
    (workdir / "tests" / "contract").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "contract" / "released.json", workdir / "tests" / "contract")
    (workdir / "pyproject.toml").write_text('[project]\nversion = "0.1.0"\n')
    (workdir / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n### Breaking\n\n- `users.email` is gone.\n")
    return workdir


BREAKS = {"users.email": "column users.email was removed"}


def test_a_broken_promise_says_which_version_and_which_entry_it_needs(contract: ModuleType, project: Path) -> None:
    said = contract.verdict(project, RELEASED, BREAKS)
    for part in ("column users.email was removed", "set version 0.2.0", "`users.email` in CHANGELOG.md", "no tag yet"):
        assert part in said


def test_a_break_that_a_new_version_names_is_accepted(contract: ModuleType, project: Path) -> None:
    (project / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    assert contract.verdict(project, RELEASED, BREAKS)
    entry = "## 0.2.0\n\n### Breaking\n\n- `users.email` is `users.mail`.\n\n### Added\n\n- `users.phone`.\n"
    (project / "CHANGELOG.md").write_text(f"# Changelog\n\n{entry}")
    assert contract.verdict(project, RELEASED, BREAKS) is None
    left = contract.verdict(project, RELEASED, {**BREAKS, "users.phone": "column users.phone was removed"})
    assert "users.phone" in left
    assert "users.email" not in left


@pytest.mark.parametrize(("version", "breaking"), [("0.1.0", "0.2.0"), ("0.4.7", "0.5.0"), ("1.4.2", "2.0.0")])
def test_only_a_new_minor_version_before_1_and_a_major_one_after_it_may_break(
    contract: ModuleType, version: str, breaking: str
) -> None:
    assert contract.next_breaking(version) == breaking


def test_with_a_tag_the_promises_are_those_of_the_newest_tag(contract: ModuleType, project: Path) -> None:
    file = project / "tests" / "contract" / "released.json"
    for version in ("0.2.0", "0.10.0"):
        file.write_text(json.dumps({**RELEASED, "version": version}))
        git(project, "init", "-q")
        git(project, "add", ".")
        git(project, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", version)
        git(project, "tag", f"v{version}")
    file.write_text(json.dumps({**RELEASED, "version": "9.9.9"}))
    assert contract.last_tag(project) == "v0.10.0"
    assert contract.released(project)["version"] == "0.10.0"
    assert "no tag yet" not in contract.verdict(project, RELEASED, BREAKS)


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", folder, *arguments], check=True, timeout=60)  # noqa: S607


def test_removed_and_narrowed_options_columns_and_views_are_breaks(contract: ModuleType) -> None:
    old = {
        "commands": {"tool": {"--level": "one of low, high", "--user": "value", "--dry-run": "flag"}, "tool go": {}},
        "tables": {"t": {"key": ["id"], "columns": {"id": "text", "at": "timestamp", "n": "bigint"}}},
        "views": {"v": ["a", "b"], "w": ["a"]},
    }
    new = {
        "commands": {"tool": {"--level": "one of high, top", "--user": "value, repeatable", "ID": "value, required"}},
        "tables": {"t": {"key": ["id", "at"], "columns": {"id": "text", "n": "double", "new": "text"}}},
        "views": {"v": ["a", "c"]},
    }
    names = {"tool go", "--level", "--dry-run", "ID", "t", "t.at", "t.n", "v.b", "w"}
    assert set(contract.broken(old, new)) == names
    assert contract.broken(old, old) == {}


PYTHON = """def sync(pipeline: str, *, wait: str | None = None) -> int: ...
class Report:
    read: int
    new: int
class Gone:
    ..."""


def test_removed_names_fields_and_arguments_are_breaks(contract: ModuleType, workdir: Path) -> None:
    package = workdir / "dlt_authsignal"
    package.mkdir()
    names = "from dlt_authsignal.inner import Report, sync\n__all__ = ['Report', 'sync']\n"
    (package / "__init__.py").write_text(names)
    inner = "def sync(pipeline, key, *, wait=60):\n    return 1\n\n\nclass Report:\n    read: int\n    added: int\n"
    (package / "inner.py").write_text(inner)
    python_names = contract.python_names
    found = python_names.breaks({"dlt_authsignal": PYTHON.splitlines()}, python_names.load(workdir))
    assert set(found) == {"Gone", "Report.new", "sync"}
    assert "key" in found["sync"]
    assert "wait" in found["sync"]
