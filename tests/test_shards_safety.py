"""Killed shards, identifiers in the files of shards, erasure, the rate of a shard, and object stores."""

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import ConfigurationError, ShardsMissing
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.erase.run import erase
from dlt_authsignal.pipeline.shards.read import read_shard
from dlt_authsignal.sandbox import RunningSandbox, run_in_thread
from dlt_authsignal.source.incremental.part import Part
from tests.canaries import search
from tests.contents import loaded
from tests.helpers import at, command, python, rows
from tests.loaded import synced
from tests.planted import config, plant, unique
from tests.receivers import s3_environment
from tests.test_shards import FOLDER, KEY, MANY, ONE, files, load, plain, settings, shard, sharded
from tests.tiers import deep_after, deep_except

KILLED = -9

pytestmark = pytest.mark.timeout(300)  # several syncs in each

KILL = """
import os, signal, sys
from dlt.pipeline.pipeline import Pipeline
from dlt_authsignal.cli.main import cli
from dlt_authsignal.spool.folder import FolderSpool

where, after, *arguments = sys.argv[1:]
owner, left = (FolderSpool if hasattr(FolderSpool, where) else Pipeline), [int(after)]
real = getattr(owner, where)

def killing(*args, **kwargs):
    done = real(*args, **kwargs)
    left[0] -= 1
    if left[0] <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

setattr(owner, where, killing)
cli(arguments)
"""


