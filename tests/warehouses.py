"""The destinations that the contract is run against, each read by other means than dlt."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pytest

from tests.helpers import opened
from tests.ports import free_port

S3_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


class Warehouse(Protocol):
    """A place to load into.

    Attributes:
        destination: dlt's name of it.
        env: Environment that dlt finds it by.
    """

    destination: str

    @property
    def env(self) -> Mapping[str, str]: ...

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on unqualified table names."""


@dataclass
class DuckDB:
    """A file in the working folder."""

    destination: str = "duckdb"
    env: Mapping[str, str] = field(default_factory=dict)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with opened("authsignal_pipeline.duckdb") as connection:
            return connection.execute(query).fetchall()


@dataclass
class Postgres:
    """A database of its own in the session's cluster."""

    url: str
    destination: str = "postgres"

    @property
    def env(self) -> Mapping[str, str]:
        return {"DESTINATION__POSTGRES__CREDENTIALS": self.url}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        import psycopg2

        with closing(psycopg2.connect(self.url, options="-csearch_path=authsignal_data")) as connection, connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []


@dataclass
class Redshift(Postgres):
    """PostgreSQL dressed as Redshift: SUPER and VARCHAR(MAX), JSON_PARSE, backslashes that escape in literals."""

    destination: str = "redshift"

    @property
    def env(self) -> Mapping[str, str]:
        return {"DESTINATION__REDSHIFT__CREDENTIALS": self.url}

    def dress(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import psycopg2
        from dlt.destinations.impl.redshift.factory import RedshiftTypeMapper

        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("create domain super as jsonb")
            name = connection.info.dbname
            for setting in ("standard_conforming_strings", "escape_string_warning"):
                cursor.execute(f"alter database {name} set {setting} = off")
            cursor.execute("create function json_parse(text) returns jsonb language sql as 'select $1::jsonb'")
        monkeypatch.setitem(RedshiftTypeMapper.sct_to_unbound_dbt, "text", "text")
        monkeypatch.setitem(RedshiftTypeMapper.dbt_to_sct, "text", "text")
        monkeypatch.setitem(RedshiftTypeMapper.dbt_to_sct, "jsonb", "json")


@dataclass
class Lake:
    """Delta or Iceberg tables in a folder or a bucket, read by DuckDB as Arrow."""

    format: str
    url: str
    s3_endpoint: str = ""
    destination: str = "filesystem"

    @property
    def env(self) -> Mapping[str, str]:
        prefix = "DESTINATION__FILESYSTEM__"
        env = {f"{prefix}BUCKET_URL": self.url}
        if self.format != "delta":  # which is the default
            env[f"{prefix}TABLE_FORMAT"] = self.format
        if self.s3_endpoint:
            keys = {**S3_KEYS, "region_name": "us-east-1", "endpoint_url": self.s3_endpoint}
            env |= {f"{prefix}CREDENTIALS__{name.upper()}": value for name, value in keys.items()}
            env |= {"AWS_ALLOW_HTTP": "true"}  # a stand-in speaks no TLS
        return env

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect() as connection:
            connection.execute("set timezone = 'UTC'")
            for name in self._tables():
                connection.register(name, self._read(name))
            return connection.execute(query).fetchall()

    def _tables(self) -> list[str]:
        log = "_delta_log" if self.format == "delta" else "metadata"
        return [path.split("/")[-2] for path in self._glob(f"authsignal_data/*/{log}")]

    def _glob(self, pattern: str) -> list[str]:
        if not self.s3_endpoint:
            return [str(path) for path in Path(self.url).glob(pattern)]
        import s3fs

        keys = {"key": S3_KEYS["aws_access_key_id"], "secret": S3_KEYS["aws_secret_access_key"]}
        files = s3fs.S3FileSystem(
            **keys, endpoint_url=self.s3_endpoint, skip_instance_cache=True, use_listings_cache=False
        )
        return [f"s3://{path}" for path in files.glob(f"{self.url.removeprefix('s3://')}/{pattern}")]

    def _read(self, table: str) -> Any:
        if self.format == "delta":
            from deltalake import DeltaTable

            options = {**S3_KEYS, "aws_region": "us-east-1", "aws_endpoint": self.s3_endpoint, "allow_http": "true"}
            place = f"{self.url}/authsignal_data/{table}"
            return DeltaTable(place, storage_options=options if self.s3_endpoint else None).to_pyarrow_table()
        from pyiceberg.table import StaticTable

        keys = {"access-key-id": "aws_access_key_id", "secret-access-key": "aws_secret_access_key"}
        properties = {f"s3.{name}": S3_KEYS[key] for name, key in keys.items()}
        latest = max(self._glob(f"authsignal_data/{table}/metadata/*.metadata.json"))
        return StaticTable.from_metadata(latest, {**properties, "s3.endpoint": self.s3_endpoint}).scan().to_arrow()


def postgres_binaries() -> Path:
    """Folder of initdb and pg_ctl: on the path, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not folders:
        pytest.fail("PostgreSQL is needed: make system-packages installs it, or apt-get install postgresql.")
    return folders[-1]


def as_other_user() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


@contextmanager
def postgres_cluster() -> Iterator[str]:
    """A cluster of its own, fast and forgetful; yields the URL of its server, without a database."""
    binaries, user = postgres_binaries(), as_other_user()
    folder, port = Path(tempfile.mkdtemp(prefix="authsignal-postgres-")), free_port()
    if user:
        shutil.chown(folder, "postgres")
    quick = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off"
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' {quick}"
    data = folder / "data"
    try:
        _run(*user, binaries / "initdb", "-D", data, "-U", "loader", "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(*user, binaries / "pg_ctl", "-D", data, "-l", folder / "log", "-o", options, "-w", "-t", "30", "start")
        try:
            yield f"postgresql://loader:loader@127.0.0.1:{port}"
        finally:
            _run(*user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "-t", "30", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(*arguments: str | Path) -> None:
    # not captured through pipes: the server that pg_ctl starts would keep them open
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=45,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, arguments))} ended with {done.returncode}"


@contextmanager
def s3_server() -> Iterator[str]:
    """moto's S3 in a process of its own (inside this one it would stand still while Rust code waits for it)."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"the server on port {port} did not come up")
