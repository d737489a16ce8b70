"""What the questions of the histories answer, on a past written down by hand."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import duckdb
import pytest

from dlt_authsignal.assistant.questions import questions
from dlt_authsignal.schema.tables.histories import HISTORIES

PAST = """
create table users (user_id varchar, _read_at timestamp);
insert into users values ('here', '2026-05-31 12:00'), ('changed', '2026-05-31 12:00');
create table users_history (user_id varchar, valid_from timestamp, valid_to timestamp);
insert into users_history values
    ('here', '2026-03-01', null),
    ('changed', '2026-03-01', '2026-04-01'), ('changed', '2026-04-01', '2026-04-20'), ('changed', '2026-04-20', null),
    ('gone long ago', '2026-03-01', '2026-04-02'),
    ('gone lately', '2026-03-01', '2026-05-29'),
    ('came and went', '2026-05-28', '2026-05-30');

create table user_authenticators_history (
    user_id varchar, user_authenticator_id varchar, verification_method varchar, verified_at timestamp,
    valid_from timestamp, valid_to timestamp
);
insert into user_authenticators_history values
    ('here', 'kept', 'PASSKEY', '2026-02-01', '2026-03-01 08:00', null),
    ('here', 'back again', 'PASSKEY', '2026-02-01', '2026-03-01 08:00', '2026-03-02 08:00'),
    ('here', 'back again', 'PASSKEY', '2026-02-01', '2026-03-03 08:00', null),
    ('here', 'lost', 'SMS', '2026-02-01', '2026-03-01 08:00', '2026-03-02 08:00'),
    ('here', 'never used', 'PASSKEY', null, '2026-03-01 08:00', null);

create table tenant_authenticators (verification_method varchar, _read_at timestamp);
insert into tenant_authenticators values ('PASSKEY', '2026-05-31 12:00');
create table tenant_authenticators_history (
    verification_method varchar, is_active boolean, is_editable_by_user boolean,
    valid_from timestamp, valid_to timestamp
);
insert into tenant_authenticators_history values
    ('PASSKEY', false, true, '2026-03-01', '2026-05-20'), ('PASSKEY', true, true, '2026-05-20', null),
    ('SMS', true, true, '2026-03-01', '2026-05-21'),
    ('EMAIL_OTP', true, true, '2026-03-01', '2026-03-02');

create table rules (rule_id varchar, _read_at timestamp);
insert into rules values ('r1', '2026-05-31 12:00');
create table rules_history (
    rule_id varchar, name varchar, action_code varchar, priority bigint, type varchar, is_active boolean,
    valid_from timestamp, valid_to timestamp
);
insert into rules_history values
    ('r1', 'Offer', 'signIn', 1, 'CHALLENGE', false, '2026-03-01', '2026-05-20'),
    ('r1', 'Offer', 'signIn', 1, 'CHALLENGE', true, '2026-05-20', null),
    ('r2', 'Block', 'signIn', 0, 'BLOCK', true, '2026-03-01', '2026-05-21');

create table value_lists_history (alias varchar, item_count bigint, valid_from timestamp, valid_to timestamp);
insert into value_lists_history values
    ('partners', 3, '2026-03-01', '2026-05-20'), ('partners', 2, '2026-05-20', '2026-05-21');
"""

ANSWERS = {
    "Which users existed a week before the last sync and are now deleted?": [("gone lately", "2026-05-29 00:00")],
    "Which users changed most often?": [("changed", 3)],
    "How many users were deleted each month?": [
        ("2026-04-01 00:00", 1),
        ("2026-05-01 00:00", 2),
    ],
    "How many passkeys were there at the end of each day?": [
        ("2026-03-01", 2),
        ("2026-03-02", 1),
        ("2026-03-03", 2),
    ],
    "Which authenticators were deleted, and how long were they in use?": [
        ("here", "SMS", "2026-02-01 00:00", "2026-03-02 08:00")
    ],
    "Which authenticators were deleted and then restored?": [("back again", 1)],
    "When was each verification method switched on or off?": [
        ("PASSKEY", True, "2026-05-20 00:00"),
        ("EMAIL_OTP", True, "2026-03-01 00:00"),
        ("PASSKEY", False, "2026-03-01 00:00"),
        ("SMS", True, "2026-03-01 00:00"),
    ],
    "Which verification methods were configured a month before the last sync?": [
        ("PASSKEY", False, True),
        ("SMS", True, True),
    ],
    "Which verification methods are no longer configured?": [
        ("SMS", "2026-05-21 00:00"),
        ("EMAIL_OTP", "2026-03-02 00:00"),
    ],
    "When was each rule changed?": [
        ("Offer", "signIn", "2026-05-20 00:00", None, True, 1, "CHALLENGE"),
        ("Block", "signIn", "2026-03-01 00:00", "2026-05-21 00:00", True, 0, "BLOCK"),
        ("Offer", "signIn", "2026-03-01 00:00", "2026-05-20 00:00", False, 1, "CHALLENGE"),
    ],
    "Which rules were active a week before the last read?": [("signIn", 1, "Offer", "CHALLENGE")],
    "Which rules were removed?": [("r2", "Block", "2026-05-21 00:00")],
    "How did the length of each value list change?": [
        ("partners", "2026-03-01 00:00", 3),
        ("partners", "2026-05-20 00:00", 2),
    ],
    "Which value lists became shorter?": [("partners", "2026-05-20 00:00", 3, 2)],
    "Which value lists were removed?": [("partners", "2026-05-21 00:00")],
}


@pytest.fixture
def past() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(PAST)
        yield connection


def written(value: object) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:%Y-%m-%d}" if isinstance(value, date) else value


def answers(past: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        question.text: [tuple(map(written, row)) for row in past.execute(question.sql).fetchall()]
        for table in HISTORIES
        if f"create table {table} " in PAST
        for question in questions(table)
    }


def test_history_questions_return_the_changes(past: duckdb.DuckDBPyConnection) -> None:
    assert answers(past) == ANSWERS
