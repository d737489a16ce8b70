"""Events in a spool become rows: once each, in any order, however often they are loaded."""

import gzip
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from click.testing import CliRunner

from dlt_authsignal.cli.main import cli
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.errors import AuthsignalError, OtherTenant
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.events.replay import replay_events
from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.source.events import resources
from dlt_authsignal.spool.folder import FolderSpool
from tests.event_spools import at, deliver, event, expected, load
from tests.helpers import rows

STORED = (
    "select event_id, state, _read_at from action_log"
    " union all select event_id, note, _read_at from challenge_log"
    " union all select event_id, note, _read_at from authenticator_events"
    " union all select event_id, json_extract_string(payload, 'note'), _read_at from unknown_events"
)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored() -> dict[str, tuple[str, Any]]:
    found = rows(STORED)
    ids = [event_id for event_id, _, _ in found if event_id != "first"]
    assert len(set(ids)) == len(ids)
    return {event_id: (state, read_at) for event_id, state, read_at in found}


def test_duplicates_late_files_and_replays_give_one_row_per_event() -> None:
    first = [event(number) for number in range(20)]
    newer = [event(number, "BLOCK") for number in range(5, 15)]
    older = [event(number, "CHALLENGE_REQUIRED") for number in range(25)]
    truth = expected([(first + first, at(1)), (newer, at(3)), (older, at(0))])
    deliver(first + first, at(1))
    report = load()
    assert (report.events, report.copies, sum(report.new.values())) == (40, 20, 20)
    deliver(newer, at(3))
    deliver(older, at(0))  # a file that appears late
    report = load(rows_per_run=10)
    assert (sum(report.new.values()), report.copies) == (5, 20)
    assert stored() == truth
    again = replay_events(make_pipeline(), at(-1), at(2), spool="spool")
    assert again.events == 65
    assert stored() == truth
    assert load().files == 0
    assert rows("select count(*), sum(records) from event_files") == [(12, 75)]


@pytest.mark.deep
@pytest.mark.parametrize("rows_per_file", ["1", pytest.param("5000", marks=pytest.mark.deep)])
def test_of_duplicates_in_one_load_the_one_received_last_is_stored(
    monkeypatch: pytest.MonkeyPatch, rows_per_file: str
) -> None:
    monkeypatch.setattr(resources, "ROWS_PER_BATCH", 1)
    for name in ("FILE", "BUFFER"):
        monkeypatch.setenv(f"DATA_WRITER__{name}_MAX_ITEMS", rows_per_file)
    states = ("ALLOW", "BLOCK", "CHALLENGE_REQUIRED")
    deliveries = [([event(0, state), event(5 * minute)], at(minute)) for minute, state in enumerate(states)]
    for delivery in deliveries:
        deliver(*delivery)
    assert sum(load().new.values()) == 3
    replay_events(make_pipeline(), at(-1), at(2), spool="spool")
    found = rows("select event_id, state, _read_at from action_log")
    assert len(found) == 3
    assert {event_id: (state, read_at) for event_id, state, read_at in found} == expected(deliveries)


