"""Where the ids of the users come from: listing, files, queries, earlier runs, and several of them at once."""

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlsplit

import dlt
import duckdb
import psycopg2
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.errors import ExtraMissing, ListingRefused, UserIdsUnreadable
from dlt_authsignal.sandbox import RunningSandbox
from tests.canaries import found_in, search, told_by
from tests.helpers import SECRET, at, command, rows, sync_from, table
from tests.loaded import synced
from tests.tiers import deep_after

MakeDatabase = Callable[[Sequence[str | None]], str]
"""Makes a database with a table `people` of those ids, and gives its URL."""


def in_duckdb(ids: Sequence[str | None]) -> str:
    with duckdb.connect("crm.duckdb") as connection:
        connection.execute("create table people (name text, id text)")
        connection.executemany("insert into people values ('x', ?)", [[value] for value in ids])
    return "duckdb:///crm.duckdb"


def in_sqlite(ids: Sequence[str | None]) -> str:
    with closing(sqlite3.connect("crm.db")) as connection, connection:
        connection.execute("create table people (name text, id text)")
        connection.executemany("insert into people values ('x', ?)", [[value] for value in ids])
    return "sqlite:///crm.db"


def in_postgres(url: str, ids: Sequence[str | None]) -> str:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("create table people (name text, id text)")
        cursor.executemany("insert into people values ('x', %s)", [[value] for value in ids])
    return url


DATABASES = ["duckdb", "sqlite", "postgres"]


@pytest.fixture(params=deep_after(1, DATABASES))
def made(request: pytest.FixtureRequest) -> MakeDatabase:
    if request.param == "duckdb":
        return in_duckdb
    if request.param == "sqlite":
        return in_sqlite
    url = request.getfixturevalue("postgres_database")
    return lambda ids: in_postgres(url, ids)


def people(running: RunningSandbox) -> list[str]:
    return [user.user_id for user in running.sandbox.store.users()]


def read() -> set[str]:
    return {row["user_id"] for row in table("users")}


def listings(running: RunningSandbox) -> int:
    return running.sandbox.log.by_route.get("GET /users", 0)


# queries


@pytest.mark.parametrize("made", deep_after(1, DATABASES), indirect=True)
def test_a_query_returns_the_user_ids_to_read(seeded: RunningSandbox, made: MakeDatabase) -> None:
    wanted = people(seeded)[:3]
    url = made([*wanted, None, " ", wanted[0], "nobody"])
    report = sync_from(seeded, users_from=f"{url}?query=select id from people where id is null or id not like '%x;'")
    assert read() == set(wanted)
    assert listings(seeded) == 0
    assert report.users_read == 4
    assert rows("select user_id, id_source, position from unknown_user_ids") == [("nobody", "query", 7)]


@pytest.mark.deep
def test_a_query_with_several_columns_uses_the_id_column_or_users_column(
    seeded: RunningSandbox, made: MakeDatabase
) -> None:
    first, second = people(seeded)[:2]
    url = made([first])
    sync_from(seeded, users_from=f"{url}?query=select * from people")
    assert read() == {first}
    query = f"select id, name, '{second}' as crm_user from people"
    sync_from(seeded, users_from=f"{url}?query={query}", users_column="crm_user")
    assert read() == {first, second}


@pytest.mark.deep
@pytest.mark.parametrize("made", DATABASES, indirect=True)
def test_a_query_never_writes_to_the_database(seeded: RunningSandbox, made: MakeDatabase) -> None:
    url = made(people(seeded)[:2])
    with pytest.raises(UserIdsUnreadable):
        sync_from(seeded, users_from=f"{url}?query=delete from people returning id")
    sync_from(seeded, users_from=f"{url}?query=select id from people")
    assert len(read()) == 2


@pytest.mark.deep
def test_a_query_may_be_percent_encoded(seeded: RunningSandbox, made: MakeDatabase) -> None:
    wanted = people(seeded)[:2]
    query = quote(f"select id from people where id in ('{wanted[0]}', '{wanted[1]}')", safe="")
    sync_from(seeded, users_from=f"{made(people(seeded)[:3])}?query={query}")
    assert read() == set(wanted)


@pytest.mark.parametrize(
    ("query", "message"),
    deep_after(
        2,
        [
            ("select id from peple", r"peple.*Check the query"),
            ("select nickname from people", r"nickname.*Check the query"),
            ("selec id from people", r"selec.*Check the query"),
            (
                "select name, name as alias from people",
                r"2 columns and has no column called .*name, alias.*users_column",
            ),
            ("select null from people", "2 rows without any user id"),
            ("select 1.5 from people", r"row 1\. User ids must be text"),
        ],
    ),
)
def test_a_query_without_user_ids_is_refused_with_the_reason(
    seeded: RunningSandbox, made: MakeDatabase, query: str, message: str
) -> None:
    url = made(["u1", "u2"])
    with pytest.raises(UserIdsUnreadable, match=message) as raised:
        sync_from(seeded, users_from=["listing", f"{url}?query={query}"])
    assert raised.value.exit_code == 2
    assert listings(seeded) == 0


