"""Answers that are not what they were: every value is found again, and what is kept otherwise is told."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

import dlt
import pytest

from dlt_authsignal.api.responses import storable
from dlt_authsignal.destination.load_hints import hints
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.project.names import DATASET_NAME, PIPELINE_NAME
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.reserved_names import RESERVED_NAMES
from dlt_authsignal.schema.tables.server import USER_ACTIONS, USER_AUTHENTICATORS, USER_DEVICES, USERS
from dlt_authsignal.source.metrics.schema_drift import sentences
from dlt_authsignal.source.rows.column_names import MOST_UNDECLARED
from dlt_authsignal.source.rows.field_tree import FieldTree
from tests.helpers import ask, at, command, sync_from
from tests.tiers import deep_after, deep_except
from tests.unit.test_field_names import NAMES as FIELD_NAMES
from tests.unit.test_field_names import Case, field_of, spellings, told, without_our_own
from tests.unit.test_field_names import leaves as values_in
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

PER_USER = (USERS, USER_AUTHENTICATORS, USER_ACTIONS, USER_DEVICES)
ROUTES = {
    "users": "GET /users/{userId}",
    "user_authenticators": "GET /users/{userId}/authenticators",
    "user_actions": "GET /users/{userId}/actions",
    "user_devices": "GET /users/{userId}/devices",
}
KINDS: Mapping[str, Any] = {
    "text": "high",
    "whole": 7,
    "fraction": 1.5,
    "truth": True,
    "list": [1, "x", None],
    "object": {"deep": {"er": 0.5}, "name": "n"},
    "nothing": None,
}
CHANGING = {
    "users": ("email", "emailVerified", "createdAt", "custom", "fresh"),
    "user_authenticators": ("email", "isDefault", "createdAt", "fresh"),
    "user_actions": ("state", "createdAt", "updatedAt", "fresh"),
    "user_devices": ("lastVerificationMethod", "createdAt", "fresh"),
}
"""A column of each type that the table declares, and one that it does not."""


DESTINATIONS = ["duckdb", "rows", "postgres", "delta"]


@pytest.fixture(params=deep_after(1, DESTINATIONS))
def warehouse(request: pytest.FixtureRequest, workdir: Any, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found: Warehouse = DuckDB()
    if request.param == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    elif request.param in ("delta", "iceberg"):
        found = Lake(request.param, str(workdir / "lake"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    if request.param == "rows":
        begin_with_rows()
    return found


def begin_with_rows(destination: str = "duckdb") -> None:
    """Makes the tables as they are where rows are no Arrow tables."""

    @dlt.source(name="authsignal_source", max_table_nesting=0)
    def begun() -> Any:
        own = {"_row_hash": 16 * "0", "_api": "server", "_read_at": datetime.now(UTC)}
        return [dlt.resource([dict.fromkeys(table.key, "first") | own], **hints(table)) for table in PER_USER]

    dlt.pipeline(PIPELINE_NAME, destination=destination, dataset_name=DATASET_NAME).run(begun())


@pytest.fixture
def one(empty: RunningSandbox) -> RunningSandbox:
    """A tenant of one person."""
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now(), email="a@x"))
    return empty


def says(running: RunningSandbox, table: str, *items: Mapping[str, Any], raw: str | None = None) -> None:
    """The next answer about rows of that table."""
    body = raw or json.dumps(items[0] if table == "users" else items)
    running.sandbox.faults.add(Fault(route=ROUTES[table], kind="body", body=body))


def load(running: RunningSandbox, into: Warehouse, **arguments: Any) -> SyncReport:
    wanted = {"destination": into.destination, "tables": list(ROUTES), "full": True, "concurrency": 1}
    return sync_from(running, **wanted | arguments)


def records(into: Warehouse, table: str) -> list[dict[str, Any]]:
    """The rows of a table by column, nulls left out."""
    names = into.rows(
        f"select column_name from information_schema.columns where table_name = '{table}'"
        " and table_schema not like '%staging' order by ordinal_position"
    )
    return [
        {name: value for (name,), value in zip(names, row, strict=True) if value is not None}
        for row in into.rows(f"select * from {table}")
    ]


def leaves(
    item: Mapping[str, Any], whole: tuple[str, ...] = ("custom",), prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """(column, value) for each value of an answer; of objects that are taken apart, for each value in them."""
    for field, value in item.items():
        name = prefix + "".join(f"_{c.lower()}" if c.isupper() else c for c in field)
        if isinstance(value, dict) and name not in whole:
            yield from leaves(value, whole, f"{name}__")
        elif value is not None:
            yield name, value


def lost(row: Mapping[str, Any], item: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Values of an answer that no column of the row holds."""
    more = as_json(row.get("_more", "{}"))
    return [
        (name, value)
        for name, value in leaves(item)
        if not any(
            is_same(held, value)
            for column, held in [*row.items(), *more.items()]
            if column == name or column.startswith(f"{name}__v_")
        )
    ]


