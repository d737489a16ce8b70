"""README.md: short, its code runs, its tables agree with the package. tests/test_docs.py compares the demo's output."""

import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dlt_authsignal.destination.registry import DESTINATIONS
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import ROOT, at, python

README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def block_with(words: str) -> str:
    (block,) = [block for block in BLOCKS if words in block]
    return str(block)


def test_the_readme_has_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


def test_the_first_screen_links_the_page_about_dlthubs_page() -> None:
    assert "(docs/dlthub-page.md)" in "\n".join(README.splitlines()[:20])


def test_the_sandbox_test_of_the_readme_passes(empty: RunningSandbox) -> None:
    made: dict[str, Any] = {}
    exec(compile(block_with("def test_sign_in"), "README.md", "exec"), made)  # noqa: S102
    made["test_sign_in"](empty)
    assert empty.requests()["byRoute"] == {"POST /users/{userId}/actions/{action}": 1}


def test_the_sync_of_the_readme_loads(seeded: RunningSandbox) -> None:
    done = python("-c", block_with("sync(pipeline)"), env=at(seeded))
    assert done.returncode == 0, done.stderr
    assert re.search(r"^users +40 +40 ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(("title", "name"), [("DuckDB", "duckdb"), ("PostgreSQL", "postgres"), ("Delta", "filesystem")])
def test_the_tested_destinations_of_the_readme_are_tested(title: str, name: str) -> None:
    (row,) = re.findall(rf"^\| {title}.*", README, re.MULTILINE)
    assert row.split(" | ")[2].startswith(DESTINATIONS[name].evidence) == (DESTINATIONS[name].evidence == "tested")


def test_the_other_destinations_of_the_readme_have_the_evidence_of_the_package() -> None:
    for name in ("Snowflake", "BigQuery", "Redshift", "Databricks"):
        (row,) = [row for row in re.findall(r"^\| .* \|$", README, re.MULTILINE) if name in row.split(" | ")[0]]
        assert row.split(" | ")[2].strip(" |") == DESTINATIONS[name.lower()].evidence


def test_every_extra_in_the_readme_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = {extra for group in re.findall(r"\[([a-z0-9]+(?:,[a-z0-9]+)*)\][`']", README) for extra in group.split(",")}
    assert named > {"postgres", "delta", "databricks"}
    assert named <= extras.keys()


@pytest.mark.parametrize("name", ["overview-light", "overview-dark"])
def test_the_diagram_is_a_picture_that_needs_nothing_from_elsewhere(name: str) -> None:
    text = Path(ROOT, "docs", "images", f"{name}.svg").read_text("utf-8")
    drawing = ElementTree.fromstring(text)  # noqa: S314 - this project's own file
    assert drawing.attrib["aria-label"]
    assert re.findall(r"(?:href|src|url)\W+https?:", text) == []
