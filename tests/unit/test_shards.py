"""What the loader decides for all shards about columns that this version does not know."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_authsignal.schema.tables.server import USERS
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.privacy.recognition.harmless import MOST_WORDS
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.column_names import MOST_UNDECLARED
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.shards.agreement import ShardAgreement
from dlt_authsignal.source.shards.write import undeclared_of

PRIVACY = Privacy(key="3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61")
NOW = datetime(2026, 11, 2, tzinfo=UTC)
COLUMNS = [f"{letter}{number}" for letter in "abcdefghij" for number in range(30)]


def shaper(drift: TableDrift | None = None) -> Shaper:
    return Shaper(USERS, api="server", tenant_id=None, privacy=PRIVACY, drift=drift)


def answers(first: int, *users: dict[str, Any]) -> Answers:
    return Answers(
        items=list(users),
        requests=list(range(len(users))),
        read_at=[NOW] * len(users),
        keys={"user_id": [f"u{first + number}" for number in range(len(users))]},
    )


def together(*shards: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], TableDrift]:
    """The rows of several shards after the loader has decided, and what a single process makes of each of them."""
    drift = TableDrift()
    agreement = ShardAgreement(table=USERS, shaper=shaper(drift), privacy=PRIVACY, drift=drift, stored={})
    made, found = [], []
    for number, users in enumerate(shards):
        own = shaper()
        made.append(own(answers(100 * number, *users)))
        found.append(undeclared_of({"users": own})["users"])
        agreement.learn(found[-1])
    return [
        {name: value for name, value in row.items() if value is not None}
        for rows, undeclared in zip(made, found, strict=True)
        for row in agreement.same(rows, undeclared).to_pylist()
    ], drift


def alone(*users: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that one process makes of the same users in one batch."""
    rows = shaper()(answers(0, *users)).to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def without_ids(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in ("user_id", "_row_hash")} for row in rows]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"fresh": "high"}, {"fresh": "Ann Miller"}),
        ({"fresh": ["high", "low"]}, {"fresh": ["Ann Miller"]}),
        ({"fresh": {"deep": "high", "n": 1}}, {"fresh": {"deep": "Ann Miller"}}),
        ({"fresh": [{"deep": "high"}]}, {"fresh": [{"deep": "Ann Miller", "other": "low"}]}),
        ({"fresh": 5}, {"fresh": "low"}),
        ({"fresh": "low"}, {"fresh": 5}),
        ({"fresh": True}, {"fresh": [1]}),
        ({"fresh": 1}, {"fresh": 1.5}),
        ({"emailVerified": True}, {"emailVerified": "Ann Miller"}),
    ],
)
def test_two_shards_make_the_rows_of_one_process(one: dict[str, Any], other: dict[str, Any]) -> None:
    rows, drift = together([one], [other])
    assert without_ids(rows) == without_ids(alone(one, other))
    assert drift.was_plain == set()
    assert "Miller" not in json.dumps(rows, default=str)


def test_text_of_another_type_than_its_column_is_hashed_in_all_shards() -> None:
    rows, _ = together([{"emailVerified": "low"}], [{"emailVerified": "Ann Miller"}])
    assert [row["email_verified__v_text"] for row in rows] == [PRIVACY.unknown("low"), PRIVACY.unknown("Ann Miller")]


def test_the_row_hash_is_computed_from_the_loaded_row() -> None:
    rows, _ = together([{"fresh": "high"}], [{"fresh": "Ann Miller"}])
    assert (
        rows[0]["_row_hash"] == shaper()(answers(0, {"fresh": "high"}, {"fresh": "Ann Miller"}))["_row_hash"][0].as_py()
    )


def test_words_of_all_shards_are_counted_together() -> None:
    words = ["".join(chr(97 + int(digit)) for digit in str(number + 100)) for number in range(2 * MOST_WORDS)]
    few, _ = together([{"fresh": word} for word in words[:10]], [{"fresh": word} for word in words[5:15]])
    assert [row["fresh"] for row in few] == [*words[:10], *words[5:15]]
    many, drift = together([{"fresh": word} for word in words[:20]], [{"fresh": word} for word in words[20:40]])
    assert [row["fresh"] for row in many] == [PRIVACY.unknown(word) for word in words[:40]]
    assert drift.hashed == {"fresh"}


def test_columns_beyond_the_maximum_of_a_table_are_stored_together() -> None:
    half = MOST_UNDECLARED // 2 + 20
    one, other = dict.fromkeys(COLUMNS[:half], 1), dict.fromkeys(COLUMNS[half : 2 * half], 2)
    rows, _ = together([one], [other])
    assert len(rows[0].keys() & set(COLUMNS)) == half
    assert len(rows[1].keys() & set(COLUMNS)) == MOST_UNDECLARED - half
    assert len(json.loads(rows[1]["_more"])) == 2 * half - MOST_UNDECLARED


def test_text_below_a_key_that_is_protected_is_hashed_with_the_places_beside_it() -> None:
    rows, _ = together([{"fresh": [{"ann@example.com": "high"}]}], [{"fresh": [{"ann@example.com": "Ann Miller"}]}])
    texts = [text for row in rows for each in json.loads(row["fresh"]) for text in each.values()]
    assert texts == [PRIVACY.unknown("high"), PRIVACY.unknown("Ann Miller")]
