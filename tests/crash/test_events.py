"""Killed anywhere, a load of events is put right by the next plain one: no event is lost, and none is doubled."""

import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.crash.points import COMMITTED, Point
from tests.crash.syncs import SMALL_FILES, InDuckDB, InPostgres, Zygote
from tests.event_spools import at, deliver, event, expected

_PACKAGES: Final = "dlt.common.storages.load_package:PackageStorage"
_LOADING: Final = "dlt.common.storages.load_storage:LoadStorage"
_CLIENT: Final = "dlt.destinations.job_client_impl:SqlJobClientBase"
_MERGE: Final = "dlt.destinations.job_client_impl:SqlLoadJob.run"
_DIRECT: Final = "dlt_authsignal.destination.dlt_patches.direct_merge"
_LOAD: Final = "dlt_authsignal.pipeline.events.load"
_BATCH: Final = "dlt_authsignal.source.resources.table_resource:Loading.table"

POINTS: Final[dict[str, Point]] = {
    "among the files": Point("dlt_authsignal.source.events.reading:from_parquet", "after", 5),
    "after a batch": Point(_BATCH, "after", 3),
    "before what was read is put by": Point("dlt.extract.storage:ExtractStorage.commit_new_load_package", "before"),
    "between extract and normalize": Point("dlt.pipeline.pipeline:Pipeline.normalize", "before"),
    "in normalize, after its files": Point("dlt.normalize.normalize:Normalize.spool_files", "after"),
    "between normalize and load": Point("dlt.pipeline.pipeline:Pipeline.load", "before"),
    "after the tables were changed": Point(f"{_CLIENT}.update_stored_schema", "after"),
    "after the 1st file was committed": Point(COMMITTED, "before", 1),
    "after the 3rd file was committed": Point(COMMITTED, "before", 3),
    "after the 6th file was committed": Point(COMMITTED, "before", 6),
    "before the 3rd job is marked done": Point(f"{_PACKAGES}.complete_job", "before", 3),
    "in the 1st merge": Point(f"{_DIRECT}:_are_all_new", "after", 1),
    "in the 7th merge": Point(f"{_DIRECT}:_are_all_new", "after", 7),
    "after the 1st merge": Point(f"{_DIRECT}:_merge", "after", 1),
    "after the 3rd merge": Point(f"{_DIRECT}:_merge", "after", 3),
    "after the 9th merge": Point(f"{_DIRECT}:_merge", "after", 9),
    "after the load, before it is noted": Point(f"{_CLIENT}.complete_load", "before"),
    "after the load is noted": Point(f"{_CLIENT}.complete_load", "after"),
    "after the package is put away": Point(f"{_LOADING}.complete_load_package", "after"),
    "in the second run, after a batch": Point(_BATCH, "after", 6),
    "after the load of the second run is noted": Point(f"{_CLIENT}.complete_load", "after", 2),
    "before old files are deleted": Point(f"{_LOAD}:delete_old", "before"),
    "among the files that are deleted": Point("dlt_authsignal.spool.folder:FolderSpool.delete", "after", 3),
}
STAGED: Final[dict[str, Point]] = {
    **POINTS,
    "in the 1st merge": Point(_MERGE, "before", 1),
    "in the 7th merge": Point(_MERGE, "before", 4),
    "after the 1st merge": Point(_MERGE, "after", 1),
    "after the 3rd merge": Point(_MERGE, "after", 3),
    "after the 9th merge": Point(_MERGE, "after", 5),
}
"""The same where dlt merges from staging tables."""

IN_DEEP: Final = (
    "after a batch",
    "between extract and normalize",
    "after the tables were changed",
    "after the 3rd file was committed",
    "before the 3rd job is marked done",
    "in the 7th merge",
    "after the 9th merge",
    "after the load, before it is noted",
    "after the load of the second run is noted",
    "among the files that are deleted",
)
"""One of each step in make test-deep; make test-crash has all points."""

DEEP: Final = 3
"""Random moments in make test-deep; make test-crash has all of them."""

KINDS: Final = ("millisecond", "file operation", "statement")
TABLES: Final = {
    "action_log": "state",
    "challenge_log": "note",
    "authenticator_events": "note",
    "unknown_events": "event_type",
}

