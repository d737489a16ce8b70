"""Flatten the JsonLogic conditions of rules to one row per operand, and protect the constants in them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

MOST_OPERANDS: Final = 10_000
"""Operands that are flattened of one rule. The rule itself always has all of its conditions."""

_VARIABLE: Final = "var"
_FREE_FORM: Final = "custom."

Protect = Callable[[str], str | None]


class Operand(NamedTuple):
    """One variable or constant in the conditions of a rule.

    Attributes:
        path: JSON Pointer of the operand.
        operator: Innermost operator around it; empty for conditions without an operator.
        variable: Name of the variable; None for a constant.
        operand: Name of the variable; or the constant, as JSON.
    """

    path: str
    operator: str
    variable: str | None
    operand: str


def operands(conditions: Any) -> Iterator[Operand]:
    """Yield the operands of JsonLogic conditions, from left to right; the first `MOST_OPERANDS` of them."""
    left, count = [("", "", conditions)], 0
    while left and count < MOST_OPERANDS:
        path, operator, node = left.pop()
        name = variable(node)
        inner = [] if name is not None else _inner(path, operator, node)
        if name is None and inner:
            left += reversed(inner)
            continue
        if path and node not in ({}, []):  # a constant alone is no operand
            count += 1
            said = name if name is not None else msgspec.json.encode(node).decode()
            yield Operand(path, operator, name, said)


def _inner(path: str, operator: str, node: Any) -> list[tuple[str, str, Any]]:
    if isinstance(node, Mapping):
        return [(f"{path}/{_escaped(key)}", str(key), value) for key, value in node.items()]
    if isinstance(node, list):
        return [(f"{path}/{place}", operator, value) for place, value in enumerate(node)]
    return []


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def variable(node: Any) -> str | None:
    """Return the name of a variable: `ip.countryCode` for `{"var": "ip.countryCode"}`, with or without a default."""
    if not isinstance(node, Mapping) or node.keys() != {_VARIABLE}:
        return None
    name = node[_VARIABLE]
    if isinstance(name, list):
        name = name[0] if name else ""
    return name if isinstance(name, str) else None


def protected(conditions: Any, in_text: Protect, item: Protect, allowed: frozenset[str]) -> Any:
    """Return the conditions with their constants protected.

    Constants beside a custom data point may be anything, such as names of people, so that they are protected as items
    of a value list are, unless `allowed` has the data point. Other constants keep all but the identifiers in them.

    Args:
        conditions: JsonLogic.
        in_text: Protects identifiers in a text.
        item: Protects a whole text.
        allowed: Names of custom data points whose constants stay.
    """
    return _protected(conditions, in_text, item, allowed, is_free=False)


def _protected(node: Any, in_text: Protect, item: Protect, allowed: frozenset[str], *, is_free: bool) -> Any:
    if variable(node) is not None:
        return node
    if isinstance(node, Mapping):
        return {
            key: _protected(inner, in_text, item, allowed, is_free=is_free or _names_data_point(inner, allowed))
            for key, inner in node.items()
        }
    if isinstance(node, list):
        return [_protected(inner, in_text, item, allowed, is_free=is_free) for inner in node]
    return (item if is_free else in_text)(node) if isinstance(node, str) else node


def _names_data_point(operand: Any, allowed: frozenset[str]) -> bool:
    names = [variable(each) or "" for each in (operand if isinstance(operand, list) else [operand])]
    return any(name.startswith(_FREE_FORM) and name.removeprefix(_FREE_FORM) not in allowed for name in names)
