"""Columns of fields whose names collide: with each other, with declared fields, the request's keys, our columns and
reserved names. On the Arrow and on the row path, every value is found, and a column belongs to one spelling."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.reserved_names import LONGEST_NAME, RESERVED_NAMES
from dlt_authsignal.schema.secret_fields import is_suspicious, is_withheld
from dlt_authsignal.schema.sensitivity import is_free_form
from dlt_authsignal.schema.tables.server import PROVENANCE_NAMES, TABLES
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import KEEP, Privacy, StoredId
from dlt_authsignal.source.rows import field_tree
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.column_names import MOST_UNDECLARED
from dlt_authsignal.source.rows.column_types import ARROW
from dlt_authsignal.source.rows.field_tree import FieldTree, variant_of
from dlt_authsignal.source.rows.flatten import Answers, is_by_person
from dlt_authsignal.source.rows.row_builder import Placer
from dlt_authsignal.source.rows.snake_case import snake_case
from tests.tiers import deep_except

READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
VARIANT: Final = re.compile("__v_(text|timestamp|bool|bigint|double|json)$")
PATHS: Final[Mapping[str, Any]] = {"arrow": Shaper, "rows": Placer}
READ = [name for name, table in TABLES.items() if not table.source.startswith("POST")]
KEYS: Final = {
    "users": ("user_id",),
    "user_authenticators": ("user_id",),
    "user_actions": ("user_id",),
    "user_devices": ("user_id",),
    "action_details": ("user_id", "action_code", "idempotency_key"),
    "unknown_user_ids": ("user_id", "id_source", "position"),
}
"""Columns that the request fills in."""

NAMES: Final = (
    "risk",
    "Risk",
    "RISK",
    "ri_sk",
    "riSk",
    "risk ",
    "riskScore",
    "risk_score",
    "RiskScore",
    "risk-score",
    "risk__score",
    "risk.score",
    "größe",
    "grösse",
    "漢字",
    "😀",
    "",
    " ",
    "1st",
    "_",
    "__",
    "a__b",
    "a",
    "b",
    "A",
    "x" * 62,
    "x" * 64,
    "x" * 300,
    "x" * 299 + "y",
    "risk__v_text",
    "vText",
    "v_text",
    "x12345678",
    "risk__x12345678",
    "_dlt_id",
    "_dlt_load_id",
    "dltId",
    "_more",
    "more",
    "_api",
    "api",
    "apiApi",
    "_read_at",
    "readAt",
    "_row_hash",
    "rowHash",
    "deletedAt",
    "deleted_at",
    "validFrom",
    "valid_to",
    "tenantId",
    "tenant_id",
    "tenantID",
    "emailDomain",
    "email_domain",
    "idSource",
    "position",
    "ctid",
    "CTID",
    "xmin",
    "Xmax",
    "tableoid",
    "oid",
    "rowid",
    "select",
    "currentDate",
    "current_date",
    "when",
    "filename",
    "_PARTITIONTIME",
    "_TABLE_SUFFIX",
    "_file",
    "__ROOT__x",
    "accessToken",
    "svgIconLight",
)


class Case(NamedTuple):
    """One response object with its request's keys, and the values in it by path."""

    item: dict[str, Any]
    keys: dict[str, Any]


def spellings(field: str) -> Iterator[str]:
    """A field's name as others may spell it."""
    snake = re.sub(r"([A-Z])", r"_\1", field).lower()
    yield from (field, snake, field.upper(), field.capitalize(), f"{field}_", snake.replace("_", "-"), f" {field}")
    yield re.sub("Id$", "ID", field)


def looks_secret(name: str) -> bool:
    return is_suspicious(name) or is_suspicious(snake_case(name))


def names_of(table: Table) -> st.SearchStrategy[str]:
    fields = {column.field.split(".")[0] for column in table.columns if column.field}
    # a twin of a declared field may be named like a secret, and is then not loaded
    twins = [twin for field in sorted(fields) for twin in spellings(field) if twin == field or not looks_secret(twin)]
    plain = st.text(max_size=3).filter(lambda name: not (is_by_person({name: 1}) or looks_secret(name)))
    return st.one_of(st.sampled_from(twins), st.sampled_from(NAMES), plain)