@pytest.mark.deep
def test_a_query_without_rows_is_not_an_error(seeded: RunningSandbox, made: MakeDatabase) -> None:
    assert sync_from(seeded, users_from=f"{made(['u1'])}?query=select id from people where 1 = 0").users_read == 0


def test_the_error_of_a_failed_query_quotes_no_row(seeded: RunningSandbox, made: MakeDatabase, workdir: Path) -> None:
    canary = {"id": "alice@example.com"}
    url = made([canary["id"]])
    kind = "cast(id as integer)" if "sqlite" not in url else "json(id)"
    with pytest.raises(UserIdsUnreadable, match="failed") as raised:
        sync_from(seeded, users_from=f"{url}?query=select {kind} as id from people")
    assert not found_in("\n".join(told_by(raised.value)).encode(), canary, "exception")
    assert not search(workdir / "dlt", canary)


@pytest.mark.deep
def test_a_duckdb_query_can_read_a_file(seeded: RunningSandbox) -> None:
    wanted = people(seeded)[:2]
    Path("people.json").write_text(json.dumps([{"id": user_id, "gone": False} for user_id in wanted]))
    sync_from(seeded, users_from="duckdb://?query=select id from 'people.json' where not gone")
    assert read() == set(wanted)


# where the credentials of a database come from


@pytest.mark.deep
def test_the_database_can_be_configured_separately_from_the_query(
    seeded: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_postgres(postgres_database, people(seeded)[:2])
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__USERS_DATABASE", postgres_database)
    sync_from(seeded, users_from="users_database?query=select id from people")
    assert len(read()) == 2


@pytest.mark.deep
@pytest.mark.parametrize(
    "section", deep_after(1, ["SOURCES__AUTHSIGNAL_SOURCE__USERS_DATABASE", "DESTINATION__POSTGRES__CREDENTIALS"])
)
def test_database_credentials_can_be_given_in_parts_or_come_from_a_destination(
    seeded: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch, section: str
) -> None:
    in_postgres(postgres_database, people(seeded)[:2])
    url = urlsplit(postgres_database)
    parts = {"HOST": url.hostname, "PORT": url.port, "USERNAME": url.username, "PASSWORD": url.password}
    for name, value in {**parts, "DATABASE": url.path[1:], "DRIVERNAME": "postgresql"}.items():
        monkeypatch.setenv(f"{section}__{name}", str(value))
    database = "users_database" if section.startswith("SOURCES") else "destination.postgres"
    sync_from(seeded, users_from=f"{database}?query=select id from people")
    assert len(read()) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    deep_after(
        4,
        [
            ("users_database?query=select 1", r"users_database.*secrets.toml"),
            ("destination.postgres?query=select 1", r"destination.postgres"),
            ("destination.nowhere?query=select 1", r"destination.nowhere"),
            ("crm?query=select 1", '"crm" is not a database'),
            ("postgresql://reader@host/crm", "has no query"),
            ("postgresql://reader@host/crm?query= ", "has no query"),
            ("nosuch://host/crm?query=select 1", "nosuch.*no such SQLAlchemy dialect"),
            ("mssql+pymssql://host/crm?query=select 1", "pymssql"),
            ("duckdb:///nowhere.duckdb?query=select 1", "no such file"),
            ("sqlite:///nowhere.db?query=select 1", "no such file"),
            ("sqlite://?query=select 1", "needs a file"),
            ("duckdb:///ids.txt?query=select 1", "DuckDB cannot open"),
            ("sqlite:///ids.txt?query=select id from people", "not a database"),
            ('["listing", "ids.csv"', "not a valid list"),
            ("[1]", "not text"),
            ("known", "no user ids of earlier runs"),
        ],
    ),
)
def test_an_unusable_source_is_refused_with_the_reason(seeded: RunningSandbox, source: str, message: str) -> None:
    Path("ids.txt").write_text("this is no database, whatever it is called\n" * 100)
    with pytest.raises(UserIdsUnreadable, match=message):
        sync_from(seeded, users_from=source)
    assert not Path("nowhere.db").exists()


