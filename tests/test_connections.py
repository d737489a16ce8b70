"""Connections to destinations: without a password, with a part missing, and refused; no message shows a secret."""

import os
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import psycopg2
import pytest

from dlt_authsignal.destination.advice.duckdb_file import file_fault
from dlt_authsignal.destination.advice.postgres import connection_fault
from dlt_authsignal.errors import AuthsignalError, ConfigurationError
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import at, command, sync_from
from tests.tiers import deep_after, deep_except

CREDENTIALS = "DESTINATION__POSTGRES__CREDENTIALS"
SECRET = "pass-CANARY"


@pytest.fixture(scope="module")
def strict_server(postgres_server: str) -> Iterator[str]:
    """Host and port of a server that requires a password of the users `careful` and `late`, and refuses others."""
    url = urlsplit(postgres_server)
    with closing(psycopg2.connect(f"{postgres_server}/postgres")) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("show hba_file")
        rules = Path(cursor.fetchone()[0])
        before = rules.read_text("utf-8")
        lines = "host all careful 127.0.0.1/32 scram-sha-256\nhost all banned 127.0.0.1/32 reject\n"
        rules.write_text(lines + before, encoding="utf-8")
        cursor.execute(f"create user careful password '{SECRET}' superuser")
        cursor.execute("create user crowded connection limit 0; create role silent nologin; create user reader")
        cursor.execute("alter role reader set default_transaction_read_only = on")
        cursor.execute("select pg_reload_conf()")
        try:
            yield f"{url.hostname}:{url.port}"
        finally:
            rules.write_text(before, encoding="utf-8")
            cursor.execute("select pg_reload_conf()")


@pytest.fixture
def database(postgres_database: str) -> str:
    return urlsplit(postgres_database).path.strip("/")


def says_nothing_secret(error: AuthsignalError) -> str:
    assert SECRET not in str(error)
    return str(error)


# PostgreSQL without a password in the settings


@pytest.mark.parametrize("way", deep_except(["password file", "trust"], ["password file", "environment", "trust"]))
def test_a_sync_and_status_connect_without_a_password_in_the_settings(
    empty: RunningSandbox, strict_server: str, database: str, monkeypatch: pytest.MonkeyPatch, workdir: Path, way: str
) -> None:
    host, _, port = strict_server.partition(":")
    user = "loader" if way == "trust" else "careful"
    monkeypatch.setenv(CREDENTIALS, f"postgresql://{user}@{strict_server}/{database}")
    if way == "password file":
        (workdir / "pgpass").write_text(f"{host}:{port}:*:{user}:{SECRET}\n", encoding="utf-8")
        (workdir / "pgpass").chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(workdir / "pgpass"))
    if way == "environment":
        monkeypatch.setenv("PGPASSWORD", SECRET)
    assert sync_from(empty, destination="postgres").tables["users"].total == 0
    done = command("status", "--destination", "postgres")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", deep_except(["service"], ["service", "environment", "parts", "SQLAlchemy's URL"]))
def test_libpq_finds_the_parts_that_dlt_does_not(
    empty: RunningSandbox, strict_server: str, database: str, monkeypatch: pytest.MonkeyPatch, workdir: Path, way: str
) -> None:
    host, _, port = strict_server.partition(":")
    found = {"host": host, "port": port, "dbname": database, "user": "loader"}
    if way == "service":
        text = "[ours]\n" + "".join(f"{name}={value}\n" for name, value in found.items())
        (workdir / "services").write_text(text, encoding="utf-8")
        monkeypatch.setenv("PGSERVICEFILE", str(workdir / "services"))
        monkeypatch.setenv(CREDENTIALS, "postgresql://?service=ours")
    elif way == "environment":
        for name, value in {"PGHOST": host, "PGPORT": port, "PGDATABASE": database, "PGUSER": "loader"}.items():
            monkeypatch.setenv(name, value)
    elif way == "parts":
        for name, value in {"HOST": host, "PORT": port, "DATABASE": database, "USERNAME": "loader"}.items():
            monkeypatch.setenv(f"{CREDENTIALS}__{name}", value)
    else:
        monkeypatch.setenv(CREDENTIALS, f"postgresql+psycopg2://loader@{strict_server}/{database}")
    assert sync_from(empty, destination="postgres").tables["users"].total == 0


