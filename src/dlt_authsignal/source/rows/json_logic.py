"""Flatten the JsonLogic conditions of rules to one row per operand, and protect the constants in them."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

MOST_OPERANDS: Final = 10_000
"""Operands that are flattened of one rule. The rule itself always has all of its conditions."""

_VARIABLE: Final = "var"
_FREE_FORM: Final = "custom."
_LOGIC: Final = frozenset({"and", "or", "!", "!!", "if", "?:"})
"""Operators that combine conditions. They compare nothing, so that each of their operands is looked at alone."""

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
    """Return the operands of JsonLogic conditions, from left to right; the first `MOST_OPERANDS` of them."""
    return islice(_walked(conditions), MOST_OPERANDS)


def _walked(conditions: Any) -> Iterator[Operand]:
    left = [("", "", conditions)]
    while left:
        path, operator, node = left.pop()
        name = variable(node)
        inner = _default(path, node) if name is not None else _inner(path, operator, node)
        left += reversed(inner)
        if not path or node in ({}, []) or (inner and name is None):
            continue  # a constant alone is no operand
        yield Operand(path, operator, name, name if name is not None else msgspec.json.encode(node).decode())


def _default(path: str, node: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return the default of a variable: `{"var": ["custom.plan", "free"]}` has one."""
    given = node[_VARIABLE]
    return [(f"{path}/{_VARIABLE}/1", _VARIABLE, given[1])] if isinstance(given, list) and len(given) > 1 else []


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

    Constants that are compared with a custom data point may be anything, such as names of people, so that they are
    protected as items of a value list are, unless `allowed` has the data point. Other constants keep all but the
    identifiers in them.

    Args:
        conditions: JsonLogic.
        in_text: Protects identifiers in a text.
        item: Protects a whole text.
        allowed: Names of custom data points whose constants stay.
    """

    def walk(node: Any, text: Protect) -> Any:
        if (name := variable(node)) is not None:
            given = node[_VARIABLE]
            chosen = item if _is_free(name, allowed) else text
            return {_VARIABLE: [name, *(walk(each, chosen) for each in given[1:])]} if isinstance(given, list) else node
        if isinstance(node, Mapping):
            return {
                in_text(key): walk(inner, item if key not in _LOGIC and _has_free(inner, allowed) else text)
                for key, inner in node.items()
            }
        if isinstance(node, list):
            return [walk(inner, text) for inner in node]
        return text(node) if isinstance(node, str) else node

    return walk(conditions, in_text)


def _has_free(node: Any, allowed: frozenset[str]) -> bool:
    """Return whether a protected custom data point occurs in a part of the conditions."""
    return any(_is_free(each.variable or "", allowed) for each in _walked({"": node}))


def _is_free(name: str, allowed: frozenset[str]) -> bool:
    return name.startswith(_FREE_FORM) and name.removeprefix(_FREE_FORM) not in allowed
