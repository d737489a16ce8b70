"""docs/privacy.md: its code gives the hashes that a sync stores, and another key does what the page says."""

import hashlib
import hmac
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import duckdb
import psycopg2
import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Device, User
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.privacy.settings import privacy_of
from tests.helpers import rows, sync_from

PAGE = (Path(__file__).parents[1] / "docs" / "privacy.md").read_text("utf-8")
KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
OTHER_KEY = "b82d60f4917ce35a0c49d7e16fb3852e71a0c9d54f683be2960d1ef7a4538c2b"
ANN = "ann@example.com"
HASH = hmac.new(KEY.encode(), ANN.encode(), hashlib.sha256).hexdigest()


def block(language: str, having: str) -> str:
    (found,) = (text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if having in text)
    return str(found)


def test_the_python_of_the_page_gives_the_hash_that_is_stored() -> None:
    code = block("python", "def hashed").replace('privacy_key = "…"', f'privacy_key = "{KEY}"')
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == HASH == Privacy(key=KEY).text("email")(" Ann@Example.com ")


def test_the_sql_of_the_page_gives_the_stored_hash_in_duckdb() -> None:
    *macros, query = block("sql", "create macro").split(";\n")
    with duckdb.connect() as database:
        database.execute("create table people as select ' Ann@Example.com ' as email")
        for macro in macros:
            database.execute(macro)
        assert database.execute(query, {"privacy_key": KEY}).fetchall() == [(HASH,)]


def test_the_sql_of_the_page_gives_the_stored_hash_in_postgresql(postgres_database: str) -> None:
    query = block("sql", "'sha256'), 'hex'").replace(":'privacy_key'", "%s")
    with psycopg2.connect(postgres_database) as connection, connection.cursor() as cursor:
        cursor.execute("create extension pgcrypto")
        cursor.execute("create table people as select ' Ann@Example.com ' as email")
        cursor.execute(query, [KEY])
        assert cursor.fetchall() == [(HASH,)]


def test_the_body_of_the_function_for_snowflake_gives_the_stored_hash() -> None:
    body = block("sql", "language python").split("$$")[1]
    asked = subprocess.run(
        [sys.executable, "-c", f"{body}\nprint(hashed({ANN!r}, {KEY!r}))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert asked.stdout.strip() == HASH


def test_the_settings_on_the_page_are_valid() -> None:
    found = tomllib.loads(block("toml", "privacy_columns"))["sources"]["authsignal_source"]
    privacy = privacy_of("pseudonymize", KEY, found["privacy_columns"], found["privacy_allow"])
    assert len(privacy.columns) == 3
    assert privacy_of("pseudonymize", KEY, {"*.email_domain": "drop"}).columns


@pytest.fixture
def loaded(empty: RunningSandbox) -> RunningSandbox:
    """Somebody with an opaque id, somebody whose id is an address, a device of each; synced with the first key."""
    store, now = empty.sandbox.store, empty.sandbox.clock.now()
    for user_id in ("u1", ANN):
        store.put_user(User(user_id=user_id, created_at=now, email=ANN))
        store.put_device(Device(user_id=user_id, device_id=f"of {user_id}", created_at=now))
    sync_from(empty, privacy="pseudonymize", privacy_key=KEY)
    return empty


def test_another_privacy_key_makes_other_hashes_and_rows_with_old_hashed_keys_are_deleted(
    loaded: RunningSandbox,
) -> None:
    sync_from(loaded, full=True, accept_deletes=True, privacy="pseudonymize", privacy_key=OTHER_KEY)
    new = hmac.new(OTHER_KEY.encode(), ANN.encode(), hashlib.sha256).hexdigest()
    assert rows("select user_id, email from users where deleted_at is null order by 1") == sorted(
        [("u1", new), (new, new)]
    )
    assert rows("select user_id from users where deleted_at is not null") == [(HASH,)]
    assert rows("select count(*), count(deleted_at) from user_devices") == [(4, 2)]
    versions = rows("select email, valid_to is null from users_history where user_id = 'u1' order by valid_from")
    assert versions == [(HASH, False), (new, True)]
