"""Deliveries in a spool: a folder, S3 as moto has it, and Azure as Azurite has it."""

import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from dlt_authsignal.errors import ConfigurationError, SpoolFileMissing, SpoolFull, SpoolUnavailable
from dlt_authsignal.spool import Spool, SpoolFile, file_name, open_spool, raw_file_name
from tests.receivers import s3_environment

TIME = datetime(2026, 11, 1, 23, 59, 59, 999_999, tzinfo=UTC)
HASH = sha256(b"a delivery").hexdigest()
NAME = f"default/2026-11-01/20261101T235959.999999Z-{HASH[:32]}.action_log.parquet"
LIMITED = (  # a module that was compiled under the limit would be cut off
    "import resource, sys; sys.dont_write_bytecode = True\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); exec(sys.argv[1])"
)


@pytest.fixture(params=["folder", "s3", pytest.param("azure", marks=pytest.mark.slow)])
def spool(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spool:
    if request.param == "folder":
        return open_spool(str(tmp_path / "spool"))
    if request.param == "azure":
        variables, container = request.getfixturevalue("azure_container")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return open_spool(f"az://{container}/events")
    url, bucket = request.getfixturevalue("s3_bucket")
    use_s3(url, monkeypatch)
    return open_spool(f"s3://{bucket}/events")


def use_s3(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_environment(url).items():
        monkeypatch.setenv(name, value)


def at(hours: int, table: str = "action_log", tenant: str = "default") -> str:
    return file_name(tenant, TIME + timedelta(hours=hours), HASH, table)


def test_the_name_of_a_file_tells_tenant_receive_time_and_table() -> None:
    name = file_name("default", TIME, HASH, "action_log")
    file = SpoolFile(name, 5)
    assert name == NAME
    assert (file.tenant, file.received_at, file.table) == ("default", TIME, "action_log")


@pytest.mark.parametrize("name", ["../x", "default/x.parquet", NAME + "/..", "raw/" + NAME, "/etc/passwd", ""])
def test_a_name_that_could_lead_out_of_the_spool_is_refused(name: str, tmp_path: Path) -> None:
    spool = open_spool(str(tmp_path))
    for refused in (lambda: spool.put(name, b""), lambda: spool.read(name), lambda: spool.delete(name)):
        with pytest.raises(ValueError, match="not the name of a spool file"):
            refused()


@pytest.mark.parametrize("tenant", ["", "..", "a/b", "raw", ".unfinished", "A"])
def test_a_tenant_that_no_folder_can_be_named_after_is_refused(tenant: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be the name of a tenant"):
        open_spool(str(tmp_path)).files(tenant)


def test_files_are_stored_listed_in_order_of_time_and_read(spool: Spool) -> None:
    spool.prepare()
    names = [at(30), at(0), at(30, "challenge_log"), at(1)]
    spool.put_all({name: name.encode() for name in names})
    spool.put(at(1, tenant="second"), b"of another tenant")
    assert [file.name for file in spool.files("default")] == sorted(names)
    assert [file.name for file in spool.files("default", table="challenge_log")] == [at(30, "challenge_log")]
    assert [file.name for file in spool.files("default", after=at(0), before=at(30, "b"))] == [at(1), at(30)]
    assert [file.name for file in spool.files("default", after="default/2026-11-02/")] == [at(1), *names[::2]]
    assert [file.name for file in spool.files("default", before="default/2026-11-02")] == [at(0)]
    assert [file.size for file in spool.files("second")] == [17]
    assert spool.read(at(1)) == at(1).encode()
    assert list(spool.files("third")) == []


def test_a_file_that_exists_is_not_overwritten_except_by_replace(spool: Spool) -> None:
    spool.put(NAME, b"first")
    spool.put(NAME, b"second")
    assert spool.read(NAME) == b"first"
    spool.replace(NAME, b"without a person")
    assert spool.read(NAME) == b"without a person"


def test_a_deleted_file_is_reported_as_missing_and_can_be_deleted_again(spool: Spool) -> None:
    spool.put(NAME, b"")
    spool.delete(NAME)
    spool.delete(NAME)
    with pytest.raises(SpoolFileMissing, match=r"has no file default/2026-11-01/.* it was deleted"):
        spool.read(NAME)


def test_raw_deliveries_are_listed_apart_from_rows(spool: Spool) -> None:
    raw = raw_file_name("default", TIME, HASH)
    spool.put_all({NAME: b"rows", raw: b"encrypted"})
    assert [file.name for file in spool.files("default")] == [NAME]
    assert [file.name for file in spool.raw_files("default")] == [raw]
    assert SpoolFile(raw, 0).table == "delivery"


def test_only_this_account_can_read_the_files_of_a_folder(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_spool(str(tmp_path / "a" / "spool")).put(NAME, b"rows")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}
    assert {mode for name, mode in modes.items() if name.endswith(".parquet")} == {0o600}
    assert {mode for name, mode in modes.items() if not name.endswith(".parquet")} == {0o700}


def test_standard_tools_read_a_folder_while_a_file_is_being_written(tmp_path: Path) -> None:
    spool = open_spool(str(tmp_path))
    duckdb.sql("select 1 as event_id").write_parquet(str(tmp_path / "one.parquet"))
    spool.put(NAME, (tmp_path / "one.parquet").read_bytes())
    (tmp_path / ".unfinished" / "0123").write_bytes(b"PAR1 not complete")
    query = f"select event_id from read_parquet('{tmp_path}/default/**/*.action_log.parquet', union_by_name=true)"
    assert duckdb.sql(query).fetchall() == [(1,)]


def test_unfinished_files_of_killed_processes_are_removed_after_an_hour(tmp_path: Path) -> None:
    unfinished = tmp_path / ".unfinished"
    unfinished.mkdir()
    old, new = unfinished / "old", unfinished / "new"
    for path in (old, new):
        path.write_bytes(b"PAR1")
    os.utime(old, (0, 0))
    open_spool(str(tmp_path)).prepare()
    assert sorted(unfinished.iterdir()) == [new]


def test_other_files_in_the_folder_are_ignored(tmp_path: Path) -> None:
    spool = open_spool(str(tmp_path))
    spool.put(NAME, b"rows")
    (tmp_path / "default" / "README").write_text("a note")
    (tmp_path / NAME).with_name("copy.parquet").write_bytes(b"")
    no_such_month = re.sub(r"/\d{8}T", "/20269999T", NAME)
    (tmp_path / no_such_month).write_bytes(b"rows")
    (tmp_path / re.sub(r"T\d{6}", "T000101", NAME)).mkdir()
    (tmp_path / re.sub(r"T\d{6}", "T000102", NAME)).symlink_to(tmp_path / "not there")
    assert [file.name for file in spool.files("default")] == [NAME]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from dlt_authsignal.errors import SpoolFull\n"
        "from dlt_authsignal.spool import open_spool\n"
        f"spool = open_spool({str(tmp_path)!r})\n"
        f"try:\n    spool.put_all({{{NAME!r}: b'x' * 2000}})\n"
        "except SpoolFull as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", LIMITED, code], capture_output=True, text=True, timeout=50, check=True)
    assert "did not store a delivery: File too large. Free space" in done.stdout
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_the_share_of_the_disk_in_use_is_known_for_a_folder_only(spool: Spool) -> None:
    share = spool.used_share()
    assert (share is None) if "://" in spool.url else (share is not None and 0 <= share <= 1)


def test_a_store_that_does_not_answer_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    use_s3("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(SpoolUnavailable, match="The spool s3://bucket did not store a delivery") as failed:
        open_spool("s3://bucket").put(NAME, b"rows")
    assert failed.value.retryable
    assert not isinstance(failed.value, SpoolFull)


@pytest.mark.parametrize("url", ["ftp://host/x", "", "  ", "http://host/bucket"])
def test_a_spool_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="spool cannot be"):
        open_spool(url)
