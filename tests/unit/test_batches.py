"""Answers to Arrow tables: the same rows as one by one, and no value lost."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlt_authsignal.errors import UnexpectedAnswer
from dlt_authsignal.schema.tables.server import TABLES, USER_AUTHENTICATORS, USER_DEVICES
from dlt_authsignal.source.http import client
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import KEEP
from dlt_authsignal.source.rows import arrow_builder as batches
from dlt_authsignal.source.rows import column_types as columns
from dlt_authsignal.source.rows.arrow_builder import Shaper, by_row
from dlt_authsignal.source.rows.arrow_hash import as_text, from_text
from dlt_authsignal.source.rows.field_tree import FieldTree
from dlt_authsignal.source.rows.flatten import Answers, flat, is_beyond
from dlt_authsignal.source.rows.row_builder import Placer

READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)

TIMES = st.sampled_from(
    [
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05+02:00",
        "2026-01-02T03:04:05",
        "2026-01-02",
        "2026-01-02T03:04:05.1234567Z",
        "0001-01-01T00:00:00+14:00",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
        "2026-01-02T03:04:60Z",
        "soon",
        "",
    ]
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70), st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63)])
)
SCALARS = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.floats(), st.sampled_from([0.5, 1.0, 2.0**60]), TIMES, st.text(max_size=3)
)
NAMES = st.sampled_from(
    [
        "createdAt",
        "risk",
        "Risk",
        "custom",
        "name",
        "a__b",
        "a",
        "b",
        "risk__v_text",
        "_dlt_id",
        "_api",
        "tenantId",
        "is 2fa?",
        "",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=5,
)
BODIES = [b'"\\ud800"', b"NaN", b"1e400", b"\xef\xbb\xbf[]", b"-0", b"1" * 5000, b'{"a":1,"a":2}', b"[" * 5, b"1.10"]
ANSWERS = st.lists(st.dictionaries(NAMES, VALUES, max_size=5), min_size=1, max_size=6)


def shaper(stored: dict[str, str] | None = None) -> Shaper:
    return Shaper(USER_DEVICES, api="server", tenant_id="t1", privacy=KEEP, stored=stored or {})


def answers(items: list[dict[str, Any]], users: int = 1) -> Answers:
    return Answers(
        items=list(items),
        requests=[place % users for place in range(len(items))],
        read_at=[READ_AT] * users,
        keys={"user_id": [f"u{place}" for place in range(users)]},
    )


def with_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "deviceId": f"d{place}"} for place, item in enumerate(items)]


def rows_of(batch: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {name: value for name, value in sorted(row.items()) if value is not None} for row in batch.to_pylist()
    ]
    return found


def one(item: dict[str, Any], stored: dict[str, str] | None = None) -> dict[str, Any]:
    (row,) = rows_of(shaper(stored)(answers(with_ids([item]))))
    return row


@given(ANSWERS)
def test_shaping_by_field_and_by_row_give_the_same_rows_and_hashes(items: list[dict[str, Any]]) -> None:
    quick = rows_of(shaper()(answers(with_ids(items))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "fields", by_row)
        patch.setattr(columns, "_at_once", lambda *_: None)
        assert rows_of(shaper()(answers(with_ids(items)))) == quick


@given(ANSWERS)
def test_the_batch_size_changes_no_row(items: list[dict[str, Any]]) -> None:
    whole, cut = shaper(), shaper()
    in_one = rows_of(whole(answers(with_ids(items))))
    assert [row for item in with_ids(items) for row in rows_of(cut(answers([item])))] == in_one


@given(ANSWERS)
def test_every_value_is_in_its_row(items: list[dict[str, Any]]) -> None:
    fields = FieldTree(USER_DEVICES).top
    for item, row in zip(items, rows_of(shaper()(answers(with_ids(items)))), strict=True):
        for name, value in flat(item, fields, TableDrift()).items():
            if value is not None and name != "tenant_id":
                found = [each for column, each in row.items() if column.split("__v_")[0] == name]
                assert any(_says(each, value) for each in found), (name, value, row)


def _says(found: Any, value: Any) -> bool:
    if isinstance(found, datetime):
        moment = datetime.fromisoformat(value)
        return found == (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if isinstance(value, list | dict):
        return bool(json.loads(found) == value)
    if isinstance(value, bool) or isinstance(found, bool):
        return found is value or found == str(value).lower()
    return found in (value, str(value)) or (isinstance(found, str) and _is_json_of(found, value))


def _is_json_of(text: str, value: Any) -> bool:
    try:
        return bool(json.loads(text) == (str(value) if is_beyond(value) else value))
    except ValueError:
        return False


@given(ANSWERS, st.randoms())
def test_the_order_of_fields_and_nulls_do_not_change_a_row_hash(items: list[dict[str, Any]], random: Any) -> None:
    shape = shaper()
    before = shape(answers(with_ids(items)))["_row_hash"]
    shuffled = [dict(random.sample(list(item.items()), len(item))) for item in with_ids(items)]
    assert shape(answers([{**item, "neverSeen": None} for item in shuffled]))["_row_hash"] == before


def test_a_column_keeps_its_first_type_and_other_types_get_separate_columns() -> None:
    shape = shaper()
    batch = shape(answers(with_ids([{"risk": 1}, {"risk": 1.5}, {"risk": "high"}, {"risk": 2.0}, {"risk": [1]}])))
    assert [{name: value for name, value in row.items() if name.startswith("risk")} for row in rows_of(batch)] == [
        {"risk": 1},
        {"risk__v_double": 1.5},
        {"risk__v_text": "high"},
        {"risk": 2},
        {"risk__v_json": "[1]"},
    ]
    assert rows_of(shape(answers(with_ids([{"risk": 0.5}]))))[0]["risk__v_double"] == 0.5


def test_a_column_of_the_destination_keeps_its_type() -> None:
    assert one({"risk": 1.5}, {"risk": "bigint"})["risk__v_double"] == 1.5
    assert one({"risk": 1}, {"risk": "decimal"})["risk__v_bigint"] == 1


@pytest.mark.parametrize(
    "secret",
    [
        "otpauth://totp/CANARY",
        "otpauth-migration://offline?data=CANARY",
        " OTPAUTH://CANARY",
        ["otpauth://CANARY"],
        {"token": "CANARY"},
    ],
)
def test_secrets_never_become_columns(secret: Any) -> None:
    batch = shaper()(answers(with_ids([{"x": secret}, {"x": "plain"}, {"x": [1]}])))
    assert "CANARY" not in str(batch.to_pylist())


def test_of_two_rows_with_the_same_key_in_a_response_the_last_updated_one_is_kept() -> None:
    said = [("2030", "b"), ("2020", "a"), ("2030", "c"), ("2040", "d")]
    items = [{"deviceId": "d", "updatedAt": year, "name": name} for year, name in said]
    assert [row["name"] for row in rows_of(shaper()(answers(items[:3])))] == ["c"]
    assert [row["name"] for row in rows_of(shaper()(answers(items, users=2)))] == ["c", "d"]


@pytest.mark.parametrize(
    "item", [{}, {"userAuthenticatorId": None}, {"userAuthenticatorId": ""}, {"userAuthenticatorId": [1]}]
)
def test_a_row_without_its_key_is_an_error_that_shows_the_key(item: dict[str, Any]) -> None:
    shape = Shaper(USER_AUTHENTICATORS, api="server", tenant_id=None, privacy=KEEP)
    with pytest.raises(UnexpectedAnswer, match="user_authenticator_id"):
        shape(answers([{"userAuthenticatorId": "a"}, item]))


def test_rows_contain_their_tenant_api_and_read_time() -> None:
    shape = shaper()
    batch = shape(answers(with_ids([{"tenantId": "theirs"}, {"tenantId": ""}, {}])))
    assert batch["tenant_id"].to_pylist() == ["theirs", "t1", "t1"]
    assert set(batch["_api"].to_pylist()) == {"server"}
    assert batch["_read_at"].to_pylist() == [READ_AT] * 3


def test_generated_rows_become_a_batch_unchanged() -> None:
    batch = shaper().plain([{"user_id": "u", "device_id": "d", "created_at": READ_AT, "known": True}])
    assert rows_of(batch) == [{"user_id": "u", "device_id": "d", "created_at": READ_AT, "known": True}]


@given(st.one_of(VALUES.map(json.dumps).map(str.encode), st.binary(max_size=8), st.sampled_from(BODIES)))
def test_the_json_parser_returns_the_same_as_pythons(body: bytes) -> None:
    def read(loads: Any) -> str:
        try:
            return repr(loads(body))
        except ValueError:
            return "no JSON"

    assert read(client.loads) == read(json.loads)


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_batch_has_every_declared_column(name: str) -> None:
    batch = Shaper(TABLES[name], api="server", tenant_id=None, privacy=KEEP).nothing()
    assert {column.name for column in TABLES[name].columns} < set(batch.column_names)
    assert batch.num_rows == 0


def test_row_hashes_survive_conversion_to_text_and_back() -> None:
    hashes = np.array([0, 1, 2**64 - 1, 2**63], np.uint64)
    texts = as_text(hashes)
    assert texts.to_pylist() == ["0" * 16, "0" * 15 + "1", "f" * 16, "8" + "0" * 15]
    assert list(from_text(texts)) == list(hashes)
    assert list(from_text(pa.chunked_array([texts[1:3], pa.array([None], pa.string()), texts[3:]]))) == list(hashes[1:])


def test_a_row_hash_is_the_same_on_every_machine_and_in_every_version() -> None:
    row = one(
        {"createdAt": "2026-01-02T03:04:05Z", "risk": 1, "score": 0.5, "trusted": True, "tags": ["a"], "name": "é"}
    )
    assert row["_row_hash"] == "982d34da5e69453d"


@given(ANSWERS)
@example([{"createdAt": "2026-01-02T03:04:05.1234567Z"}])  # finer than a microsecond: text, in both
def test_rows_and_arrow_tables_of_the_same_responses_have_the_same_hashes(items: list[dict[str, Any]]) -> None:
    as_rows = Placer(USER_DEVICES, api="server", tenant_id="t1", privacy=KEEP)(answers(with_ids(items)))
    batch = shaper()(answers(with_ids(items))).to_pylist()
    for row, by_arrow in zip(as_rows, batch, strict=True):
        values = [{name for name, value in each.items() if value is not None} for each in (row, by_arrow)]
        assert values[0] == values[1]
        assert row["_row_hash"] == by_arrow["_row_hash"]


def test_a_single_row_has_the_row_hash_of_earlier_versions() -> None:
    answer = {"createdAt": "2026-01-02T03:04:05Z", "risk": 1, "score": 0.5, "trusted": True, "tags": ["a"], "name": "é"}
    (row,) = Placer(USER_DEVICES, api="server", tenant_id="t1", privacy=KEEP)(answers(with_ids([answer])))
    assert row["_row_hash"] == "982d34da5e69453d"