def is_same(held: Any, value: Any) -> bool:
    if isinstance(held, datetime):
        return isinstance(value, str) and utc(datetime.fromisoformat(value)) == utc(held)
    if isinstance(held, str) and not isinstance(value, str):
        return held == (str(value).lower() if isinstance(value, bool) else str(value)) or as_json(held) == value
    return bool(held == value or as_json(held) == value) and isinstance(held, bool) == isinstance(value, bool)


def utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def as_json(held: Any) -> Any:
    try:
        return json.loads(held) if isinstance(held, str) else held
    except ValueError:
        return None


def keyed(table: Table, item: Mapping[str, Any], place: int) -> dict[str, Any]:
    """The item with a key, and a mark by which its row is found."""
    keys = {
        "deviceId": f"d{place}",
        "userAuthenticatorId": f"a{place}",
        "actionCode": "x",
        "idempotencyKey": f"k{place}",
    }
    named = (
        {"mark": place} if table is USERS else {name: key for name, key in keys.items() if column_of(name) in table.key}
    )
    return {**item, **named}


def column_of(field: str) -> str:
    return next(leaves({field: 1}))[0]


def row_of(rows: list[dict[str, Any]], item: Mapping[str, Any], table: Table) -> dict[str, Any]:
    name, value = list(leaves(item))[-1]
    (found,) = [row for row in rows if row.get(name) == value]
    return found


def rotated(table: str, shift: int) -> list[dict[str, Any]]:
    """One item for each kind; no two have one kind in one field."""
    values = list(KINDS.values())
    fields = CHANGING[table]
    return [
        {field: values[(place + other + shift) % len(values)] for other, field in enumerate(fields)}
        for place in range(len(values))
    ]


def _where_types_change() -> Iterator[Any]:
    """Every table in DuckDB; elsewhere one that is an object in the answer, and one that is a list. The code for the
    others is the same: make test-destinations has them."""
    for destination in DESTINATIONS:
        for table in PER_USER:
            marks = [] if (destination, table) == ("duckdb", USER_DEVICES) else [pytest.mark.deep]
            if destination != "duckdb" and table not in (USERS, USER_DEVICES):
                marks = [pytest.mark.slow]
            yield pytest.param(destination, table, marks=marks, id=f"{destination}-{table.name}")