def test_a_query_uses_credentials_of_a_destination_without_a_password(
    empty: RunningSandbox, strict_server: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, f"postgresql://loader@{strict_server}/{database}")
    report = sync_from(empty, users_from="destination.postgres?query=select 'u1' as id")
    assert report.unknown_users == 1


# A part is missing

MISSING = [
    ("postgres", {}, "PostgreSQL needs host and database."),
    ("postgres", {"": "postgresql://pg@db.example.com"}, "PostgreSQL needs database. .*Found: host, username"),
    ("postgres", {"__DATABASE": "d", "__USERNAME": "u"}, "PostgreSQL needs host. .*Found: database, username"),
    ("postgres", {"": f"loader:{SECRET}"}, "credentials under .destination.postgres. are not valid"),
    ("redshift", {"": "redshift://u@host"}, "Redshift needs database. .*get-cluster-credentials"),
    ("motherduck", {"": "md:///x"}, "MotherDuck needs password. .*MOTHERDUCK_TOKEN"),
    ("filesystem", {}, "needs bucket_url. .*DESTINATION__FILESYSTEM__BUCKET_URL"),
]


@pytest.mark.parametrize(("name", "parts", "message"), deep_after(3, MISSING))
def test_exactly_the_missing_part_of_a_destination_is_reported(
    empty: RunningSandbox, monkeypatch: pytest.MonkeyPatch, name: str, parts: dict[str, str], message: str
) -> None:
    for part, value in parts.items():
        monkeypatch.setenv(f"DESTINATION__{name.upper()}__CREDENTIALS{part}", value)
    with pytest.raises(ConfigurationError, match=f"(?s){message}") as raised:
        sync_from(empty, destination=name)
    says_nothing_secret(raised.value)
    assert empty.sandbox.log.by_route == {}


# PostgreSQL refuses the connection

REFUSED = [
    (f"careful:wrong-{SECRET}@{{server}}/postgres", "password authentication failed.*Correct username and password"),
    (f"loader:{SECRET}@{{server}}/nowhere", 'database "nowhere" does not exist.*Correct database under'),
    ("careful@{server}/postgres", r"no password supplied.*~/\.pgpass"),
    (f"nobody:{SECRET}@{{server}}/postgres", 'role "nobody" does not exist.*Correct username'),
    (f"silent:{SECRET}@{{server}}/postgres", "not permitted to log in.*grant LOGIN"),
    (f"banned:{SECRET}@{{server}}/postgres", r"pg_hba\.conf"),
    (f"crowded:{SECRET}@{{server}}/postgres", "too many connections.*max_connections"),
    (f"loader:{SECRET}@{{server}}/postgres?sslmode=require", "The server has no TLS. Remove sslmode"),
    (f"loader:{SECRET}@{{server}}/postgres?sslmode=sometimes", "Correct sslmode"),
    (f"loader:{SECRET}@no-such-host.invalid/postgres", "No such host. Correct host"),
    (f"loader:{SECRET}@127.0.0.1:1/postgres", "Nothing listens there. Correct host and port"),
    (f"loader:x@{SECRET}@127.0.0.1/postgres", "password contains @"),
]


@pytest.mark.parametrize(("where", "message"), deep_after(2, REFUSED))
def test_a_refused_connection_to_postgresql_names_the_setting_and_shows_no_secret(
    empty: RunningSandbox, strict_server: str, monkeypatch: pytest.MonkeyPatch, where: str, message: str
) -> None:
    monkeypatch.setenv(CREDENTIALS, f"postgresql://{where.format(server=strict_server)}")
    with pytest.raises(AuthsignalError, match=f"(?s){message}") as raised:
        sync_from(empty, destination="postgres")
    assert "[destination.postgres" in says_nothing_secret(raised.value) or "max_connections" in str(raised.value)
    assert "Nothing was loaded" in str(raised.value)
    assert empty.sandbox.log.by_route == {}


