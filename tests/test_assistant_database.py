"""What an assistant may ask the database: everything about the data, nothing about people, and no harm done."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dlt_authsignal.assistant import worker
from dlt_authsignal.assistant.database import Database, locate
from dlt_authsignal.assistant.dictionary import table_page
from dlt_authsignal.assistant.guard.functions import allowed_functions
from dlt_authsignal.assistant.masking import is_masked
from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.errors import ConfigurationError, QueryRefused, RunFailed
from dlt_authsignal.models import all_models, needs_of
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.kpis.queries import query as query_of
from dlt_authsignal.models.kpis.sources import ENROLLED
from dlt_authsignal.schema.tables.all_tables import ALL_TABLES as TABLES
from dlt_authsignal.schema.tables.histories import HISTORIES
from tests.loaded import Loaded
from tests.tiers import deep_after, deep_except


@pytest.fixture(scope="module")
def database(loaded: Loaded) -> Database:
    """One for all tests: it makes a masked copy at the first query."""
    return Database(path=loaded.file, dataset="authsignal_data", seconds=40)


def asked(database: Database, sql: str) -> dict[str, Any]:
    """What the process that answers would say, asked in this one: starting it takes longer than its work."""
    return worker.answer(database.request(ask="query", sql=sql, limit=10_000))


def answer(database: Database, sql: str) -> list[list[Any]]:
    found: list[list[Any]] = asked(database, sql)["rows"]
    return found


Asks = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def asks(database: Database) -> Iterator[Asks]:
    """Asks queries on one connection. A process opens the copy for each query, which takes longer than most queries.

    No query can change the connection: those that would are refused, and its settings are locked.
    """
    request = database.request(ask="query", limit=10_000)
    with worker.opened(request) as connection:
        known = worker.relations(connection)
        yield lambda sql: worker.answer_from(connection, {**request, "sql": sql}, known)


def truth(loaded: Loaded, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(loaded.file, read_only=True) as connection:
        connection.execute("set schema = 'authsignal_data'")
        return connection.execute(sql).fetchall()


QUESTIONS = [(table, question.text, question.sql) for table in TABLES for question in questions(table)]


def test_every_table_has_three_questions() -> None:
    assert {table: len(questions(table)) for table in TABLES} == dict.fromkeys(TABLES, 3)
    assert all(text.endswith("?") for _, text, _ in QUESTIONS)


@pytest.mark.parametrize(
    ("table", "text", "sql"), deep_except(QUESTIONS[::9], QUESTIONS), ids=[f"{t}: {text}" for t, text, _ in QUESTIONS]
)
def test_an_assistant_gets_as_many_rows_as_a_direct_query(
    loaded: Loaded, database: Database, table: str, text: str, sql: str
) -> None:
    assert table in sql
    assert len(answer(database, sql)) == len(truth(loaded, sql))


@pytest.mark.deep
def test_most_questions_find_rows(loaded: Loaded) -> None:
    silent = {text for table, text, sql in QUESTIONS if table not in HISTORIES and not truth(loaded, sql)}
    assert silent == {
        "Which attempts were blocked although no rule fired?",
        "Which unknown ids does Authsignal know by now?",
        "Why did calls fail?",
        "How often do calls fail, and why?",
        "Which users still have a method that is switched off?",
        "Which items are in more than one value list?",
        "Which custom data points are visible to users?",
        "Which action codes are configured, but have no attempts?",
        "Which value lists are empty or switched off?",
        "Which users are in a value list by their e-mail address?",
    }


def test_kpis_are_the_same_through_the_masks(loaded: Loaded, database: Database) -> None:
    names = "select table_name, column_name from duckdb_columns() where schema_name = 'authsignal_data'"
    stored: dict[str, dict[str, str]] = {}
    for table, column in truth(loaded, names):
        if column != ENROLLED:  # an added field, which is masked
            stored.setdefault(table, {})[column] = "text"
    there = [model for model in all_models() if not needs_of(model, stored)]
    for model in there:
        where = "dimension not in ('os', 'browser') and period_grain in ('all', 'week')"
        shown = f"select columns(*)::text from ({{}}) where {where} order by all"
        seen = answer(database, shown.format(f"select * from {model.view}"))  # user agents are masked
        plain = truth(loaded, shown.format(in_duckdb(query_of(model, stored))))
        assert sorted(map(str, seen)) == sorted(str(list(row)) for row in plain), model.name
    assert len(there) > 12
    assert answer(database, "select count(*) from kpi_mfa_coverage where period_grain = 'all'") == [[2]]


@pytest.mark.deep
def test_changes_of_the_configuration_and_their_effects_are_the_same_through_the_masks(demo: Path) -> None:
    file = demo / "authsignal_demo.duckdb"
    masked = Database(path=file, dataset="authsignal_data", seconds=40)
    changes = "select configuration, object, object_name, change, field, seen_before, seen_at from config_changes"
    effects = "select * exclude (configuration) from config_change_effects where configuration = 'rules'"
    for query in (changes, effects):
        sql = f"select columns(*)::text from ({query}) order by all"
        with duckdb.connect(file, read_only=True) as connection:
            connection.execute("set timezone = 'UTC'; set schema = 'authsignal_data'")
            expected = connection.execute(sql).fetchall()
        assert sorted(map(str, answer(masked, sql))) == sorted(str(list(row)) for row in expected)
        assert len(expected) > 5
    assert "`seen_at`: The first read that did." in table_page("config_changes")


PEOPLE = "select distinct unnest([user_id, email, phone_number, username, display_name]) from users"


@pytest.mark.parametrize("table", TABLES)
def test_no_table_shows_a_person(loaded: Loaded, asks: Asks, table: str) -> None:
    known = {str(value) for (value,) in truth(loaded, PEOPLE) if value} | {"canary", "nobody-1"}
    shown = {str(cell) for row in asks(f"select * from {table}")["rows"] for cell in row}
    assert known & shown == set()
    assert any(cell.startswith("masked:") for cell in shown)


@pytest.mark.parametrize(
    "trick",
    [
        "select email as x from users where email is not null",
        "select substr(email, 1, 12) from users where email is not null",
        "select email || '' from users where email is not null",
        "select to_json(users) from users",
        "select users from users",
        "select list(email) from users",
        "select string_agg(email, ' ') from users",
        "with users as (select * from users) select email from users where email is not null",
        "select columns('em.*') from users",
        "select * from (unpivot users on email, username into name kind value v)",
        "summarize users",
        "select min(email), max(email), mode(custom::varchar) from users",
        "select hex(email), base64(email::blob), reverse(email) from users where email is not null",
        "select a.email from users as a, lateral (select a.email) as b where a.email is not null",
    ],
)
def test_sql_does_not_undo_a_mask(loaded: Loaded, asks: Asks, trick: str) -> None:
    people = [str(value) for (value,) in truth(loaded, PEOPLE) if value]
    plain = str(asks(trick)["rows"])
    spelt = {form for text in people for form in (text, text[::-1], text.encode().hex().upper())}
    assert [text for text in spelt if text in plain] == []
    assert len(plain) > 10


def test_masks_keep_equal_values_equal_and_join(loaded: Loaded, database: Database) -> None:
    counted = "select count(*), count(distinct user_id) from users join user_actions using (user_id)"
    assert list(map(tuple, answer(database, counted))) == truth(loaded, counted)
    other = Database(path=loaded.file, dataset="authsignal_data", seconds=40)
    first = "select min(user_id) from users"
    assert answer(database, first) == answer(database, first) != answer(other, first)


def test_undeclared_columns_are_masked() -> None:
    for column in ("email__v_text", "passport", "_row_hash", "_dlt_id"):
        assert is_masked("users", column)
    assert not is_masked("users", "is_enrolled")
    assert not is_masked("users", "_read_at")


def test_identifiers_are_shown_if_allowed(loaded: Loaded) -> None:
    opened = Database(path=loaded.file, dataset="authsignal_data", allow_identifiers=True, seconds=40)
    assert {str(cell) for (cell,) in answer(opened, "select user_id from users")} == {
        str(cell) for (cell,) in truth(loaded, "select user_id from users")
    }


@pytest.mark.parametrize(
    "sql",
    [
        "delete from users",
        "drop view users",
        "create table t as select 1",
        "insert into users default values",
        "update users set locale = 'x'",
        "select 1; drop view users",
        "copy users to 'out.csv'",
        "copy (select 1) to 'out.csv'",
        "export database 'out'",
        "attach 'authsignal_pipeline.duckdb' as again",
        "attach ':memory:' as again",
        "detach memory",
        "use system",
        "set threads = 8",
        "set variable mask_key = 'x'",
        "pragma database_list",
        "pragma enable_profiling",
        "call pragma_version()",
        "install httpfs",
        "load httpfs",
        "explain select * from users",
        "explain analyze select * from users",
        "prepare p as select 1",
        "begin",
        "show databases",
        "show all tables",
        "checkpoint",
        "",
        "-- nothing",
        "select 1 \0 from duckdb_views",
    ],
)
def test_anything_but_one_select_is_refused(asks: Asks, sql: str) -> None:
    assert re.search("SELECT|DESCRIBE", asks(sql)["refused"])


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('.dlt/secrets.toml')",
        "select * from read_text('.dlt/secrets.toml')",
        "select * from read_blob('.dlt/*')",
        "select * from '.dlt/secrets.toml'",
        "select * from 'ids.csv'",
        "select * from glob('*')",
        "select * from parquet_scan('x.parquet')",
        "select * from sniff_csv('ids.txt')",
        "select getenv('HOME')",
        "select current_setting('secret_directory')",
        "select * from duckdb_secrets()",
        "select * from duckdb_settings()",
        "select * from duckdb_variables()",
        "select * from duckdb_views()",
        "select * from duckdb_views",
        "select * from sqlite_master",
        "select * from information_schema.views",
        "select * from pg_catalog.pg_views",
        "select pg_get_viewdef(1)",
        "select getvariable('mask_key')",
        "select main.getvariable('mask_key')",
        "select list_transform(['mask_key'], x -> getvariable(x))",
        "select * from query('select 1')",
        "select * from query_table('users')",
        "select * from json_execute_serialized_sql('{}')",
        "select * from memory.authsignal_data.users",
        "select * from store.authsignal_data.users",
        "select * from authsignal_data_staging.users",
        "select * from authsignal_data._dlt_pipeline_state",
        "select * from _dlt_version",
        "select 1 where exists (from duckdb_databases())",
        "with duckdb_views as (select * from duckdb_views) select * from duckdb_views",
        "with a as (select 1) select * from a union all from authsignal_data.a",
        "select write_log('x')",
        "select json_serialize_plan('select getvariable(''mask_key'')', optimize := true)",
        "select json_serialize_sql('select 1')",
        "select json_deserialize_sql(json_serialize_sql('select 1'))",
        "select list_aggregate([1], 'sum')",
        "select stats(email) from users",
        "select email.stats() from users",
        "select current_query()",
        "select error(email) from users",
        "select sleep_ms(1)",
        "select * from histogram_values('users', 'email')",
        "select * from pragma_storage_info('users')",
        "select * from pragma_table_info('users')",
        "select * from duckdb_columns()",
        "select * from seq_scan('users')",
        "select * from read_duckdb('authsignal_pipeline.duckdb')",
        "select * from users at (version => 1)",
        "select count(*) from users where email in (select getenv('HOME'))",
        "select count(*) over (order by getvariable('x')) from users",
        "select 1 order by nextval('s')",
        "select 1 limit (select getvariable('x')::int)",
        "select * from range(getvariable('x')::int)",
        "values (getvariable('x'))",
        "select case when true then version() end",
        "summarize select getvariable('x')",
        "describe select version()",
        "with a as (select txid_current()) select * from a",
        "select list_transform([1], lambda x: getvariable('x'))",
        "select count(*) filter (where getvariable('x') is null) from users",
        "select * from users where $1 = 1",
        'select * from \'ids.csv\' where exists (with "ids.csv" as (select 1) select * from "ids.csv")',
        "select * from request",
        "select * from connection",
    ],
)
def test_files_settings_and_hidden_tables_cannot_be_read(asks: Asks, sql: str) -> None:
    assert re.search("cannot be|There is no table", asks(sql)["refused"])


@pytest.mark.parametrize(
    "sql",
    [
        "select * exclude (email) replace (1 as locale) from users order by all limit 10%",
        "select distinct on (locale) locale, #1 from users tablesample 100%",
        "select row_number() over w, lag(user_id ignore nulls) over w from users window w as (order by created_at)",
        "from users semi join user_actions using (user_id) select count(*) filter (where is_enrolled)",
        "select [x + 1 for x in [1, 2] if x > 1], [1, 2].list_sum(), {a: 1}.a, map {'a': 1}['a']",
        "select date_trunc('day', created_at) at time zone 'UTC' - interval 1 week, extract(year from now())"
        " from users",
        "select 'a' like 'b' escape 'c', 'a' similar to 'b', 1 = any([1]), try(1 / 0), 7 // 2, 'a' collate nocase",
        "select grouping(locale), string_agg(locale, ',' order by 1), percentile_cont(0.5) within group (order by 1)"
        " from users group by rollup (locale)",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3)"
        " from t union by name select 1 as n",
        "from json_each('[1, 2]') select value::int, '1'::decimal(4, 2), [1]::int[], current_date",
        "select columns(c -> c like 'e%') from users",
        "pivot (select 1 as a, 2 as b) on a in (1) using sum(b)",
        "select '24:00:00'::time, 'infinity'::timestamp, 'inf'::float, '5000-01-01'::date, 1::bignum",
    ],
)
def test_ordinary_sql_is_allowed(asks: Asks, sql: str) -> None:
    assert asks(sql)["rows"]


def test_the_allowed_functions_exist_and_change_only_where_the_list_says_so() -> None:
    with duckdb.connect() as connection:
        known = connection.execute("select lower(function_name), stability from duckdb_functions()").fetchall()
    changing = {name for name, stability in known if stability not in (None, "CONSISTENT")} & allowed_functions()
    assert changing <= {"current_date", "get_current_time", "get_current_timestamp", "now", "today"} | {
        *("transaction_timestamp", "random", "gen_random_uuid", "uuid", "uuidv4", "uuidv7")
    }
    assert allowed_functions() - {name for name, _ in known} <= {"!__postfix", "unlist"}


@pytest.mark.parametrize(
    "sql",
    deep_after(
        1,
        [
            "select count(*) from user_actions a, user_actions b, user_actions c, users d"
            " where hash(a.user_id, b.user_id, c.user_id, d.user_id) = 0",
            "with recursive r as (select 1 as n union all select n + 1 from r) select max(n) from r",
            "select levenshtein(repeat('ab', 200000), repeat('ba', 200000))",
        ],
    ),
)
def test_an_endless_query_is_stopped(loaded: Loaded, sql: str) -> None:
    hasty = Database(path=loaded.file, dataset="authsignal_data", seconds=2)
    with pytest.raises(RunFailed, match="stopped after 2 s"):
        hasty.query(sql, 10)


def test_a_query_that_needs_too_much_memory_is_stopped(database: Database) -> None:
    """`repeat` does not ask DuckDB for its memory."""
    with pytest.raises(RunFailed, match="memory"):
        database.query("select repeat('a', 4000000000)", 10)


def test_rows_and_sizes_are_limited(database: Database) -> None:
    three = database.query("from range(1000000000)", 3)
    assert (three["rows"], three["more"]) == ([[0], [1], [2]], True)
    assert not database.query("from range(3)", 3)["more"]
    wide = asked(database, "select repeat('x', 1500) from range(1000)")
    assert wide["more"]
    assert len(str(wide)) < 100_000
    ((cell,),) = answer(database, "select repeat('x', 1000000)")
    assert len(cell) < 3000


def test_invalid_sql_is_explained(database: Database) -> None:
    with pytest.raises(QueryRefused, match=r'"emial" not found[\s\S]*Candidate bindings: "email"'):
        database.query("select emial from users", 10)
    assert "syntax error" in asked(database, "selec 1")["refused"]
    assert re.search(r'no table "user"\. Known: .*users', asked(database, "select * from user")["refused"])


def test_the_query_process_gets_no_environment_variables(
    database: Database, monkeypatch: pytest.MonkeyPatch, workdir: Path
) -> None:
    python = workdir / "python"
    python.write_text(f'#!/bin/sh\nenv > "{workdir}/seen"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY", "hush")
    assert database.query("select 1", 1)["rows"] == [[1]]
    seen = (workdir / "seen").read_text()
    assert "PATH=" in seen
    assert "hush" not in seen


def test_a_sync_can_write_between_two_queries_and_no_query_waits_for_a_sync(loaded: Loaded, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes(loaded.file.read_bytes())
    database = Database(path=copy, dataset="authsignal_data", seconds=40)
    assert answer(database, "select count(*) from users where locale = 'new'") == [[0]]
    with duckdb.connect(copy) as sync:
        sync.execute("update authsignal_data.users set default_verification_method = 'new'")
        with pytest.raises(RunFailed, match=r"Another program is writing.*PID \d+"):
            database.query("select 1", 1)
    assert answer(database, "select count(*) from users where default_verification_method <> 'new'") == [[0]]


def test_the_file_is_found_through_dlts_state(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, workdir: Path) -> None:
    monkeypatch.setenv("DLT_DATA_DIR", str(loaded.data_dir))
    monkeypatch.chdir(loaded.file.parent)
    assert locate("authsignal_pipeline", None) == (loaded.file.resolve(), "authsignal_data")
    assert list(workdir.glob("*.duckdb")) == []


def test_a_pipeline_that_never_ran_is_not_created(workdir: Path) -> None:
    with pytest.raises(ConfigurationError, match="dlt-authsignal sync"):
        locate("authsignal_pipeline", None)
    assert not (workdir / "dlt" / "pipelines" / "authsignal_pipeline").exists()


def test_another_destination_is_refused_with_its_name() -> None:
    code = (
        "import dlt; dlt.pipeline('p', destination=dlt.destinations.filesystem('lake'), dataset_name='d')"
        ".run([{'a': 1}], table_name='t')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=50, capture_output=True)
    with pytest.raises(ConfigurationError, match="loads into filesystem"):
        locate("p", None)
