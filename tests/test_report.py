"""`dlt-authsignal report`: one file with the figures, and no user in it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.dashboard.export import browser
from dlt_authsignal.dashboard.export.report import check_filters, check_target, format_of, write
from dlt_authsignal.dashboard.page import Filters
from dlt_authsignal.errors import ConfigurationError, RunFailed
from tests.chromium import Chromium
from tests.documents import example
from tests.helpers import command
from tests.loaded import Loaded, project

PERSONAL = re.compile(
    r"user_id|email|phone_number|display_name|username|user_authenticator_id|device_id|idempotency_key|ip_address"
    r"|credential_id|user_agent$|recipient|_hash$"
)
"""Columns with values of one user."""


@pytest.fixture
def tenant(loaded: Loaded) -> Iterator[Loaded]:
    """The folder of a project that loaded everything, without hashes."""
    with project(loaded.folder):
        yield loaded


def personal_values(file: Path) -> set[str]:
    """Every value of one user that the database has."""
    found: set[str] = set()
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns"
            " where data_type = 'VARCHAR' and table_schema not like '%staging'"
        ).fetchall()
        for schema, table, column in columns:
            if PERSONAL.search(column):
                values = connection.execute(f'select distinct "{column}" from "{schema}"."{table}"').fetchall()
                found |= {str(value) for (value,) in values if value and len(str(value)) > 5}
    return found


def test_the_report_is_one_file_without_a_user(tenant: Loaded, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = command("report", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(f"Report: {out}  (")
    assert "dlt-authsignal dashboard" in done.stdout
    text = out.read_text("utf-8")
    assert "Sign-in funnel" in text
    values = personal_values(tenant.file) - {"offered"}  # the key of one attempt, and a word of the pages
    assert len(values) > 500
    assert [value for value in values if value in text] == []
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_the_report_of_real_data_is_accessible_and_quiet(demo: Path, browser: Chromium, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = command("report", "--pipeline-name", "authsignal_demo", "--out", str(out), timeout=200)
    assert done.returncode == 0, done.stderr
    for width, scheme in ((360, "dark"), (1280, "light"), (3840, "dark")):
        browser.open(out.as_uri(), width=width, colorScheme=scheme)
        keys = browser.evaluate("[...document.querySelectorAll('.page')].map(({id}) => id)")
        assert len(keys) == 7
        for key in keys:
            browser.evaluate(f"void (location.hash = '{key}')")
            browser.do("waitFor", text=browser.evaluate(f"document.querySelector('#{key} .intro p').textContent"))
            assert browser.do("axe") == [], key
            assert browser.evaluate("document.documentElement.scrollWidth") == width, key
        browser.assert_quiet()


@pytest.mark.deep
@pytest.mark.parametrize(("format", "beginning"), [("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_picture_and_a_pdf_are_made_by_an_installed_browser(
    tenant: Loaded, tmp_path: Path, format: str, beginning: bytes
) -> None:
    out = tmp_path / f"figures.{format}"
    for _ in "12":  # the second one replaces the first
        done = command("report", "--out", str(out), "--page", "funnel", timeout=110)
        assert done.returncode == 0, done.stderr
    content = out.read_bytes()
    assert content.startswith(beginning)
    assert len(content) > 50_000
    assert os.listdir(tmp_path) == [out.name]


def test_a_picture_without_a_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(browser, "PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"none is installed\. Nothing was written\. Install one"):
        write(example(), tmp_path / "report.png", format="png", page="overview")
    monkeypatch.setenv("CHROMIUM", "no-such-browser")
    with pytest.raises(ConfigurationError, match="CHROMIUM is set to no-such-browser, which is not a program"):
        browser.find()
    assert os.listdir(tmp_path) == []


@pytest.mark.deep
def test_a_browser_that_fails_leaves_the_earlier_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    earlier, broken = tmp_path / "report.pdf", tmp_path / "broken"
    earlier.write_bytes(b"%PDF earlier")
    broken.write_text("#!/bin/sh\necho no display >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(broken))
    with pytest.raises(RunFailed, match=r"broken could not draw the report \(exit code 3\): no display"):
        write(example(), earlier, format="pdf", page="overview")
    assert earlier.read_bytes() == b"%PDF earlier"
    assert sorted(os.listdir(tmp_path)) == ["broken", "report.pdf"]


def test_only_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.html").write_text("<p>Mine</p>")
    for name, reason in (
        ("folder", "it is a folder"),
        ("missing/report.html", "does not exist"),
        ("notes.html", "is not an earlier html report"),
    ):
        with pytest.raises(ConfigurationError, match=f"{reason}.*Nothing was written"):
            check_target(tmp_path / name, "html")
    report = tmp_path / "report.html"
    for _ in "12":
        check_target(report, "html")
        write(example(), report, format="html", page="overview")
    with pytest.raises(ConfigurationError, match="not an earlier pdf report"):
        check_target(report, "pdf")


def test_the_ending_of_the_name_chooses_the_format() -> None:
    names = ("report.html", "report.PDF", "a.b.png", "report", "report.txt")
    assert [format_of(Path(name)) for name in names] == ["html", "pdf", "png", "html", "html"]


def test_unknown_filters_are_refused_with_the_known_ones() -> None:
    choices = example().choices
    check_filters(Filters(action="signIn", method="SMS", country="NZ"), choices)
    with pytest.raises(ConfigurationError, match=r'no method "PASKEY"\. Known: PASSKEY, EMAIL_OTP, SMS'):
        check_filters(Filters(method="PASKEY"), choices)
    with pytest.raises(ConfigurationError, match="Choose an earlier first day"):
        check_filters(Filters(since=choices.last_day, until=choices.first_day), choices)


@pytest.mark.deep
def test_the_report_can_be_limited_to_some_days_and_an_action(tenant: Loaded, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    with duckdb.connect(str(tenant.file), read_only=True) as connection:
        [day] = connection.execute("select max(created_at)::date - 7 from authsignal_data.user_actions").fetchone() or [
            ""
        ]
    done = command("report", "--out", str(out), "--since", str(day), "--action", "signIn")
    assert done.returncode == 0, done.stderr
    assert "Action: signIn" in out.read_text("utf-8")
    wrong = command("report", "--out", str(out), "--page", "nowhere")
    assert (wrong.returncode, "Pages: overview, adoption" in wrong.stderr) == (2, True)


@pytest.mark.deep
def test_without_data_the_report_command_says_what_to_run(workdir: Path) -> None:
    done = command("report")
    assert done.returncode != 0
    assert "dlt-authsignal sync" in done.stderr
    assert not (workdir / "report.html").exists()


def test_a_dataset_that_does_not_exist_gives_no_report(tenant: Loaded, tmp_path: Path) -> None:
    done = command("report", "--dataset", "authsignal_dta", "--out", str(tmp_path / "report.html"))
    assert done.returncode == 2
    assert 'Dataset "authsignal_dta" of pipeline "authsignal_pipeline" has no synced data. Nothing was' in done.stderr
    assert os.listdir(tmp_path) == []
