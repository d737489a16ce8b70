"""What an assistant may ask about events: the same answers as without masks, and nothing about people."""

from typing import Any

import duckdb
import pytest

from dlt_authsignal.assistant import worker
from dlt_authsignal.assistant.database import Database
from dlt_authsignal.assistant.dictionary import table_page
from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.models.events.views import VIEWS, plain_queries
from dlt_authsignal.schema.tables.events import EVENT_FILES, EVENT_TABLES
from tests.loaded import Loaded
from tests.tiers import deep_except

Rows = list[tuple[Any, ...]]

TABLES = [*EVENT_TABLES, EVENT_FILES.name]
QUESTIONS = {q.text: q.sql for name in (*TABLES, *(view.name for view in VIEWS)) for q in questions(name)}
PERSONAL = (
    "select distinct unnest([user_id, email, phone_number, ip_address]) from action_log"
    " union select distinct unnest([email, phone_number]) from challenge_log"
    " union select distinct unnest([credential_id, credential_name]) from authenticator_events"
    " union select unnest([user_id, payload ->> '$.email', payload ->> '$.note', payload::varchar]) from unknown_events"
    " union select file from event_files"
)


@pytest.fixture(scope="module")
def database(loaded: Loaded) -> Database:
    return Database(path=loaded.file, dataset="authsignal_data", seconds=40)


def asked(database: Database, sql: str) -> dict[str, Any]:
    return worker.answer(database.request(ask="query", sql=sql, limit=10_000))


def truth(loaded: Loaded, sql: str) -> Rows:
    """Return the rows of a query on the database itself, with the views that `models install` would create."""
    with duckdb.connect(loaded.file, read_only=True) as connection:
        connection.execute("set schema = 'authsignal_data'; set timezone = 'UTC'")
        columns = connection.execute("select table_name, column_name from duckdb_columns()").fetchall()
        stored: dict[str, dict[str, str]] = {}
        for table, column in columns:
            stored.setdefault(table, {})[column] = "text"
        for name, query in plain_queries(stored).items():
            connection.execute(f"create temp view {name} as {query}")
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize("text", deep_except(list(QUESTIONS)[::3], list(QUESTIONS)))
def test_a_question_about_events_has_the_same_answer_through_the_masks(
    loaded: Loaded, database: Database, text: str
) -> None:
    numbers = f"select columns(c -> c not in ('user_id')) from ({QUESTIONS[text]})"
    found = [tuple(map(str, row)) for row in asked(database, f"select columns(*)::text from ({numbers})")["rows"]]
    expected = [tuple(map(str, row)) for row in truth(loaded, f"select columns(*)::text from ({numbers})")]
    assert sorted(found) == sorted(expected)
    assert text.endswith("?")


@pytest.mark.deep
def test_most_questions_about_events_find_rows(loaded: Loaded) -> None:
    assert {text for text, sql in QUESTIONS.items() if not truth(loaded, sql)} == {
        "In which columns do API and events differ?"
    }


def test_no_table_or_view_of_events_shows_personal_data(loaded: Loaded, database: Database) -> None:
    personal = {str(value) for (value,) in truth(loaded, PERSONAL) if value}
    assert len(personal) > 100
    for name in (*TABLES, *(view.name for view in VIEWS), "user_reads"):
        shown = str(asked(database, f"select * from {name}")["rows"])
        assert [value for value in personal if value in shown] == []
        assert len(shown) > 100
    (event_id,) = asked(database, "select event_id from unknown_events")["rows"][0]
    assert event_id.startswith("masked:")


def test_the_pages_of_the_views_have_their_columns_and_masks(loaded: Loaded, database: Database) -> None:
    for view in VIEWS:
        answer = asked(database, f"select * from {view.name} limit 1")
        assert {column.name for column in view.columns} == set(answer["columns"])
        for column, value in zip(answer["columns"], answer["rows"][0], strict=True):
            is_masked = str(value).startswith("masked:")
            line = next(line for line in table_page(view.name).splitlines() if line.startswith(f"- `{column}`"))
            assert not is_masked or "Masked for assistants" in line, column
