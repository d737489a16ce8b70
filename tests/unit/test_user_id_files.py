"""User ids: out of files, in settings, behind URLs, and each once."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.errors import UserIdsUnreadable
from dlt_authsignal.source.user_ids import Candidate
from dlt_authsignal.source.user_ids.candidate import NotAnId, as_id
from dlt_authsignal.source.user_ids.combined import kept
from dlt_authsignal.source.user_ids.files import from_file
from dlt_authsignal.source.user_ids.id_set import SeenKeys
from dlt_authsignal.source.user_ids.sql_connection import place
from dlt_authsignal.source.user_ids.sql_query import from_query, is_query, parse
from dlt_authsignal.source.user_ids.users_from import named

IDS = ["u1", "a,b", "zürich"]


def write(path: Path) -> Path:
    """The same three ids in the format that the ending names, one of them twice."""
    ids = [*IDS, "u1"]
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"name": ["x"] * 4, "userId": ids}), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(i if i == "u1" else {"n": 1, "userId": i}) + "\n" for i in ids), "utf-8")
    elif path.suffix == ".csv":
        path.write_text("\ufeffname;User_Id\n" + "".join(f'x;"{i}"\n' for i in ids), "utf-8")
    elif path.suffix == ".tsv":
        path.write_text("name\tid\n" + "".join(f"x\t{i}\n" for i in ids), "utf-8")
    else:
        path.write_text("\n".join(ids) + "\r\n \n", "utf-8")
    return path


@pytest.mark.parametrize("ending", ["txt", "csv", "tsv", "jsonl", "ndjson", "parquet"])
def test_every_file_format_returns_its_ids_in_order(tmp_path: Path, ending: str) -> None:
    file = write(tmp_path / f"ids.{'jsonl' if ending == 'ndjson' else ending}")
    if ending == "ndjson":
        file = file.rename(file.with_suffix(".ndjson"))
    assert [candidate.user_id for candidate in from_file(file)] == [*IDS, "u1"]


def test_numbers_are_accepted_as_ids(tmp_path: Path) -> None:
    file = tmp_path / "ids.parquet"
    pq.write_table(pa.table({"id": [1, None, 3]}), file)
    assert [(c.user_id, c.position) for c in from_file(file)] == [("1", 1), ("3", 3)]


def test_a_csv_file_with_one_column_and_no_header_is_read_as_a_list(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("u1\nu2\n")
    assert [(c.user_id, c.position) for c in from_file(file)] == [("u1", 1), ("u2", 2)]


def test_the_id_column_can_be_selected(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("id,external\n1,u1\n2\n3,u3\n")
    assert [c.user_id for c in from_file(file, "external")] == ["u1", "u3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a ", "a "),
        (" a\t", " a\t"),
        (7, "7"),
        (2**70, str(2**70)),
        (7.0, "7"),
        (Decimal("7.00"), "7"),
        (Decimal(10) ** 30, "1" + 30 * "0"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (None, ""),
        (float("nan"), ""),
        (" ", ""),
    ],
)
def test_an_id_is_text_a_whole_number_or_a_uuid(value: object, text: str) -> None:
    assert as_id(value) == text


@pytest.mark.parametrize("value", [True, 1.5, float("inf"), Decimal("0.1"), b"a", ["a"], {"id": "a"}])
def test_other_types_are_refused_as_ids(value: object) -> None:
    with pytest.raises(NotAnId, match=type(value).__name__):
        as_id(value)


@given(st.lists(st.text()))
def test_seen_keys_behaves_like_a_set(texts: list[str]) -> None:
    seen, known = SeenKeys(), set[str]()
    for text in texts:
        assert seen.add(text) == (text not in known)
        known.add(text)


def test_seen_keys_grows_beyond_its_initial_size() -> None:
    seen = SeenKeys()
    assert all(seen.add(str(number)) for number in range(20_000))
    assert not any(seen.add(str(number)) for number in range(20_000))


@pytest.mark.parametrize("bytes_each", [1, 1000])
def test_cached_ids_are_returned_unchanged(bytes_each: int) -> None:
    ids = [
        Candidate(user_id=f"{number}\n\0é" * bytes_each, id_source="query", position=number) for number in range(5000)
    ]
    with kept(one for one in ids) as again:
        assert list(again) == ids


@given(sql=st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip))
def test_the_query_parameter_is_plain_or_percent_encoded_sql(sql: str) -> None:
    expected = f"select {sql}".strip().rstrip(";")
    assert parse(f"postgresql://h/d?sslmode=require&query=select {sql}").sql == expected
    assert parse(f"postgresql://h/d?query={quote(f'select {sql}', safe='')}").sql.strip() == expected.strip()


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=4))
def test_the_shown_location_of_a_database_contains_no_part_of_the_password(password: str) -> None:
    shown = place(f"postgresql://reader:{password}@db.example.com:5432/crm?sslpassword=x")
    assert shown in ("postgresql://db.example.com:5432/crm", "a database")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:p@[::1]:5432/d?connect_timeout=3", "postgresql+psycopg://[::1]:5432/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d"),
        ("snowflake://u:p@account/db/schema?warehouse=w", "snowflake://account/db/schema"),
        ("postgresql://u:p", "a database"),
    ],
)
def test_a_database_is_shown_by_its_location(url: str, shown: str) -> None:
    assert place(url) == shown


@pytest.mark.parametrize(
    ("setting", "sources"),
    [
        (None, ("listing",)),
        ("ids.csv", ("ids.csv",)),
        (["ids.csv", "listing", "ids.csv"], ("ids.csv", "listing")),
        (' ["known", "ids.csv "]', ("known", "ids.csv")),
    ],
)
def test_the_users_from_setting_is_parsed_into_sources(
    setting: str | list[str] | None, sources: tuple[str, ...]
) -> None:
    assert named(setting) == sources


@pytest.mark.parametrize("setting", ["", " ", [], [""], ["ids.csv", " "], "[]", '[""]'])
def test_an_empty_users_from_setting_is_refused_and_does_not_mean_all_users(setting: str | list[str]) -> None:
    with pytest.raises(UserIdsUnreadable, match="does not mean the user list"):
        named(setting)


def test_a_database_query_is_distinguished_from_a_file() -> None:
    assert is_query("postgresql://h/d")
    assert is_query("users_database?query=select 1")
    assert not is_query("query.csv")
    assert not is_query("/data/a?b.csv")


EXACT = [
    "bob",
    "bob ",
    " bob",
    "\tbob",
    "bob\u00a0",
    "Bob",
    "bo\u0301b",
    "b\u00f3b",
    '"bob"',
    "'bob'",
    "a,b",
    "a%20b",
    "a+b",
    "#bob",
]
"""Ids that are as many users; text that a reader might trim, fold, decode or unquote."""


def as_file(path: Path, ids: list[str], *, mark: bool, line_end: str) -> Path:
    """A file with these ids, as a program of the format writes it."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": ids}), path)
        return path
    if path.suffix == ".csv":
        lines = ["id", *('"' + each.replace('"', '""') + '"' for each in ids)]
    elif path.suffix == ".jsonl":
        lines = [json.dumps(each) for each in ids]
    else:
        lines = ids
    text = "".join(f"{line}{line_end}" for line in [*lines, "", ""])
    path.write_bytes(text.encode("utf-8-sig" if mark else "utf-8"))
    return path


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("mark", "line_end"), [(False, "\n"), (True, "\r\n")])
def test_ids_of_a_file_are_taken_exactly_as_they_stand(tmp_path: Path, ending: str, mark: bool, line_end: str) -> None:
    file = as_file(tmp_path / f"ids.{ending}", EXACT, mark=mark, line_end=line_end)
    assert [each.user_id for each in from_file(file)] == EXACT


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), min_size=1))
def test_every_id_of_a_json_lines_file_is_returned_unchanged(ids: list[str]) -> None:
    with TemporaryDirectory() as folder:
        file = as_file(Path(folder, "ids.jsonl"), ["first", *ids], mark=False, line_end="\n")
        assert [each.user_id for each in from_file(file)] == ["first", *(each for each in ids if each.strip())]


def test_an_unquoted_field_of_a_csv_file_keeps_its_blanks(tmp_path: Path) -> None:
    file = tmp_path / "ids.csv"
    file.write_text("name,user_id\nx, bob \ny,bob\n")
    assert [each.user_id for each in from_file(file)] == [" bob ", "bob"]


def test_ids_of_a_query_are_taken_exactly_as_they_stand(tmp_path: Path) -> None:
    database = tmp_path / "crm.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table people (id text)")
        connection.executemany("insert into people values (?)", [(each,) for each in EXACT])
    found = from_query(parse(f"sqlite:///{database}?query=select id from people order by rowid"))
    assert [each.user_id for each in found] == EXACT