def killed(running: RunningSandbox, where: str, after: int, *arguments: str) -> None:
    """Run the command, and kill it as soon as a step has been done `after` times."""
    done = python("-c", KILL, where, str(after), *arguments, env=at(running, SHARD_FOLDER=FOLDER), timeout=120)
    assert done.returncode == KILLED, done.stderr[-2000:]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("where", "after"),
    [
        ("_written", 3),
        ("put", 1),
        ("replace", 1),
        *(pytest.param(*moment, marks=pytest.mark.slow) for moment in (("_written", 2), ("put", 6))),
    ],
)
def test_a_killed_shard_leaves_nothing_that_is_loaded(seeded: RunningSandbox, where: str, after: int) -> None:
    shard(seeded, "1/2", round="r")
    killed(seeded, where, after, "sync", "--pipeline-name", MANY, "--shard", "2/2", "--round", "r")
    if where != "replace":  # it replaces the manifest, with which the shard is complete
        with pytest.raises(ShardsMissing, match="2/2"):
            load(seeded)
        shard(seeded, "2/2", round="r")
    assert load(seeded).users_read == 40
    assert files() == []
    synced(seeded, ONE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


@pytest.mark.parametrize(
    ("where", "after"),
    [
        *deep_after(1, [("delete", 4), ("extract", 1), ("load", 1), ("delete", 1)]),
        *(pytest.param(*moment, marks=pytest.mark.slow) for moment in (("normalize", 1), ("delete", 13))),
    ],
)
def test_a_killed_load_is_completed_by_the_next_one(seeded: RunningSandbox, where: str, after: int) -> None:
    for number in (1, 2):
        shard(seeded, f"{number}/2", round="r")
    killed(seeded, where, after, "sync", "--pipeline-name", MANY, "--load-shards")
    assert files()
    report = load(seeded, round="r")
    assert files() == []
    assert report.tables["users"].total == 40
    assert rows("select count(*), count(distinct user_id) from users", f"{MANY}.duckdb") == [(40, 40)]
    synced(seeded, ONE)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")


def test_no_identifier_is_in_the_files_and_no_other_account_can_read_them(workdir: Path) -> None:
    with run_in_thread(config()) as running:
        planted = plant(running, f"{unique('user')}@example.com")
        told = planted.env("api_secret_key", privacy="pseudonymize", privacy_key=KEY)
        umask = os.umask(0)
        try:
            done = command("sync", "--shard", "1/1", "--shard-folder", FOLDER, env=told)
        finally:
            os.umask(umask)
    assert done.returncode == 0, done.stderr
    wanted = planted.personal | planted.secret | {"privacy key": KEY}
    del wanted["locale"]
    assert search(workdir, wanted, leave_out=("secrets.toml",)) == []
    found = list(Path(FOLDER).rglob("*"))
    assert {stat.S_IMODE(path.stat().st_mode) for path in found if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [Path(FOLDER), *found] if path.is_dir()} == {0o700}
    assert len([path for path in found if path.is_file()]) >= 7


def test_an_erased_user_leaves_the_shards_and_is_not_loaded(
    seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(seeded, MANY)
    user_id = sorted(user.user_id for user in seeded.sandbox.store.users())[0]
    theirs = next(number for number in (1, 2) if user_id in Part(number, 2))
    for number in (1, 2):
        shard(seeded, f"{number}/2", round="r", full=True)
    for name, value in at(seeded, SHARD_FOLDER=FOLDER).items():
        monkeypatch.setenv(name, value)
    report = erase(user_id, pipeline_name=MANY)
    assert report.places["shards, to be read again"] == 1
    assert not any(user_id.encode() in path.read_bytes() for path in files())
    with pytest.raises(ShardsMissing, match=f"{theirs}/2"):
        load(seeded)
    shard(seeded, f"{theirs}/2", round="r", full=True)
    assert load(seeded).users_read == 39
    assert rows(f"select count(*) from users where user_id = '{user_id}'", f"{MANY}.duckdb") == [(0,)]


@pytest.mark.deep
def test_a_user_who_is_erased_where_the_shard_folder_is_not_known_is_not_loaded(
    seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced(seeded, MANY)
    user_id = sorted(user.user_id for user in seeded.sandbox.store.users())[0]
    for number in (1, 2):
        shard(seeded, f"{number}/2", full=True)
    for name, value in at(seeded).items():
        monkeypatch.setenv(name, value)
    erase(user_id, pipeline_name=MANY)
    load(seeded)
    for name in ("users", "user_authenticators", "user_actions", "user_devices", "user_reads"):
        assert rows(f"select count(*) from {name} where user_id = '{user_id}'", f"{MANY}.duckdb") == [(0,)]


@pytest.mark.parametrize("scheme", deep_except([], ["s3"]))
def test_shards_in_an_object_store(
    scheme: str, seeded: RunningSandbox, s3_bucket: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, bucket = s3_bucket
    for name, value in s3_environment(url).items():
        monkeypatch.setenv(name, value)
    folder = f"{scheme}://{bucket}/shards"
    shard(seeded, "1/2", shard_folder=folder)
    sharded(seeded, 2, shard_folder=folder)
    plain(seeded)
    assert loaded(f"{MANY}.duckdb") == loaded(f"{ONE}.duckdb")
    with pytest.raises(Exception, match="There is no round"):
        load(seeded, shard_folder=folder)


def test_a_shard_sends_its_part_of_the_rate(seeded: RunningSandbox) -> None:
    began = time.monotonic()
    report = shard(seeded, "1/4", rate=100)
    least = (report.requests - 5) / 25
    assert (report.rate, time.monotonic() - began >= least) == (25, True)
    assert shard(seeded, "2/4", rate="max").rate is None
    assert shard(seeded, "3/4", rate=100, shared_budget="budget.sqlite").rate == 100


@pytest.mark.parametrize("value", ["", "0/4", "5/4", "1/257", "1", "a/b", "1/0", "-1/4"])
def test_a_part_that_does_not_exist_is_refused(empty: RunningSandbox, value: str) -> None:
    with pytest.raises(ConfigurationError, match="shard must be K/N"):
        read_shard(make_pipeline(), value, **settings(empty))
    assert empty.sandbox.log.by_route == {}
    assert files() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"round": "../up"}, 'round cannot be "../up": it becomes the name of a folder'),
        ({"shard_folder": None}, "Shards need a folder"),
        ({"shard_folder": "ftp://host/x"}, "shard_folder cannot be"),
        ({"tables": ["tenant_authenticators"]}, "None of the selected tables is read in shards"),
        ({"no_such_setting": 1}, "no setting"),
    ],
)
def test_unusable_arguments_of_a_shard_are_refused(empty: RunningSandbox, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        shard(empty, "1/2", **given)
    assert empty.sandbox.log.by_route == {}


@pytest.mark.parametrize(
    "arguments",
    [("--shard", "1/2", "--load-shards"), ("--round", "x"), ("--accept-missing-shards",)],
)
def test_options_of_shards_that_do_not_belong_together_are_refused(arguments: tuple[str, ...]) -> None:
    assert command("sync", *arguments).returncode == 2


def test_the_command_reads_and_loads_shards(seeded: RunningSandbox) -> None:
    told = at(seeded, SHARD_FOLDER=FOLDER)
    for number in (1, 2):
        done = command("sync", "--shard", f"{number}/2", "--json", env=told)
        assert json.loads(done.stdout)["shard"] == f"{number}/2"
    done = command("sync", "--load-shards", env=told)
    assert "40 users read" in done.stdout
    assert "Loaded shards 1/2, 2/2 of round" in done.stdout
    assert rows("select count(*) from users") == [(40,)]


def test_each_user_is_in_one_part() -> None:
    ids = [f"user-{number}" for number in range(4000)]
    counts = [sum(user_id in Part(number, 4) for user_id in ids) for number in (1, 2, 3, 4)]
    assert sum(counts) == 4000
    assert min(counts) > 900