def trees(table: Table) -> st.SearchStrategy[Any]:
    """Objects with such names; the leaves are numbered later, so that each value is there once."""
    leaf = st.sampled_from(["text", "text", "whole", "fraction", "list", "empty", "nothing"])
    names = names_of(table)
    return st.dictionaries(
        names, st.recursive(leaf, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=4), max_size=6
    )


def filled(tree: Any, number: Iterator[int]) -> Any:
    if isinstance(tree, dict):
        return {name: filled(inner, number) for name, inner in tree.items()}
    value = next(number)
    return {
        "text": f"v{value}",
        "whole": value,
        "fraction": value + 0.5,
        "list": [f"v{value}", {"in": value}],
        "empty": {},
        "nothing": None,
    }[tree]


def cases(table: Table) -> st.SearchStrategy[list[Case]]:
    return st.tuples(st.lists(trees(table), min_size=1, max_size=3), st.randoms(use_true_random=False)).map(
        lambda drawn: [case(table, tree, place, drawn[1]) for place, tree in enumerate(drawn[0])]
    )


def case(table: Table, tree: dict[str, Any], place: int, shuffle: random.Random) -> Case:
    injected = KEYS.get(table.name, ())
    keys: dict[str, Any] = {name: -1 - place if name == "position" else f"key{place}" for name in injected}
    item = filled(tree, count(1000 * place + 1))
    fields = {column.name: column.field for column in table.columns}
    item |= {fields.get(name) or "tenantId": f"key{place}" for name in table.key if name not in injected}
    shuffled = list(item.items())
    shuffle.shuffle(shuffled)
    return Case(dict(shuffled), keys)


def leaves(item: Mapping[str, Any], table: Table, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) of each value that must be stored."""
    whole = {"custom", "output"} | {column.name for column in table.columns if column.type == "json"}
    parents = {
        tuple((column.field or "").split(".")[:end]) for column in table.columns for end in (1, 2, 3) if column.field
    } - {tuple(column.field.split(".")) for column in table.columns if column.field}
    for name, value in item.items():
        here = (*path, name)
        plain = "__".join(map(snake_case, here))
        if value is None or is_withheld(name):
            continue
        if isinstance(value, dict) and value and plain not in whole and not is_free_form(name):
            yield from leaves(value, table, here)
        elif value != {} or here not in parents:
            yield here, without_secrets(value) if name != "custom" else value


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_secrets(inner) for name, inner in value.items() if not is_withheld(name)}
    return [without_secrets(each) for each in value] if isinstance(value, list) else value


def secrets(item: Any, *, own: bool = False) -> int:
    """How many values are never loaded."""
    if isinstance(item, list):
        return sum(secrets(each, own=own) for each in item)
    if not isinstance(item, dict):
        return 0
    found = 0
    for name, value in item.items():
        if is_withheld(name) and not own:
            found += value is not None
        else:
            found += secrets(value, own=own or name == "custom")
    return found


def told(value: Any) -> str:
    """A value, as it can be compared with that of a table."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, list | dict):
        return json.dumps(value, sort_keys=True)
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def rows_of(made: Any) -> list[dict[str, Any]]:
    rows = made if isinstance(made, list) else made.to_pylist()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def load(way: str, table: Table, held: list[Case], drift: TableDrift, privacy: Privacy = KEEP) -> list[dict[str, Any]]:
    shape = PATHS[way](table, api="server", tenant_id="ours", privacy=privacy, drift=drift)
    keys = {name: [each.keys[name] for each in held] for name in KEYS.get(table.name, ())}
    answers = Answers(
        items=[each.item for each in held], requests=list(range(len(held))), read_at=[READ_AT] * len(held), keys=keys
    )
    return rows_of(shape(answers))