def test_a_server_that_accepts_only_reads_is_reported(
    empty: RunningSandbox, strict_server: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CREDENTIALS, f"postgresql://reader@{strict_server}/{database}")
    with pytest.raises(AuthsignalError, match=r"accepts only reads.*primary server"):
        sync_from(empty, destination="postgres")


@pytest.mark.parametrize(
    ("text", "advice", "is_setting"),
    [
        ('FATAL: no pg_hba.conf entry for host "1.2.3.4", user "u", no encryption', "sslmode=require", True),
        ("SSL error: certificate verify failed", "sslrootcert", True),
        ("FATAL: sorry, too many clients already", "max_connections", False),
        ('connection to server at "10.0.0.1", port 5432 failed: timeout expired', "firewall", False),
        ("server closed the connection unexpectedly", "server's log", False),
        ('definition of service "x" not found', "PGSERVICE", True),
        ("received invalid response to SSL negotiation: H", "A program other than PostgreSQL", False),
        ("something new", "Check [destination.mine.credentials]", False),
    ],
)
def test_each_error_of_libpq_has_advice(text: str, advice: str, is_setting: bool) -> None:
    said, needs_setting = connection_fault(text, "mine")
    assert advice in said
    assert needs_setting is is_setting
    assert "{" not in said


# DuckDB cannot open its file


def checksum(block: bytes) -> int:
    """DuckDB's checksum of a block."""
    found = 5381
    for (word,) in struct.iter_unpack("<Q", block):
        found ^= word * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    return found


def of_another_version(raw: bytes) -> bytes:
    head = bytearray(raw[:4096])
    head[12:20] = struct.pack("<Q", 250)
    head[:8] = struct.pack("<Q", checksum(bytes(head[8:])))
    return bytes(head) + raw[4096:]


def broken_file(fault: str, path: Path) -> None:
    duckdb.connect(str(path)).close()
    raw = path.read_bytes()
    path.unlink()
    if fault == "folder":
        path.mkdir()
        return
    contents = {
        "version": of_another_version(raw),
        "cut": raw[:5000],
        "damaged": raw[:4096] + os.urandom(8192) + raw[12288:],
        "text": b"hello\n" * 5000,
    }
    path.write_bytes(contents[fault])


@pytest.mark.parametrize(
    ("fault", "message"),
    deep_after(
        1,
        [
            ("version", r"cannot read\. Install the version that wrote it"),
            ("cut", "is cut off.*backup"),
            ("damaged", "is damaged.*backup"),
            ("folder", "is a folder, not a file"),
            ("text", "is not a DuckDB database"),
        ],
    ),
)
def test_a_duckdb_file_that_cannot_be_opened_is_reported_by_every_command(
    empty: RunningSandbox, workdir: Path, fault: str, message: str
) -> None:
    broken_file(fault, workdir / "authsignal_pipeline.duckdb")
    with pytest.raises(ConfigurationError, match=f"authsignal_pipeline.duckdb.*{message}"):
        sync_from(empty)
    assert empty.sandbox.log.by_route == {}
    for arguments in (["status"], ["models", "install"], ["doctor"]) if fault == "version" else (["status"],):
        done = command(*arguments, env=at(empty))
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert message.split(".*", maxsplit=1)[0].split("\\", maxsplit=1)[0] in done.stderr


def test_a_missing_folder_of_the_duckdb_file_is_reported(
    empty: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(workdir / "nowhere" / "x.duckdb"))
    with pytest.raises(ConfigurationError, match=r"nowhere/x.duckdb is in a folder that does not exist"):
        sync_from(empty)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('Catalog Error: Cannot open encrypted database "/x/y.duckdb" without a key', "/x/y.duckdb is encrypted"),
        ('IO Error: Cannot open file "/x/y.duckdb": Permission denied', "read and write the file"),
        ('IO Error: Cannot open file "/x/y.duckdb": Too many levels of symbolic links', "Too many levels"),
        ('Failed to download extension "sqlite_scanner" at URL "http://x"', "is an SQLite database"),
    ],
)
def test_each_error_of_duckdb_has_advice(text: str, advice: str) -> None:
    assert advice in (file_fault(text) or "")


def test_an_error_about_something_else_than_the_file_is_not_explained_as_one() -> None:
    assert file_fault("Catalog Error: Table with name users does not exist") is None