@pytest.mark.parametrize(("warehouse", "table"), list(_where_types_change()), indirect=["warehouse"])
def test_every_type_can_change_into_every_other_within_a_batch_and_between_syncs(
    empty: RunningSandbox, warehouse: Warehouse, table: Table
) -> None:
    for place in range(len(KINDS)):
        empty.sandbox.store.put_user(User(user_id=f"u{place}", created_at=empty.sandbox.clock.now(), email="a@x"))
    constant = [{f"was{kind.title()}": value for kind, value in KINDS.items()}] * len(KINDS)
    turned = [{f"was{kind.title()}": value for kind in KINDS} for value in KINDS.values()]
    for shift, more in ((0, constant), (1, turned)):
        items = [
            keyed(table, {**item, **extra}, place)
            for place, (item, extra) in enumerate(zip(rotated(table.name, shift), more, strict=True))
        ]
        for item in items:
            if table is USERS:
                says(empty, table.name, item)
        if table is not USERS:
            says(empty, table.name, *items)
        report = load(empty, warehouse, tables=[table.name])
        rows = records(warehouse, table.name)
        for item in items:
            assert lost(row_of(rows, item, table), item) == []
    assert report.drift[table.name]["converted"]


DATES = [
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-01-02T03:04:05.123456789Z",
    "2026-01-02T03:04:05+05:45",
    "2026-01-02",
    "2026-W01-1",
    "soon",
    "",
    1767323045,
    1767323045000,
    1767323045.5,
]


def test_dates_outside_the_calendar_are_stored_unchanged(one: RunningSandbox, warehouse: Warehouse) -> None:
    items = [keyed(USER_DEVICES, {"createdAt": date, "seenAt": date}, place) for place, date in enumerate(DATES)]
    says(one, "user_devices", *items)
    load(one, warehouse, tables=["user_devices"])
    rows = records(warehouse, "user_devices")
    for item in items:
        assert lost(row_of(rows, item, USER_DEVICES), item) == []


@pytest.mark.deep
def test_an_action_of_the_year_9999_does_not_hide_later_actions(one: RunningSandbox) -> None:
    action = {"actionCode": "x", "idempotencyKey": "k", "state": {"odd": 1}, "createdAt": "9999-12-31T23:59:59.999Z"}
    says(one, "user_actions", action)
    load(one, DuckDB())
    assert ask(one, "POST", "/users/u1/actions/signIn", {"idempotencyKey": "later"})[0] == 200
    load(one, DuckDB(), full=False, refresh_users=["u1"])
    assert {row["idempotency_key"] for row in records(DuckDB(), "user_actions")} == {"k", "later"}


ODD_NUMBERS = '{"deviceId": "d0", "huge": %s, "low": -9223372036854775809, "far": 1e999, "nan": NaN, "less": -Infinity}'


def test_numbers_that_no_column_can_store_become_text(one: RunningSandbox, warehouse: Warehouse) -> None:
    says(one, "user_devices", raw=f"[{ODD_NUMBERS % 2**80}]")
    report = load(one, warehouse, tables=["user_devices"])
    (row,) = [row for row in records(warehouse, "user_devices") if row["device_id"] == "d0"]
    found = {name: row[name] for name in ("huge", "low", "far", "nan", "less")}
    assert found == {"huge": str(2**80), "low": str(-(2**63) - 1), "far": "inf", "nan": "nan", "less": "-inf"}
    assert {each["came_as"] for each in report.drift["user_devices"]["converted"]} == {
        "a number beyond 64 bits",
        "a number that is not finite",
    }


@pytest.mark.deep
def test_fields_beyond_the_column_limit_are_stored_in_one_column(one: RunningSandbox, warehouse: Warehouse) -> None:
    wide = {f"field{number}": f"value {number}" for number in range(2000)}
    deep = {"nested": {f"inner{number}": number for number in range(50)}, "big": 2**70}
    for place in range(2):  # the second run finds the first one's columns taken
        item = keyed(USER_DEVICES, {**wide, **deep}, place)
        says(one, "user_devices", item)
        report = load(one, warehouse, tables=["user_devices"])
        assert lost(row_of(records(warehouse, "user_devices"), item, USER_DEVICES), item) == []
        drift = report.drift["user_devices"]
        assert len(drift["new_columns"]) == (0 if place else MOST_UNDECLARED)
        assert drift["other_values_in_more"] == 2000 + 51 - MOST_UNDECLARED - len(drift["overflow"])
    assert report.tables["user_devices"].changed == 0


