"""Shards: parts of a tenant that are read separately and loaded in one run. The tables equal those of a plain sync."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_authsignal.errors import ServerFault, ShardsMissing, ShardsUnusable, TooManyDeletes
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.shards.load import load_shards
from dlt_authsignal.pipeline.shards.read import read_shard
from dlt_authsignal.pipeline.shards.report import ShardReport
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.spool.folder import UNFINISHED
from dlt_authsignal.spool.parquet import as_parquet
from tests.contents import change, loaded
from tests.helpers import PIPELINE_ARGUMENTS, SECRET, rows, sync_from, table
from tests.loaded import synced
from tests.tiers import deep_except

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
FOLDER = "shards"
ONE, MANY = "one", "many"
pytestmark = pytest.mark.timeout(300)  # several syncs in each

PRIVATE = {"privacy": "pseudonymize", "privacy_key": KEY}


def settings(running: RunningSandbox, **given: Any) -> dict[str, Any]:
    defaults = {"base_url": running.url, "api_secret_key": SECRET, "rate": 50_000, "attempts": 3, "backoff": 0.01}
    return {**defaults, "shard_folder": FOLDER, "privacy": "keep", **given}


def shard(running: RunningSandbox, part: str, **given: Any) -> ShardReport:
    """Read one shard for the pipeline `many`."""
    into = {"pipeline_name": MANY} | {name: given.pop(name) for name in PIPELINE_ARGUMENTS & given.keys()}
    return read_shard(make_pipeline(**into), part, **settings(running, **given))


def load(running: RunningSandbox, **given: Any) -> SyncReport:
    """Load the shards of the pipeline `many`."""
    into = {"pipeline_name": MANY} | {name: given.pop(name) for name in PIPELINE_ARGUMENTS & given.keys()}
    return load_shards(make_pipeline(**into), **settings(running, **given))


def sharded(running: RunningSandbox, of: int, **given: Any) -> SyncReport:
    """Read all shards, and load them."""
    for number in range(1, of + 1):
        shard(running, f"{number}/{of}", **given)
    return load(running, **given)


def plain(running: RunningSandbox, **given: Any) -> SyncReport:
    return sync_from(running, **{"pipeline_name": ONE, **given})


def files() -> list[Path]:
    """Files of shards, without unfinished ones of killed shards, which a later shard removes after an hour."""
    return [path for path in Path(FOLDER).rglob("*") if path.is_file() and path.parent.name != UNFINISHED]


@pytest.mark.parametrize("of", deep_except([2], [1, 2, 4]))
def test_shards_load_the_tables_and_histories_of_a_plain_sync(seeded: RunningSandbox, of: int) -> None:
    first = plain(seeded, **PRIVATE), sharded(seeded, of, **PRIVATE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    assert first[0].tables == first[1].tables
    assert files() == []
    change(seeded)
    second = plain(seeded, **PRIVATE), sharded(seeded, of, **PRIVATE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    assert second[0].tables == second[1].tables
    assert second[1].tables["users"].deleted == 1


def test_a_missing_shard_loads_nothing_or_if_accepted_marks_nothing_as_deleted(seeded: RunningSandbox) -> None:
    synced(seeded, MANY)
    change(seeded)
    before = loaded(f"{MANY}.duckdb")
    for number in (1, 2, 4):
        shard(seeded, f"{number}/4", round="r", full=True)
    with pytest.raises(ShardsMissing, match=r"shard 3/4 is missing. Nothing was loaded") as missing:
        load(seeded)
    assert missing.value.missing == ("3/4",)
    assert loaded(f"{MANY}.duckdb") == before
    report = load(seeded, accept_missing_shards=True)
    assert "without 3/4. No rows of users were marked as deleted." in report.notes[0]
    assert 20 < report.users_read < 40
    assert [each.deleted for each in report.tables.values()] == [0] * len(report.tables)
    assert loaded(f"{MANY}.duckdb")["users"] == before["users"]
    assert files() == []
    assert sharded(seeded, 2).tables["users"].deleted == 1
    assert rows("select count(*) from user_authenticators where deleted_at is not null", f"{MANY}.duckdb") > [(0,)]


@pytest.mark.deep
def test_a_load_removes_the_shards_of_an_earlier_round_that_was_never_loaded(seeded: RunningSandbox) -> None:
    shard(seeded, "1/2", round="monday")
    for number in (1, 2):
        shard(seeded, f"{number}/2", round="tuesday")
    load(seeded, round="tuesday")
    assert files() == []
    sharded(seeded, 1, round="wednesday")
    assert loaded(f"{MANY}.duckdb")["users"]


def test_a_shard_that_is_run_again_replaces_its_output_and_one_that_fails_leaves_the_earlier_one(
    seeded: RunningSandbox,
) -> None:
    shard(seeded, "1/2")
    first = set(files())
    seeded.faults.add(Fault(route="GET /users/{userId}/devices", kind="status", status=500, times=None))
    with pytest.raises(ServerFault):
        shard(seeded, "1/2", attempts=1)
    assert set(files()) == first
    seeded.faults.clear()
    shard(seeded, "1/2")
    again = set(files())
    assert len(again) == len(first)
    assert {path.name for path in first & again} == {"1-of-2.json"}
    shard(seeded, "2/2")
    assert load(seeded).users_read == 40
    synced(seeded, ONE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


def test_shards_of_different_settings_or_of_an_older_state_are_refused(seeded: RunningSandbox) -> None:
    shard(seeded, "1/2", max_staleness="1d")
    shard(seeded, "2/2", privacy="pseudonymize", privacy_key=KEY)
    with pytest.raises(ShardsUnusable, match=r"different settings: max_staleness, privacy or privacy_key"):
        load(seeded)
    shard(seeded, "1/3")
    with pytest.raises(ShardsUnusable, match=r"shards of different counts: K/2, K/3"):
        load(seeded)
    for number in (1, 2):
        shard(seeded, f"{number}/2", round="good")
    with pytest.raises(ShardsUnusable, match=r"several rounds.*Choose one with --round"):
        load(seeded)
    with pytest.raises(ShardsUnusable, match=r"differ from those of this load: tenant_id"):
        load(seeded, round="good", tenant_id="t1")
    with pytest.raises(ShardsUnusable, match=r"another api_secret_key or from another region"):
        load(seeded, round="good", api_secret_key="another")
    plain(seeded, pipeline_name=MANY, full=True)
    with pytest.raises(ShardsUnusable, match=r"began before the newest load"):
        load(seeded, round="good")


def test_damaged_and_foreign_files_load_nothing(seeded: RunningSandbox) -> None:
    shard(seeded, "1/1")
    manifest = next(path for path in files() if path.suffix == ".json")
    (users,) = (path for path in files() if path.name == "000001.users.parquet")
    said, content = manifest.read_bytes(), users.read_bytes()
    for damage in (b"", b"{}", b"\xff\xfe", said[:-40], said.replace(b'"of": 1', b'"of": 2'), b"[" * 100_000):
        manifest.write_bytes(damage)
        with pytest.raises(ShardsUnusable, match=r"manifest of shard 1/1.*Nothing was loaded"):
            load(seeded)
    manifest.write_bytes(said.replace(b"/000001.users.parquet", b"/../../../secret"))
    with pytest.raises(ShardsUnusable, match=r"Nothing was loaded"):
        load(seeded)
    manifest.write_bytes(said)
    for damage in (b"", content[:-10], content[:100] + b"x" + content[101:]):
        users.write_bytes(damage)
        with pytest.raises(ShardsUnusable, match=r"000001.users.parquet.*differs from what its shard wrote"):
            load(seeded)
    users.unlink()
    with pytest.raises(ShardsUnusable, match=r"has no file .*000001.users.parquet.*Nothing was loaded"):
        load(seeded)
    for forged in forgeries(content):
        users.write_bytes(forged)
        entry = json.loads(said)
        for each in entry["files"]:
            if each[0].endswith(users.name):
                each[1:] = len(forged), sha256(forged).hexdigest()
        manifest.write_text(json.dumps(entry))
        with pytest.raises(ShardsUnusable, match=r"000001.users.parquet of shard 1/1 cannot be used"):
            load(seeded)
    assert not Path(f"{MANY}.duckdb").exists() or not rows(
        "select 1 from information_schema.tables where table_name = 'users'", f"{MANY}.duckdb"
    )


def forgeries(content: bytes) -> Iterator[bytes]:
    """Files that differ from what a shard writes, as an attacker with access to the folder could make them."""
    table = pq.read_table(pa.BufferReader(content))
    place = table.column_names.index("user_id")
    yield b"PAR1 is not all of it"
    yield as_parquet(table.drop_columns(["user_id"]))
    yield as_parquet(table.set_column(place, "user_id", pa.array(range(table.num_rows))))
    yield as_parquet(table.set_column(place, "user_id", pa.nulls(table.num_rows, pa.string())))
    yield as_parquet(table.append_column("surprise", pa.array(["x"] * table.num_rows)))
    hashes = table.column_names.index("_row_hash")
    yield as_parquet(table.set_column(hashes, "_row_hash", pa.array(["x"] * table.num_rows)))


def users_of(of: int, each: int) -> list[list[str]]:
    """Ids of users, with `each` of them in every shard."""
    found: list[list[str]] = [[] for _ in range(of)]
    for number in range(1000):
        user_id = f"u{number}"
        place = next(place for place in range(of) if user_id in Part(place + 1, of))
        if len(found[place]) < each:
            found[place].append(user_id)
    return found


def read_with(running: RunningSandbox, part: str, body: Mapping[str, Any], **given: Any) -> ShardReport:
    """Read a shard while Authsignal returns the same body for each user."""
    running.faults.clear()
    text = json.dumps({"isEnrolled": True, **body})
    running.faults.add(Fault(route="GET /users/{userId}", kind="body", body=text, times=None))
    return shard(running, part, tables=["users"], **given)


def test_text_that_one_shard_hashes_is_hashed_in_all_and_a_column_has_one_type(empty: RunningSandbox) -> None:
    (one,), (other,) = users_of(2, 1)
    for user_id in (one, other):
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=empty.sandbox.clock.now()))
    read_with(empty, "1/2", {"fresh": "high", "mixed": 5, "more": {"deep": "low", "n": 1}, "list": ["a"]}, **PRIVATE)
    read_with(empty, "2/2", {"fresh": "Ann Miller", "mixed": "low", "more": {"deep": "Ann Miller"}}, **PRIVATE)
    written = b"".join(path.read_bytes() for path in files())
    assert b"Miller" not in written
    report = load(empty, tables=["users"], **PRIVATE)
    found = {row["user_id"]: row for row in table("users", f"{MANY}.duckdb")}
    hashed = Privacy(key=KEY).unknown
    assert (found[one]["fresh"], found[other]["fresh"]) == (hashed("high"), hashed("Ann Miller"))
    assert (found[one]["more__deep"], found[other]["more__deep"]) == (hashed("low"), hashed("Ann Miller"))
    assert found[one]["mixed"] == 5
    assert found[other]["mixed__v_text"] == "low"
    assert (found[one]["more__n"], json.loads(found[one]["list"])) == (1, ["a"])
    assert report.drift["users"]["hashed"] == ["fresh", "more__deep"]
    assert report.drift["users"]["hashed_after_plain"] == []
    again = json.dumps(
        {"isEnrolled": True, "fresh": "high", "mixed": 5, "more": {"deep": "low", "n": 1}, "list": ["a"]}
    )
    empty.faults.clear()
    empty.faults.add(Fault(route="GET /users/{userId}", kind="body", body=again, times=None))
    second = sync_from(empty, pipeline_name=MANY, tables=["users"], full=True, **PRIVATE)
    assert (second.tables["users"].changed, second.tables["users"].new) == (1, 0)  # the other user only


@pytest.mark.deep
def test_a_shard_can_use_workers_and_action_details_are_read_in_shards_too(seeded: RunningSandbox) -> None:
    tables = ["users", "user_actions", "action_details"]
    for number in (1, 2):
        shard(seeded, f"{number}/2", workers=2, tables=tables, **PRIVATE)
    load(seeded, tables=tables, **PRIVATE)
    plain(seeded, tables=tables, **PRIVATE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    assert sharded(seeded, 2, tables=tables, **PRIVATE).tables["action_details"].read == 0


@pytest.mark.deep
def test_users_of_a_file_and_unknown_ids_are_divided_too(seeded: RunningSandbox, workdir: Path) -> None:
    known = sorted(user.user_id for user in seeded.sandbox.store.users())[:10]
    (workdir / "ids.txt").write_text("\n".join([*known, "nobody-1", "nobody-2", "nobody-3"]))
    report = sharded(seeded, 3, users_from="ids.txt")
    other = plain(seeded, users_from="ids.txt")
    assert (report.users_found, report.unknown_users) == (other.users_found, other.unknown_users) == (13, 3)
    assert sorted(report.unknown_positions) == other.unknown_positions == [11, 12, 13]
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


@pytest.mark.deep
def test_restored_users_and_deletes_above_the_limit(seeded: RunningSandbox) -> None:
    store = seeded.sandbox.store
    kept = {user.user_id: user for user in store.users()}
    plain(seeded)
    plain(seeded, pipeline_name=MANY)
    gone = sorted(kept)[:3]
    for user_id in gone:
        store.remove_user(user_id, actions=True)
    with pytest.raises(TooManyDeletes, match="users"):
        sharded(seeded, 2, max_deletes="2")
    shard(seeded, "1/2", accept_deletes=True, round="r")
    shard(seeded, "2/2", accept_deletes=True, round="r")
    with pytest.raises(TooManyDeletes, match="users"):
        load(seeded, max_deletes="2")
    assert load(seeded, max_deletes="2", accept_deletes=True).tables["users"].deleted == 3
    plain(seeded)
    for user_id in gone:
        store.put_user(kept[user_id])
    sharded(seeded, 4)
    plain(seeded)
    assert rows("select count(*) from users where deleted_at is null", f"{MANY}.duckdb") == [(40,)]
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


@pytest.mark.deep
@pytest.mark.parametrize("database", ["postgres", "delta", pytest.param("iceberg", marks=pytest.mark.slow)])
def test_shards_for_other_destinations(
    database: str,
    seeded: RunningSandbox,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    workdir: Path,
) -> None:
    if database == "postgres":
        destination = database
        monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", request.getfixturevalue("postgres_database"))
    else:
        destination = "filesystem"
        monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(workdir / "lake"))
        monkeypatch.setenv("DESTINATION__FILESYSTEM__TABLE_FORMAT", database)
    first = sharded(seeded, 2, destination=destination, **PRIVATE)
    assert (first.users_read, first.tables["users"].new) == (40, 40)
    change(seeded)
    second = sharded(seeded, 2, destination=destination, **PRIVATE)
    assert (second.tables["users"].deleted, second.tables["users"].total) == (1, 39)
    again = sharded(seeded, 2, destination=destination, full=True, **PRIVATE)
    assert (again.users_read, again.tables["users"].changed, again.tables["users"].new) == (39, 0, 0)
    assert again.tables["user_authenticators"].changed == 0
