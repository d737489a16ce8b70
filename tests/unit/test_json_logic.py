"""The operands of JsonLogic, and which of its constants are protected."""

from typing import Any

import pytest

from dlt_authsignal.source.rows.json_logic import MOST_OPERANDS, operands, protected

CUSTOM = {"var": "custom.manager"}
COUNTRY = {"var": "ip.countryCode"}


def shown(conditions: Any, *allowed: str) -> Any:
    """The conditions, with X for a constant that is protected as a whole."""
    return protected(conditions, lambda text: text.replace("bob@x.io", "E"), lambda _: "X", frozenset(allowed))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"==": [CUSTOM, "Bob"]}, {"==": [CUSTOM, "X"]}),
        ({"in": [CUSTOM, ["Bob", 7, None]]}, {"in": [CUSTOM, ["X", 7, None]]}),
        ({"==": [{"lower": [CUSTOM]}, "bob"]}, {"==": [{"lower": [CUSTOM]}, "X"]}),
        (
            {"and": [{"==": [CUSTOM, "Bob"]}, {"==": [COUNTRY, "US"]}]},
            {"and": [{"==": [CUSTOM, "X"]}, {"==": [COUNTRY, "US"]}]},
        ),
        ({"==": [{"var": ["custom.manager", "Bob"]}, "Eve"]}, {"==": [{"var": ["custom.manager", "X"]}, "X"]}),
        ({"==": [{"var": ["ip.countryCode", "bob@x.io"]}, "US"]}, {"==": [{"var": ["ip.countryCode", "E"]}, "US"]}),
        ({"bob@x.io": [COUNTRY]}, {"E": [COUNTRY]}),
        (None, None),
        (True, True),
        ("bob@x.io", "E"),
    ],
)
def test_constants_that_are_compared_with_a_data_point_are_protected(conditions: Any, expected: Any) -> None:
    assert shown(conditions) == expected


def test_an_allowed_data_point_keeps_its_constants() -> None:
    assert shown({"==": [CUSTOM, "Bob"]}, "manager") == {"==": [CUSTOM, "Bob"]}


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (
            {"==": [{"var": ["custom.plan", "free"]}, "pro"]},
            [("/==/0", "custom.plan"), ("/==/0/var/1", '"free"'), ("/==/1", '"pro"')],
        ),
        ({"a/b~c": [1]}, [("/a~1b~0c/0", "1")]),
        ({"if": [[], {}, "x"]}, [("/if/2", '"x"')]),
        (None, []),
        (True, []),
        ({}, []),
    ],
)
def test_each_operand_has_a_path(conditions: Any, expected: list[tuple[str, str]]) -> None:
    assert [(each.path, each.operand) for each in operands(conditions)] == expected


def test_the_operands_of_one_rule_are_bounded() -> None:
    assert len(list(operands({"in": [COUNTRY, list(range(2 * MOST_OPERANDS))]}))) == MOST_OPERANDS


def test_a_data_point_after_very_many_constants_protects_them() -> None:
    assert "Bob" not in str(shown({"in": [["Bob"] * (MOST_OPERANDS + 1), CUSTOM]}))


def test_deeply_nested_conditions_are_walked() -> None:
    conditions: Any = {"==": [CUSTOM, "Bob"]}
    for _ in range(100):
        conditions = {"!": [conditions]}
    assert "Bob" not in str(shown(conditions))