@pytest.mark.deep
def test_a_change_in_the_overflow_column_counts_as_a_change(one: RunningSandbox) -> None:
    for value, expected in (("a", (1, 0)), ("a", (0, 0)), ("b", (0, 1))):
        wide = {f"field{number}": value for number in range(MOST_UNDECLARED + 1)}
        says(one, "user_devices", {"deviceId": "d1", **dict.fromkeys(wide, "same"), "field200": value})
        counts = load(one, DuckDB(), tables=["user_devices"]).tables["user_devices"]
        assert (counts.new, counts.changed) == expected


def test_very_large_custom_data_stays_one_json_column(one: RunningSandbox, warehouse: Warehouse) -> None:
    deep: Any = 0.5
    for _ in range(100):
        deep = {"d": [deep]}
    custom = {
        "large": "x" * 1_000_000,
        "many": list(range(100_000)),
        "deep": deep,
        **{f"key {number}": number for number in range(10_000)},
    }
    says(one, "users", {"custom": custom, "mark": 1})
    load(one, warehouse, tables=["users"])
    row = row_of(records(warehouse, "users"), {"mark": 1}, USERS)
    assert as_json(row["custom"]) == custom


@pytest.mark.deep
def test_an_unknown_object_can_be_nested_a_hundred_levels_deep(one: RunningSandbox, warehouse: Warehouse) -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = {"level": deep}
    says(one, "user_devices", {"deviceId": "d1", "deep": deep})
    load(one, warehouse, tables=["user_devices"])
    (row,) = [row for row in records(warehouse, "user_devices") if row["device_id"] == "d1"]
    assert "bottom" in row.values()


NAMES = {
    "risk": "lower",
    "Risk": "upper",
    "RISK": "all upper",
    "ri_sk": "broken",
    "riSk": "humped",
    "größe": "umlaut",
    "漢字": "han",
    "😀": "smile",
    "nul\x00name": "NUL",
    "select": "reserved",
    'quo"te': "quoted",
    "_more": "ours",
    "_row_hash": "ours too",
    "deletedAt": "ours as well",
    "validFrom": "the history's",
    "risk__v_text": "like one beside",
    " ": "blank",
    "1st": "digit",
    "x" * 300: "long",
    "x" * 299 + "y": "long, and alike",
    "device_id": "a twin of the key",
    "userID": "a twin of the user's id",
    "user_ID": "another one",
    "_dlt_id": "dlt's",
    "_dlt_load_id": "dlt's too",
    "a__b": "like one of an object",
    **{name: f"the destination's {name}" for name in sorted(RESERVED_NAMES)},
    **{name: f"BigQuery's {name}" for name in ("_TABLE_SUFFIX", "_PARTITIONTIME", "__ROOT__")},
    **{name: f"a merge's {name}" for name in ("source", "target", "ended", "valid")},
}


@pytest.mark.parametrize("warehouse", deep_except(["duckdb", "postgres"], [*DESTINATIONS, "iceberg"]), indirect=True)
def test_each_unusual_field_name_has_one_column_in_every_row_run_and_destination(
    one: RunningSandbox, warehouse: Warehouse
) -> None:
    top = FieldTree(USER_DEVICES).top
    expected = {top[storable(name)].column: value for name, value in NAMES.items()} | {"a__b": "of an object"}
    for place in range(2):  # the second run finds the columns, and the fields in another order
        items = [{"deviceId": "d1", "a": {"b": "of an object"}, **NAMES}]
        items.append({**dict(reversed(items[0].items())), "deviceId": "d2"})
        says(one, "user_devices", *items[:: -1 if place else 1])
        report = load(one, warehouse, tables=["user_devices"])
        rows = [row for row in records(warehouse, "user_devices") if row["device_id"] in ("d1", "d2")]
        for row in rows:
            ours = {"device_id", "user_id", "_api", "_read_at", "_row_hash", "_dlt_id", "_dlt_load_id"}
            assert {name: value for name, value in row.items() if name not in ours} == expected
        assert len(rows) == 2
    assert report.tables["user_devices"].changed == 0


