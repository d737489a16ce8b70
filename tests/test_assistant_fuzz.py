"""Random queries never return a planted value or the key of the masks, with and without the check of the query."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from dlt_authsignal.assistant import worker
from dlt_authsignal.assistant.database import Database
from dlt_authsignal.assistant.masked_copy.make import alias
from dlt_authsignal.assistant.process import CLOSED
from tests.random_queries import Queries
from tests.tiers import deep_after

SCHEMA = "authsignal_data"
EACH = 50
PLANTED = {
    "user_id": "planted-user-8271",
    "email": "planted.person@example.com",
    "phone_number": "+64215550182",
    "username": "planted_username",
    "nickname": "planted nickname of a new field",
}
HIDDEN = ("planted state of the pipeline", "planted note of another schema", "planted-api-key-in-a-file")


@dataclass(frozen=True)
class Planted:
    """A database with planted values, and all forms in which they could appear."""

    database: Database
    secrets: Path

    @property
    def forms(self) -> set[str]:
        values = {*PLANTED.values(), *HIDDEN, self.database.key}
        return values | {form for value in values for form in written(value)}

    def queries(self, seed: int) -> Queries:
        file = self.database.path
        return Queries(
            random=Random(seed),
            columns=["user_id", "email", "verification_method", "created_at", "users", "columns(*)", "*"],
            names=[
                "users",
                "memory",
                alias(SCHEMA),
                SCHEMA,
                "duckdb_views",
                "information_schema.tables",
                "sqlite_master",
            ],
            texts=[
                *("mask_key", "users", "user_id", "sum", "select * from users", "select email from users", "secret"),
                "select getvariable('mask_key')",
                "select * from duckdb_variables()",
                f"attach '{file}' as again",
                *(str(file), str(self.secrets), f"{file.parent}/*", "/proc/self/environ", "/proc/self/cmdline"),
            ],
        )


def written(value: str) -> set[str]:
    code = value.encode()
    return {
        value[::-1],
        value.upper(),
        code.hex(),
        code.hex().upper(),
        base64.b64encode(code).decode().rstrip("=")[:-1],
    }


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder = tmp_path_factory.mktemp("planted")
    file, secrets = folder / "authsignal_pipeline.duckdb", folder / "secrets.toml"
    secrets.write_text(f'api_secret_key = "{HIDDEN[2]}"\n')
    row = ", ".join(f"'{value}' as {name}" for name, value in PLANTED.items())
    with duckdb.connect(file) as connection:
        connection.execute(f"create schema {SCHEMA}; create schema private; use {SCHEMA}")
        connection.execute(f"create table users as select {row}, now()::timestamp as created_at, 'en' as locale")
        connection.execute(
            f"create table user_authenticators as select {row}, 'PASSKEY' as verification_method,"
            " now()::timestamp as created_at"
        )
        connection.execute(f"comment on column users.email is '{PLANTED['email']}'")
        connection.execute(f"create table _dlt_pipeline_state as select '{HIDDEN[0]}' as state")
        connection.execute(f"create table private.notes as select '{HIDDEN[1]}' as note")
    return Planted(database=Database(path=file, dataset=SCHEMA, seconds=60), secrets=secrets)


def answers(connection: duckdb.DuckDBPyConnection, request: dict[str, Any], known: worker.Relations) -> Iterator[str]:
    """Yield the answer to a checked query, then what DuckDB says to the same query without the check."""
    try:
        yield str(worker.answer_from(connection, request, known))
    except (duckdb.Error, ValueError, OverflowError) as error:
        yield str(error)
    try:
        yield str(connection.execute(request["sql"]).fetchmany(200))
    except (duckdb.Error, ValueError, OverflowError, RuntimeError) as error:
        yield str(error)
    with suppress(duckdb.Error):
        connection.rollback()


def leaks(planted: Planted, seed: int, count: int, connect: Any = worker.opened) -> list[str]:
    """Return the queries whose answer contains a planted value or the key."""
    queries, forms = planted.queries(seed), planted.forms
    request = planted.database.request(limit=200)
    found = []
    for _ in range(0, count, EACH):
        with connect(request) as connection:  # a new one: a query without the check may leave it unusable
            known = worker.relations(connection)
            for sql in [queries.query() for _ in range(EACH)]:
                shown = "\n".join(answers(connection, {**request, "sql": sql}, known))
                found += [sql for form in forms if form in shown and form not in sql]
    return found


@pytest.mark.parametrize("seed", deep_after(1, range(40)))
def test_random_queries_return_no_planted_value_and_no_key(planted: Planted, seed: int) -> None:
    """10,000 queries in all."""
    assert leaks(planted, seed, 250) == []


def test_random_queries_find_a_value_and_a_key_that_can_be_reached(planted: Planted) -> None:
    def unmasked(request: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(":memory:", config=CLOSED)
        connection.execute(f"set variable mask_key = '{planted.database.key}'")
        connection.execute(f"attach '{planted.database.path}' as {alias(SCHEMA)} (read_only)")
        connection.execute(f"use {alias(SCHEMA)}.{SCHEMA}")
        connection.execute("set enable_external_access = false")
        return connection

    found = leaks(planted, 1, 250, unmasked)
    assert any("from users" in sql for sql in found)
    assert any("getvariable" in sql or "duckdb_variables" in sql for sql in found)