def test_a_damaged_or_foreign_file_is_reported_and_the_other_files_are_loaded() -> None:
    names = deliver([event(number) for number in range(10)], at(0))
    whole = Path("spool", names[0]).read_bytes()
    cut = Path("spool", names[0].replace("090000", "090100"))
    cut.write_bytes(whole[: len(whole) // 2])
    report = load()
    assert report.refused == {cut.relative_to("spool").as_posix(): "it is not a complete Parquet file"}
    assert sum(report.tables.values()) == 10
    cut.write_bytes(whole)
    report = load()
    assert (report.refused, report.files) == ({}, 1)


@pytest.mark.deep
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_this_account_may_not_read_does_not_block_the_others() -> None:
    names = [*deliver([event(0)], at(0)), *deliver([event(1)], at(1))]
    Path("spool", names[0]).chmod(0)
    report = load()
    assert list(report.refused) == [names[0]]
    assert report.events == 1


def test_the_secret_path_and_the_key_are_in_no_file_that_a_load_writes(project: Path) -> None:
    secret = "\n".join(f'{name} = "/hook/secret-{name}"' for name in ("path", "api_secret_key"))
    (project / ".dlt").mkdir()
    (project / ".dlt" / "secrets.toml").write_text(f"[sources.authsignal_events]\n{secret}\n")
    deliver([event(0)], at(0))
    load()
    written = [path for path in project.rglob("*") if path.is_file() and path.name != "secrets.toml"]
    assert any(path.name == "trace.pickle" for path in written)
    assert [path for path in written if b"/hook/secret-" in path.read_bytes()] == []


@pytest.mark.deep
def test_a_spool_that_does_not_exist_is_reported() -> None:
    Path("elsewhere").mkdir()
    result = CliRunner().invoke(cli, ["events", "load", "--spool", "nowhere"], catch_exceptions=False)
    assert "does not exist yet" in result.output
    result = CliRunner().invoke(cli, ["events", "load", "--spool", "elsewhere"], catch_exceptions=False)
    assert "does not exist yet" not in result.output


def test_values_of_an_unexpected_type_are_stored_in_a_separate_column() -> None:
    deliver([event(0, risk=1, more={"a": 1})], at(0))
    load()
    deliver([event(5, risk="high", more=[1])], at(1))
    deliver([event(10, risk=1.5)], at(2))
    load()
    found = rows("select risk, risk__v_text, risk__v_double, more__a from action_log order by event_id")
    assert found == [(1, None, None, 1), (None, None, 1.5, None), (None, "high", None, None)]
    assert rows("select more from action_log where event_id = 'event-5'") == [("[1]",)]


@pytest.mark.deep
def test_a_dropped_table_is_filled_from_the_spool_again() -> None:
    deliver([event(number) for number in range(10)], at(0))
    load()
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("drop table authsignal_data.action_log")
    report = load()
    assert report.recreated == ["action_log"]
    assert (report.files, report.tables["action_log"]) == (1, 4)


@pytest.mark.deep
def test_a_dataset_of_another_tenant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deliver([event(0)], at(0))
    key = "SOURCES__AUTHSIGNAL_EVENTS__API_SECRET_KEY"
    monkeypatch.setenv(key, "first-key-of-a-tenant-0123456789")
    load()
    monkeypatch.setenv(key, "another-key-of-a-tenant-987654321")
    deliver([event(1)], at(1))
    with pytest.raises(OtherTenant):
        load()
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_EVENTS__ADDITIONAL_SECRET_KEYS", "first-key-of-a-tenant-0123456789")
    assert load().files == 1


@pytest.mark.deep
def test_events_are_loaded_as_rows_into_a_table_that_was_created_from_rows() -> None:
    """As in destinations that take no Arrow tables."""

    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def begun() -> Any:
        own = {"_row_hash": 16 * "0", "_api": "webhook", "_read_at": at(-9)}
        tables = EVENT_TABLES.values()
        return [dlt.resource([{"event_id": "first"} | own], **hints(table)) for table in tables]

    make_pipeline().run(begun())
    events = [event(number, risk=number, more={"a": [number]}, rules=[{"ruleId": "r"}]) for number in range(10)]
    truth = expected([(events, at(0)), (events[:5], at(1))])
    deliver(events, at(0))
    deliver(events[:5], at(1))
    load()
    found = stored()
    del found["first"]
    assert found == truth
    assert rows("select rules, risk, more__a from action_log where event_id = 'event-5'") == [
        ('[{"ruleId":"r"}]', 5, "[5]")
    ]


def test_old_files_are_deleted_after_they_are_loaded() -> None:
    deliver([event(0)], at(0))
    deliver([event(1)], at(0) - timedelta(days=400))
    report = load(spool_retention="0s")
    assert report.deleted_files == 2
    assert not list(Path("spool/default").rglob("*.parquet"))
    assert load().tables["action_log"] == 2


def test_an_archive_is_imported_once(project: Path) -> None:
    events = [event(number) for number in range(30)]
    lines = [json.dumps(each) for each in events[:10]] + [json.dumps({"records": events[10:]})]
    (project / "archive.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    run = CliRunner().invoke
    for _ in range(2):
        result = run(cli, ["events", "import", "archive.jsonl.gz"], catch_exceptions=False)
        assert "30 events of 11 lines are in" in result.output
    result = run(cli, ["events", "load", "--json"], catch_exceptions=False)
    report = json.loads(result.output)
    assert (report["events"], sum(report["tables"].values())) == (30, 30)
    (project / "bad.jsonl").write_text(f"{lines[0]}\n\n[1]\n")
    (project / "deep.jsonl").write_text('{"type": "x", "id": "e-1", "data": {"list": ' + "[" * 900 + "]" * 900 + "}}")
    with pytest.raises(AuthsignalError, match="nested too deeply"):
        run(cli, ["events", "import", "deep.jsonl"], catch_exceptions=False)
    with pytest.raises(AuthsignalError, match=r"bad\.jsonl, line 3 is not an event: it is not a JSON object"):
        run(cli, ["events", "import", "bad.jsonl"], catch_exceptions=False)


def test_an_archive_may_begin_with_the_mark_of_utf_8_and_another_encoding_is_said(project: Path) -> None:
    text = "\n".join(json.dumps(event(number)) for number in range(3))
    for name, content in (("plain", text.encode()), ("marked", text.encode("utf-8-sig"))):
        (project / name).write_bytes(content)
        done = CliRunner().invoke(cli, ["events", "import", name], catch_exceptions=False)
        assert "3 events of 3 lines are in" in done.output
    (project / "wide").write_bytes(text.encode("utf-16"))
    with pytest.raises(
        AuthsignalError, match=r"wide is UTF-16, and archives must be UTF-8\. Nothing was imported from it"
    ):
        CliRunner().invoke(cli, ["events", "import", "wide"], catch_exceptions=False)


@pytest.mark.deep
def test_a_receive_time_before_1970_is_refused_and_a_replay_from_any_year_finds_all_files(project: Path) -> None:
    (project / "archive").write_text(json.dumps(event(1)))
    run = CliRunner().invoke
    for moment in ("0001-01-01", "9999-12-31"):
        with pytest.raises(AuthsignalError, match=r"must be in the years 1970 to 9998\. Nothing was imported"):
            run(cli, ["events", "import", "archive", "--received-at", moment], catch_exceptions=False)
    run(cli, ["events", "import", "archive"], catch_exceptions=False)
    for start in ("0001-01-01", "0999-12-31"):
        replayed = run(cli, ["events", "replay", "--from", start, "--json"], catch_exceptions=False)
        assert json.loads(replayed.output)["files"] == 1, start


def settle(*days: Path) -> None:
    """Let folders look as if they had not changed for an hour."""
    for day in days:
        moment = time.time() - 3_600
        os.utime(day, (moment, moment))


def test_a_load_lists_only_changed_days_and_finds_every_late_file(monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    in_day = FolderSpool._in_day

    def noted(spool: FolderSpool, day: str, table: str | None) -> Any:
        listed.append(day)
        return in_day(spool, day, table)

    monkeypatch.setattr(FolderSpool, "_in_day", noted)
    first, second = Path("spool/default/2026-11-02"), Path("spool/default/2026-11-03")
    for number, minute in enumerate((0, 24 * 60)):
        deliver([event(number)], at(minute))
    settle(first, second)
    assert load().files == 2
    listed.clear()
    assert (load().files, listed) == (0, [])
    deliver([event(2)], at(24 * 60 + 1))
    assert (load().files, listed) == (1, ["default/2026-11-03/"])
    deliver([event(3)], at(1))  # late
    settle(second)
    listed.clear()
    assert (load().files, len(listed)) == (1, 2)
    with duckdb.connect("authsignal_pipeline.duckdb") as connection:
        connection.execute("delete from authsignal_data.event_files where received_at < '2026-11-03'")
    settle(first, second)
    assert load().files == 2