def random_item(table: Table, place: int, number: Iterator[int], chance: random.Random) -> dict[str, Any]:
    """An item with fields that collide with each other, with declared ones and with reserved names."""
    twins = [each for column in table.columns if column.field for each in spellings(column.field.split(".")[0])]

    def tree(depth: int) -> Any:
        if depth and chance.random() < 0.3:
            return {name: tree(depth - 1) for name in chance.sample([*FIELD_NAMES, *twins], 3)}
        value = next(number)
        return chance.choice([f"v{value}", value, value + 0.5, [f"v{value}"]])

    names = [*chance.sample(FIELD_NAMES, 12), *chance.sample([each for each in twins if each != "userId"], 6)]
    return keyed(table, {name: tree(2) for name in names}, place)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("warehouse", "seed"),
    [
        pytest.param(destination, seed, marks=pytest.mark.slow)
        if seed and destination != "duckdb"
        else (destination, seed)
        for destination in DESTINATIONS
        for seed in range(3)
    ],
    indirect=["warehouse"],
)
def test_random_field_names_lose_no_value_in_a_database_and_their_order_changes_no_row(
    one: RunningSandbox, warehouse: Warehouse, seed: int
) -> None:
    chance, number = random.Random(seed), count(1)
    items = {
        table: [random_item(table, place, number, chance) for place in range(3)]
        for table in PER_USER
        if table is not USERS
    }
    for is_reversed in (False, True):
        for table, each in items.items():
            says(one, table.name, *[dict(reversed(item.items())) if is_reversed else item for item in each])
        report = load(one, warehouse, tables=[table.name for table in items])
    for table, each in items.items():
        assert report.tables[table.name].changed == 0
        rows = {tuple(row[name] for name in table.key): row for row in records(warehouse, table.name)}
        for item in each:
            case = Case({name: storable(value) for name, value in item.items()}, {"user_id": "u1"})
            key = tuple(case.keys.get(name, item.get(field_of(table, name))) for name in table.key)
            cells = without_our_own(rows[key], case, table)
            assert Counter(map(told, cells.values())) == Counter(told(value) for _, value in values_in(item, table))


TEXTS = [
    "",
    " ",
    "\\N",
    "NULL",
    "null",
    '""',
    "\\.",
    "a,b",
    'quo"te',
    "two\nlines",
    "\r\n",
    "\\",
    "\t",
    "'",
    "x ",
    "{}",
    "[]",
]
VALUES: list[Any] = [{}, [], {"a": ""}, [""], [None], {"a": {}}, [{}], ["\\N"]]


@pytest.mark.parametrize("warehouse", deep_except(["duckdb", "postgres"], [*DESTINATIONS, "iceberg"]), indirect=True)
def test_empty_text_and_empty_objects_are_stored_in_the_same_way_in_every_destination(
    one: RunningSandbox, warehouse: Warehouse
) -> None:
    items: list[dict[str, Any]] = [
        {"deviceId": f"t{place}", "note": text, "lastVerificationMethod": text} for place, text in enumerate(TEXTS)
    ]
    items += [{"deviceId": f"v{place}", "held": value} for place, value in enumerate(VALUES)]
    says(one, "user_devices", *items, {"deviceId": "nothing", "note": None})
    load(one, warehouse, tables=["user_devices"])
    rows = {row["device_id"]: row for row in records(warehouse, "user_devices")}
    for place, text in enumerate(TEXTS):
        assert (rows[f"t{place}"]["note"], rows[f"t{place}"]["last_verification_method"]) == (text, text)
    for place, value in enumerate(VALUES):
        held = {name: each for name, each in rows[f"v{place}"].items() if name.startswith("held")}
        inner = value["a"] if isinstance(value, dict) and value else value
        assert [each if each == "" or not isinstance(each, str) else as_json(each) for each in held.values()] == [inner]
    assert "note" not in rows["nothing"]