FIRST = [(event(number), at(number // 5)) for number in range(20)]
LATER = [(event(number, "BLOCK"), at(10 + number // 4)) for number in range(10, 40)]
TRUTH = expected([([each], moment) for each, moment in [*FIRST, *LATER]])


class Loads:
    """A project with a spool, whose loads can be killed."""

    def __init__(self, zygote: Zygote, folder: Path, database: Any, spool: str, env: Mapping[str, str]) -> None:
        self._zygote, self.folder, self.database, self._spool, self._env = zygote, folder, database, spool, env

    def deliver(self, events: list[tuple[dict[str, Any], Any]]) -> None:
        for moment in dict.fromkeys(moment for _, moment in events):
            deliver([each for each, when in events if when == moment], moment, self._spool)

    def load(self, **how: Any) -> int:
        env = {**SMALL_FILES, **self.database.env(self.folder), **self._env}
        env |= {"DLT_DATA_DIR": str(self.folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        if isinstance(how.get("point"), Point):
            how["point"] = list(how["point"])
        arguments = ["events", "load", "--destination", self.database.name, "--spool", self._spool]
        return self._zygote.run(self.folder, env, arguments, **how)

    def said(self) -> str:
        return (self.folder / "err.txt").read_text("utf-8")

    def lose_disk(self) -> None:
        shutil.rmtree(self.folder / "dlt", ignore_errors=True)

    def check(self) -> None:
        """One plain load ends in the right tables, and leaves nothing to do."""
        assert self.load() == 0, self.said()
        tables = {name: [dict(row) for row in rows] for name, rows in self.database.tables(self.folder).items()}
        found = [row["event_id"] for name in TABLES for row in tables[name]]
        assert sorted(found) == sorted(TRUTH)
        for name, state in TABLES.items():
            for row in tables[name]:
                if name != "unknown_events":
                    assert row[state] == TRUTH[row["event_id"]][0], row["event_id"]
        files = [row["file"] for row in tables["event_files"]]
        assert len(files) == len(set(files))
        assert self.load() == 0
        assert "0 files with 0 events loaded" in (self.folder / "out.txt").read_text("utf-8")


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.crash)])
def database(request: pytest.FixtureRequest) -> Any:
    return InDuckDB() if request.param == "duckdb" else InPostgres(request.getfixturevalue("postgres_server")).made()


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.crash)])
def loads(
    request: pytest.FixtureRequest,
    zygote: Zygote,
    workdir: Path,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Loads:
    spool, env = str(workdir / "spool"), {"SOURCES__AUTHSIGNAL_EVENTS__SPOOL_RETENTION": "0s"}
    if request.param == "s3":
        endpoint, bucket = request.getfixturevalue("s3_bucket")
        spool = f"s3://{bucket}/spool"
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
        env |= {**keys, "AWS_ENDPOINT_URL": endpoint}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return Loads(zygote, workdir, database, spool, env)


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize("loses_disk", [False, pytest.param(True, marks=pytest.mark.crash)])
@pytest.mark.parametrize(
    "name", [name if name in IN_DEEP else pytest.param(name, marks=pytest.mark.crash) for name in POINTS]
)
def test_a_load_killed_at_a_named_point_recovers(
    loads: Loads, name: str, loses_disk: bool, record_property: Callable[[str, object], None]
) -> None:
    loads.deliver(FIRST)
    assert loads.load() == 0, loads.said()
    loads.deliver(LATER)
    code = loads.load(point=(POINTS if loads.database.name == "duckdb" else STAGED)[name])
    if "s3://" not in loads._spool or name != "among the files that are deleted":
        assert code == -9, f"{name} is never reached: {loads.said()}"
    record_property("kill", f"{loads.database.name}, events, {name}")
    if loses_disk:
        loads.lose_disk()
    loads.check()


@pytest.mark.deep
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number", [number if number < DEEP else pytest.param(number, marks=pytest.mark.crash) for number in range(40)]
)
def test_a_load_killed_at_a_random_moment_recovers(
    loads: Loads, number: int, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(number)
    first = rng.random() < 0.5
    loads.deliver(FIRST)
    if first:
        assert loads.load() == 0, loads.said()
    for events in rng.choice([[LATER], [LATER[:15], LATER[15:]]]):
        loads.deliver(events)
        kind = rng.choice(KINDS)
        nth = rng.randint(1, {"millisecond": 1500, "file operation": 1500, "statement": 120}[kind])
        how: dict[str, Any] = {"seconds": nth / 1000} if kind == "millisecond" else {"fatal": {kind: nth}}
        code = loads.load(**how)
        assert code in (0, -9, -14), loads.said()
        if code:
            record_property("kill", f"{loads.database.name}, events, random {kind}")
        if rng.random() < 0.3:
            loads.lose_disk()
    loads.check()