def without_our_own(row: Mapping[str, Any], held: Case, table: Table) -> dict[str, Any]:
    """The cells that came from Authsignal."""
    repeated = {name for name in held.keys if held.item.get(field_of(table, name)) != held.keys[name]}
    ours = {*(PROVENANCE_NAMES - {"tenant_id"}), "_dlt_id", "_dlt_load_id", *repeated}
    derived = {column.name for column in table.columns if column.field is None} - held.keys.keys()
    no_tenant = held.item.get("tenantId") in (None, "") or isinstance(held.item["tenantId"], list | dict)
    ours |= derived | ({"tenant_id"} if no_tenant else set())
    return {name: value for name, value in row.items() if name not in ours}


def field_of(table: Table, name: str) -> str:
    """The field of a declared column."""
    return next((column.field or "" for column in table.columns if column.name == name), "")


SEEN: Final[dict[tuple[str, tuple[str, ...]], str]] = {}
"""The column of each spelling in each table, over all examples and both ways."""

VARIANTS: Final[dict[tuple[str, tuple[str, ...], str], str]] = {}
"""The same for the columns of values of another type. A long name is shorter there, so that the type fits."""


def assert_is_of_field(column: str, table: str, path: tuple[str, ...]) -> None:
    """It is the column that this field had before."""
    kind = VARIANT.search(column)
    if kind is None:
        assert SEEN.setdefault((table, path), column) == column
        return
    assert VARIANTS.setdefault((table, path, kind[1]), column) == column
    if (table, path) in SEEN:
        assert column == variant_of(SEEN[table, path], kind[1])


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("field", [" custom", "Custom", "custom_"])
def test_secrets_are_removed_from_a_field_whose_name_only_resembles_custom(field: str, way: str) -> None:
    drift = TableDrift()
    held = [Case({field: {"accessToken": "v1", "plan": "gold"}}, {"user_id": "key0"})]
    (row,) = load(way, TABLES["users"], held, drift)
    assert drift.withheld == 1
    assert "gold" in str(row)
    assert "v1" not in str(row)


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("name", deep_except(["user_actions", "users", "user_devices"], READ))
@given(data=st.data())
def test_fields_of_any_spelling_keep_their_values_and_keys_and_one_column_each(
    name: str, way: str, data: st.DataObject
) -> None:
    table = TABLES[name]
    held = data.draw(cases(table))
    drift = TableDrift()
    for row, each in zip(load(way, table, held, drift), held, strict=True):
        for key in table.key:
            assert row[key] == each.keys.get(key, each.item.get(field_of(table, key) or "tenantId"))
        cells = without_our_own(row, each, table)
        expected = dict(leaves(each.item, table))
        assert Counter(map(told, cells.values())) == Counter(map(told, expected.values()))
        columns = {told(value): column for column, value in cells.items()}
        for path, value in expected.items():
            if path == ("tenantId",) and isinstance(value, list | dict):
                continue  # no tenant id: it is put aside
            if told(value) not in ("{}", each.keys.get("user_id"), *(f"key{place}" for place in range(3))):
                assert_is_of_field(columns[told(value)], name, path)
    assert drift.withheld == sum(secrets(each.item) for each in held)
    owners: dict[str, tuple[str, ...]] = {}
    found = [*SEEN.items(), *((key[:2], column) for key, column in VARIANTS.items())]
    for (place, path), column in found:
        assert place != name or owners.setdefault(column, path) == path, "two spellings share a column"


@given(st.lists(st.sampled_from(NAMES) | st.text(max_size=4), min_size=1, max_size=3))
def test_no_destination_reserves_or_changes_the_column_of_an_undeclared_field(path: list[str]) -> None:
    for table in TABLES.values():
        field = FieldTree(table).top
        for name in path:
            field = field[name]
        column = field.column
        if path == ["tenantId"] or column in {each.name for each in table.columns if each.field}:
            continue
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column)
        assert len(variant_of(column, "timestamp")) <= LONGEST_NAME
        assert column not in RESERVED_NAMES | PROVENANCE_NAMES | {each.name for each in table.columns}
        for naming in (NamingConvention(), NamingConvention(LONGEST_NAME)):
            assert naming.normalize_path(column) == column
            assert naming.normalize_path(variant_of(column, "json")) == variant_of(column, "json")