@pytest.mark.deep
def test_unknown_enum_values_are_loaded(one: RunningSandbox, warehouse: Warehouse) -> None:
    says(one, "user_actions", {"actionCode": "x", "idempotencyKey": "k", "state": "TELEPORTED", "newMethod": "SCENT"})
    report = load(one, warehouse, tables=["user_actions"])
    (row,) = [row for row in records(warehouse, "user_actions") if row["action_code"] == "x"]
    assert (row["state"], row["new_method"]) == ("TELEPORTED", "SCENT")
    assert report.drift == {
        "user_actions": {
            "new_columns": ["new_method"],
            "converted": [],
            "overflow": {},
            "other_values_in_more": 0,
            "escaped_answers": 0,
            "left_out": {},
            "hashed": [],
            "hashed_after_plain": [],
            "filtered": [],
            "suspected_secrets": [],
        }
    }


@pytest.mark.deep
def test_an_unknown_list_stays_in_its_column_sync_after_sync(one: RunningSandbox, warehouse: Warehouse) -> None:
    for _ in range(4):
        says(one, "users", {"userId": "u1", "fresh": [1, "x"]})
        report = load(one, warehouse, tables=["users"])
    (row,) = [row for row in records(warehouse, "users") if row["user_id"] == "u1"]
    found = row["fresh"]
    assert (json.loads(found) if isinstance(found, str) else found) == [1, "x"]
    assert [name for name in row if name.startswith("fresh")] == ["fresh"]
    assert (report.tables["users"].changed, report.drift) == (0, {})


@pytest.mark.deep
def test_missing_fields_keep_their_columns(one: RunningSandbox, warehouse: Warehouse) -> None:
    says(one, "user_devices", {"deviceId": "d1", "fresh": 1}, {"deviceId": "d2", "fresh": 2})
    load(one, warehouse, tables=["user_devices"])
    says(one, "user_devices", {"deviceId": "d1"})
    load(one, warehouse, tables=["user_devices"])
    held = {row["device_id"]: row.get("fresh") for row in records(warehouse, "user_devices")}
    assert (held["d1"], held["d2"]) == (None, 2)


def test_the_command_reports_schema_drift_and_never_a_value(one: RunningSandbox) -> None:
    says(one, "user_devices", {"deviceId": "d1", "createdAt": "CANARY", "tier": "CANARY"})
    done = command("sync", env=at(one))
    assert "New columns: user_devices.tier." in done.stdout
    assert (
        "user_devices.created_at arrived as text that is not a valid time 1 time: stored in created_at__v_text."
        in done.stdout
    )
    assert "CANARY" not in done.stdout + done.stderr
    ((told,),) = DuckDB().rows("select drift from sync_runs")
    assert json.loads(told)["user_devices"]["new_columns"] == ["tier"]


def test_text_that_no_database_accepts_is_stored_as_escapes_and_reported(
    one: RunningSandbox, warehouse: Warehouse
) -> None:
    says(one, "user_devices", raw=r'[{"deviceId": "d1", "note": "a\u0000b", "pair": "\ud83d\ude00", "half": "\ud800"}]')
    report = load(one, warehouse, tables=["user_devices"])
    (row,) = (row for row in records(warehouse, "user_devices") if row["device_id"] == "d1")
    assert (row["note"], row["pair"], row["half"]) == (r"a\u0000b", "\U0001f600", r"\ud800")
    assert report.drift["user_devices"]["escaped_answers"] == 1
    assert any("stored as escapes" in line for line in sentences(report.drift))