def test_a_database_needs_an_extra(seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sqlalchemy", None)
    with pytest.raises(ExtraMissing, match=r"\[sql\]"):
        sync_from(seeded, users_from="postgresql://host/crm?query=select 1")


def test_a_wrong_password_is_reported_with_the_message_of_the_database(
    seeded: RunningSandbox, postgres_database: str
) -> None:
    url = urlsplit(postgres_database)
    role = f"careful_{url.path.strip('/')}"
    with closing(psycopg2.connect(postgres_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"create role {role} login password 'right'; show hba_file")
        file = str((cursor.fetchone() or [""])[0])
        others = Path(file).read_text()
        Path(file).write_text(f"host all {role} all scram-sha-256\n{others}")
        cursor.execute("select pg_reload_conf()")
    source = f"postgresql://{role}:pass-7f3a@127.0.0.1:{url.port}{url.path}?query=select 1"
    with pytest.raises(UserIdsUnreadable, match=r"password authentication failed.*Check") as raised:
        sync_from(seeded, users_from=source)
    assert "pass-7f3a" not in "\n".join(told_by(raised.value))
    with pytest.raises(UserIdsUnreadable, match="Connection refused"):
        sync_from(seeded, users_from=source.replace(f":{url.port}", ":1"))


PASSWORDS = ["pass-7f3a", "p@ss-7f3a", "pa/ss-7f3a", "pa?ss-7f3a", "pa:ss-7f3a", "7f3a#9-ab", "%40-7f3a"]


@pytest.mark.parametrize(
    ("setting", "password"),
    deep_after(
        2, [(None, "p@ss-7f3a"), ("USERS_DATABASE", "pa/ss-7f3a"), *(("USERS_FROM", each) for each in PASSWORDS)]
    ),
)
def test_an_error_never_repeats_the_password_of_a_malformed_url(
    seeded: RunningSandbox,
    workdir: Path,
    postgres_server: str,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    setting: str | None,
) -> None:
    url = f"postgresql://reader:{password}@127.0.0.1:{urlsplit(postgres_server).port}/crm"
    given = {"users_from": f"{url}?query=select 1"}
    if setting:
        value = url if setting == "USERS_DATABASE" else given["users_from"]
        monkeypatch.setenv(f"SOURCES__AUTHSIGNAL_SOURCE__{setting}", value)
        given = {"users_from": "users_database?query=select 1"} if setting == "USERS_DATABASE" else {}
    with pytest.raises(UserIdsUnreadable) as raised:
        sync_from(seeded, **given)
    said = "\n".join(told_by(raised.value))
    for secret in {password, password[-4:]}:
        assert not found_in(said.encode(), {"password": secret}, "exception")
        assert not search(workdir, {"password": secret})


@pytest.mark.deep
def test_a_password_in_a_configured_url_is_in_no_file(
    seeded: RunningSandbox, workdir: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = urlsplit(in_postgres(postgres_database, people(seeded)[:2]))
    role = f"reader_{server.path.strip('/')}"
    with closing(psycopg2.connect(postgres_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"create role {role} login password 'pass-7f3a'; grant select on people to {role}")
    url = f"postgresql://{role}:pass-7f3a@127.0.0.1:{server.port}{server.path}"
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__USERS_FROM", f"{url}?query=select id from people")
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__USERS_DATABASE", url)
    sync_from(seeded)
    assert len(read()) == 2
    assert not search(workdir, {"password": "pass-7f3a"})


@pytest.mark.deep
def test_the_destination_database_can_be_queried_for_user_ids(seeded: RunningSandbox) -> None:
    synced(seeded)
    query = "select user_id from authsignal_data.users limit 3"
    report = sync_from(seeded, users_from=f"duckdb:///authsignal_pipeline.duckdb?query={query}", full=True)
    assert report.users_read == 3


# several sources


def test_sources_combine_and_each_id_is_read_once(seeded: RunningSandbox, made: MakeDatabase) -> None:
    ids = people(seeded)
    Path("ids.csv").write_text("user_id\n" + "\n".join([*ids[:5], "from file"]))
    url = made([*ids[3:8], "from file", "from query"])
    report = sync_from(seeded, users_from=[f"{url}?query=select id from people", "ids.csv", "listing"])
    assert report.users_read == 42
    assert seeded.sandbox.log.by_route["GET /users/{userId}/authenticators"] == 42
    assert rows("select user_id, id_source, position from unknown_user_ids order by 1") == [
        ("from file", "query", 6),
        ("from query", "query", 7),
    ]
    assert rows("select count(created_at) from users") == [(40,)]


@pytest.mark.deep
def test_users_read_before_are_known(seeded: RunningSandbox) -> None:
    synced(seeded)
    before = table("users")
    seeded.sandbox.configure(listing="refused")
    report = sync_from(seeded, users_from="known", full=True)
    assert report.users_read == 40
    assert table("users") == before


@pytest.mark.deep
def test_a_script_on_a_new_disk_knows_which_users_it_has_read(
    seeded: RunningSandbox, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(users_from: str | None = None) -> None:
        destination = dlt.destinations.duckdb(str(workdir / "data.duckdb"))
        pipeline = dlt.pipeline("authsignal_pipeline", destination=destination, dataset_name="authsignal_data")
        pipeline.run(authsignal_source(base_url=seeded.url, api_secret_key=SECRET, users_from=users_from))

    run()
    monkeypatch.setenv("DLT_DATA_DIR", str(workdir / "new disk"))
    listed = listings(seeded)
    run(users_from="known")
    assert listings(seeded) == listed
    assert seeded.sandbox.log.by_route["GET /users/{userId}"] == 80


def test_a_refused_user_list_leaves_the_other_sources(seeded: RunningSandbox, caplog: pytest.LogCaptureFixture) -> None:
    seeded.sandbox.configure(listing="refused")
    Path("ids.txt").write_text("\n".join(people(seeded)[:2]))
    with caplog.at_level(logging.WARNING, "dlt_authsignal"):
        sync_from(seeded, users_from=["listing", "ids.txt", "known"])
    assert len(read()) == 2
    assert [record.message for record in caplog.records if "does not list" in record.message] != []


@pytest.mark.deep
@pytest.mark.parametrize("users_from", [None, ["listing", "known"]])
def test_a_refused_user_list_stops_a_run_without_another_source(
    seeded: RunningSandbox, users_from: list[str] | None
) -> None:
    seeded.sandbox.configure(listing="refused")
    with pytest.raises(ListingRefused, match=r"a file, a database query, or known"):
        sync_from(seeded, users_from=users_from)


@pytest.mark.deep
def test_an_unusable_source_is_reported_before_the_user_list_is_read(seeded: RunningSandbox) -> None:
    with pytest.raises(UserIdsUnreadable, match="No such file"):
        sync_from(seeded, users_from=["listing", "missing.txt"])
    assert listings(seeded) == 0


@pytest.mark.deep
def test_excluded_users_are_excluded_from_every_source(seeded: RunningSandbox) -> None:
    ids = people(seeded)
    Path("ids.txt").write_text("\n".join(ids[:2]))
    sync_from(seeded, users_from=["ids.txt"], exclude_users=[ids[0]])
    assert read() == {ids[1]}


@pytest.mark.deep
@pytest.mark.parametrize("value", ['["ids.txt", "known"]', "ids.txt"])
def test_the_setting_accepts_one_source_or_several(
    seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    Path("ids.txt").write_text(people(seeded)[0])
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__USERS_FROM", value)
    sync_from(seeded)
    assert len(read()) == 1


@pytest.mark.deep
def test_config_toml_can_contain_a_list_of_sources(seeded: RunningSandbox, workdir: Path) -> None:
    ids = people(seeded)
    Path("ids.txt").write_text(ids[0])
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt" / "config.toml").write_text(
        "[sources.authsignal_source]\n"
        'users_from = ["ids.txt", """\nusers_database?query=\n  select id\n  from people\n""", "known"]\n'
    )
    (workdir / ".dlt" / "secrets.toml").write_text(
        f'[sources.authsignal_source]\nusers_database = "{in_duckdb([ids[1]])}"\n'
    )
    done = command("sync", env=at(seeded))
    assert done.returncode == 0, done.stderr
    assert read() == set(ids[:2])


@pytest.mark.deep
def test_the_command_takes_several_sources(seeded: RunningSandbox) -> None:
    ids = people(seeded)
    Path("ids.txt").write_text(ids[0])
    source = f"{in_sqlite([ids[1], 'nobody'])}?query=select id from people"
    done = command("sync", "--users-from", "ids.txt", "--users-from", source, env=at(seeded))
    assert done.returncode == 0, done.stderr
    assert "1 user id unknown to Authsignal (line or row 2)" in done.stdout
    assert read() == set(ids[:2])


@pytest.mark.deep
def test_an_id_with_a_trailing_space_is_another_user_and_is_counted(empty: RunningSandbox) -> None:
    from dlt_authsignal.sandbox.tenant.entities import User

    now = empty.sandbox.clock.now()
    for user_id in ("bob", "bob "):
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=now, email="b@example.com"))
    Path("ids.csv").write_text('user_id\n"bob "\n', encoding="utf-8")
    report = sync_from(empty, users_from="ids.csv", refresh_users=["bob "])
    assert [row["user_id"] for row in table("users")] == ["bob "]
    assert report.ids_with_blanks == 1
    assert "1 user id with white space at an end, read exactly as they stand" in str(report)
    assert sync_from(empty, users_from="ids.csv", refresh_users=[" bob"]).ids_with_blanks == 2