SPELLINGS = st.text(st.sampled_from("aZz09_-+*@| .éß²٣Ǆ")) | st.text()


@given(SPELLINGS)
def test_the_name_of_a_field_is_the_one_that_dlt_gives_it(field: str) -> None:
    assert snake_case(field) == (NamingConvention().normalize_identifier(field) if field.strip() else "_empty")


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_twin_of_the_idempotency_key_does_not_become_the_key(way: str, is_first: bool) -> None:
    twins = {"idempotency_key": "TWIN", "IdempotencyKey": "OTHER"}
    items = [{"idempotencyKey": f"k{place}", "actionCode": "a"} for place in range(2)]
    held = [Case({**twins, **item} if is_first else {**item, **twins}, {"user_id": "u"}) for item in items]
    found = load(way, TABLES["user_actions"], held, TableDrift())
    assert [row["idempotency_key"] for row in found] == ["k0", "k1"]
    assert all({"TWIN", "OTHER"} <= set(map(str, row.values())) for row in found)


@pytest.mark.parametrize("way", PATHS)
@pytest.mark.parametrize("given_id", ["U", 5, ["u"], True, ""])
def test_a_user_id_of_a_response_that_is_not_the_requested_one_is_kept_and_reported(way: str, given_id: Any) -> None:
    drift = TableDrift()
    item = {"deviceId": "d", "userID": "1", "user_ID": "2", "userId": given_id}
    (row,) = load(way, TABLES["user_devices"], [Case(item, {"user_id": "u"})], drift)
    assert row["user_id"] == "u"
    assert {"1", "2", told(given_id)} <= {told(value) for name, value in row.items() if name != "user_id"}
    assert [(each.column, each.came_as) for each in drift.converted] == [
        ("user_id", "a value other than the requested one")
    ]


def test_the_spelling_of_the_api_has_the_plain_name_and_every_other_spelling_a_mark() -> None:
    top = FieldTree(TABLES["user_devices"]).top
    assert top["riskScore"].column == "risk_score"
    assert top["riskScore"]["deep"].column == "risk_score__deep"
    assert top["deviceId"].column == "device_id"
    marks = [top[name].column for name in ("risk_score", "RiskScore", "risk-score", "device_id", "ctid", "deletedAt")]
    assert all(re.fullmatch(r"[a-z_]+__x[0-9a-f]{8}", column) for column in marks)
    assert marks[0] == "risk_score__x945cddf1", "a mark never changes: columns of earlier syncs depend on it"


@pytest.mark.parametrize("way", PATHS)
def test_a_column_does_not_depend_on_how_many_fields_there_were(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_tree, "MOST_KNOWN", 3)
    shape = PATHS[way](TABLES["user_devices"], api="server", tenant_id=None, privacy=Privacy(key="k" * 64))
    columns = set()
    for place in range(9):
        item = {"deviceId": str(place), "Risk": 1, f"f{place}": 1}
        answers = Answers(items=[item], requests=[0], read_at=[READ_AT], keys={"user_id": ["u"]})
        (row,) = rows_of(shape(answers))
        columns |= {name for name in row if name.startswith("risk")}
    assert columns == {FieldTree(TABLES["user_devices"]).top["Risk"].column}


@pytest.mark.parametrize("way", PATHS)
def test_two_fields_with_equal_marks_lose_no_value(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_tree, "marked", lambda name, _: f"{name[:20]}__x00000000")
    item = {"deviceId": "d", "RISK": "1", "Risk": "2", "risk ": "3"}
    (row,) = load(way, TABLES["user_devices"], [Case(item, {"user_id": "u"})], TableDrift())
    assert {"1", "2", "3"} <= set(map(str, row.values()))


