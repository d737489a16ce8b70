"""What `import dlt_authsignal` offers, as docs/python-api.md shows it."""

import re
import shutil
from pathlib import Path
from typing import Any

import dlt
import pytest

import dlt_authsignal
from dlt_authsignal import SyncReport, sync
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import at, python, sync_from

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python-api.md").read_text("utf-8")


def reads_of_users(running: RunningSandbox) -> int:
    return running.sandbox.log.by_route["GET /users/{userId}"]


def test_every_public_name_loads_and_is_on_the_page() -> None:
    for name in dlt_authsignal.__all__:
        assert getattr(dlt_authsignal, name).__name__ == name
        assert f"`{name}`" in PAGE or f"## {name}\n" in PAGE, name
    assert callable(dlt_authsignal.sync)


def test_the_examples_of_the_page_run_in_order(empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in at(empty).items():
        monkeypatch.setenv(name, value)
    made: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(block, "docs/python-api.md", "exec"), made)  # noqa: S102
    assert isinstance(made["report"], SyncReport)


@pytest.mark.deep
def test_the_script_run_twice_reads_each_user_once(seeded: RunningSandbox, workdir: Path) -> None:
    shutil.copy(ROOT / "authsignal_pipeline.py", workdir)
    found = []
    for _ in range(2):
        done = python("authsignal_pipeline.py", env=at(seeded), timeout=100)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert "40 users read in" in found[0]
    assert "0 of 40 users were due and read" in found[1]
    assert reads_of_users(seeded) == 40


def test_the_script_ends_an_error_with_one_message(workdir: Path) -> None:
    shutil.copy(ROOT / "authsignal_pipeline.py", workdir)
    done = python("authsignal_pipeline.py", timeout=100)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: No Authsignal credentials found")
    assert "Traceback" not in done.stderr


def test_a_pipeline_that_is_no_longer_active_is_synced_into_its_own_destination(
    empty: RunningSandbox, workdir: Path
) -> None:
    mine = dlt.pipeline("mine", destination="duckdb", dataset_name="data")
    dlt.pipeline("another", destination="filesystem", dataset_name="data")
    settings: dict[str, Any] = {"base_url": empty.url, "api_secret_key": "sandbox-server-secret", "privacy": "keep"}
    report = sync(mine, tables=["users"], **settings)
    assert (report.pipeline, report.destination, report.dataset) == ("mine", "duckdb", "data")
    assert (workdir / "mine.duckdb").exists()


def test_the_report_has_text_values_and_html(empty: RunningSandbox) -> None:
    report = sync_from(empty, tables=["users"])
    assert str(report).splitlines()[0].split() == ["table", "rows", "new", "changed", "deleted"]
    assert "The data is in authsignal_pipeline.duckdb, dataset authsignal_data." in str(report)
    assert report.to_dict()["tables"]["users"]["total"] == 0
    assert "<td>users</td>" in report._repr_html_()