@pytest.mark.parametrize("way", PATHS)
def test_colliding_fields_beyond_the_column_limit_are_all_in_one_column(way: str) -> None:
    names = [f"field{place}" for place in range(MOST_UNDECLARED)] + ["Risk", "risk", "RISK", "ctid"]
    drift = TableDrift()
    item = {"deviceId": "d", **{name: name for name in names}}
    (row,) = load(way, TABLES["user_devices"], [Case(item, {"user_id": "u"})], drift)
    more = json.loads(row["_more"]) if isinstance(row["_more"], str) else row["_more"]
    assert sorted(more.values()) == ["RISK", "Risk", "ctid", "risk"]
    assert drift.without_column.total() == 4


@pytest.mark.parametrize("way", PATHS)
def test_a_column_of_an_earlier_sync_keeps_its_field(way: str) -> None:
    stored = {"risk": "bigint", FieldTree(TABLES["user_devices"]).top["Risk"].column: "text"}
    shape = PATHS[way](TABLES["user_devices"], api="server", tenant_id=None, privacy=KEEP, stored=stored)
    items: list[Mapping[str, Any]] = [{"deviceId": "d", "Risk": "upper"}, {"deviceId": "e", "Risk": "x", "risk": 3}]
    found = rows_of(shape(Answers(items=items, requests=[0, 0], read_at=[READ_AT], keys={"user_id": ["u"]})))
    upper = next(name for name in stored if name != "risk")
    assert [(row.get("risk"), row[upper]) for row in found] == [(None, "upper"), (3, "x")]


@pytest.mark.parametrize("way", PATHS)
def test_a_field_that_resembles_an_identifier_is_protected_like_it(way: str) -> None:
    person = "canary@example.com"
    item = {"userId": "u", "Email": person, "USERNAME": "canary", "custom ": {"who": "canary"}, "State": person}
    long = {"contact" * 9: {"email" + "x" * 50: person, "workEmail": "canary"}}
    (row,) = load(way, TABLES["users"], [Case(item | long, {"user_id": "u"})], TableDrift(), Privacy(key="k" * 64))
    assert "canary" not in str(row)


@pytest.mark.parametrize("way", PATHS)
def test_an_empty_object_is_a_value_unless_its_parts_are_declared(way: str) -> None:
    item = {"userAuthenticatorId": "a", "fresh": {}, "webauthnCredential": {"parsedUserAgent": {}, "more": {}}}
    (row,) = load(way, TABLES["user_authenticators"], [Case(item, {"user_id": "u"})], TableDrift())
    empty = {name for name, value in row.items() if told(value) == "{}"}
    assert empty == {"fresh", "webauthn_credential__more"}


def test_every_type_of_column_has_a_variant_that_fits_in_every_destination() -> None:
    for kind in ARROW:
        for length in (10, 40, 52, 63):
            assert len(variant_of("c" * length, kind)) <= LONGEST_NAME
            assert field_tree.is_variant(variant_of("c" * length, kind))


@pytest.mark.parametrize("way", PATHS)
def test_a_user_id_that_is_stored_already_is_the_one_that_a_response_repeats(way: str) -> None:
    held = [Case({"deviceId": "d", "userId": "u"}, {"user_id": StoredId("u")})]
    (row,) = load(way, TABLES["user_devices"], held, drift := TableDrift())
    assert [name for name, value in row.items() if value == "u"] == ["user_id"]
    assert not drift.converted


@pytest.mark.deep
def test_names_of_very_many_fields_are_forgotten() -> None:
    tree = field_tree.FieldTree(TABLES["users"])
    for number in range(field_tree.MOST_KNOWN + 1):
        tree.top[f"field{number}"]
    tree.forget()
    assert snake_case.cache_info().currsize < field_tree.MOST_KNOWN
    assert tree.known == 0
    assert tree.top["riskScore"].column == "risk_score"
