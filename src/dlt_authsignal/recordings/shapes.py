"""The shape of a response: which fields it has, and of which types. Values are not kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from dlt_authsignal.recordings.declared import Declared

Shape = dict[str, set[str]]
"""Types by path, such as `users[].email`: {"text"}."""

FREE: Final = frozenset({"custom", "messageOverrides", "customDataPoints", "translations"})
"""Fields whose inner names are the tenant's own, and may be personal."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
HIDDEN_NAME: Final = "(name not shown)"


@dataclass(frozen=True, kw_only=True, order=True)
class ShapeDifference:
    """One difference between the responses of the sandbox and those of the tenant to one route.

    Attributes:
        route: The route, such as `GET /users/{userId}`.
        path: The field, such as `users[].email`; `status` or `errorCode` for these.
        sandbox: Types or values in the sandbox; None if it never returned the field.
        tenant: Those of the tenant; None if it never returned the field.
    """

    route: str
    path: str
    sandbox: str | None
    tenant: str | None


@dataclass
class Shapes:
    """The shapes of all responses of one side, by route."""

    by_route: dict[str, Shape] = field(default_factory=dict)

    def add(self, route: str, value: Any) -> None:
        """Add the shape of a response."""
        shape = self.by_route.setdefault(route, {})
        for path, kind in _parts(value, ""):
            shape.setdefault(path, set()).add(kind)


def shape_differences(sandbox: Shapes, tenant: Shapes, declared: Declared) -> Iterator[ShapeDifference]:
    """Yield the differences of routes that both sides have answered.

    A field is compared only if both sides returned the object that it is in. `null` counts as missing. A missing field
    is a difference only if the sandbox cannot return it, or always does.
    """
    for route, theirs in tenant.by_route.items():
        ours = sandbox.by_route.get(route)
        if ours is None:
            continue
        for path in sorted(ours.keys() | theirs.keys()):
            parent = _parent(path)
            if parent not in ours or parent not in theirs:
                continue
            mine, other = ours.get(path, set()) - {"null"}, theirs.get(path, set()) - {"null"}
            if _is_difference(mine, other, route, path, declared):
                yield ShapeDifference(route=route, path=path or "body", sandbox=_said(mine), tenant=_said(other))


def _is_difference(mine: set[str], other: set[str], route: str, path: str, declared: Declared) -> bool:
    if not (mine or other) or (other <= mine and other):
        return False
    if path.endswith("[]") and not (mine and other):  # an empty list
        return False
    if not mine:
        return not declared.is_declared(route, path)
    return bool(other) or declared.is_required(route, path)


def _said(kinds: set[str]) -> str | None:
    return " or ".join(sorted(kinds)) or None


def _parts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    yield path, _kind(value)
    if isinstance(value, dict):
        if path.rpartition(".")[2] in FREE:
            return
        for name, inner in value.items():
            shown = name if _NAME.fullmatch(name) else HIDDEN_NAME
            yield from _parts(inner, f"{path}.{shown}" if path else shown)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner, f"{path}[]")


def _parent(path: str) -> str:
    """Return the path of the object or list that a field is in."""
    return path.removesuffix("[]") if path.endswith("[]") else path.rpartition(".")[0]


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return _text_kind(value)
        case list():
            return "list"
    return "object"


def _text_kind(text: str) -> str:
    found = _TIME.fullmatch(text)
    if not found:
        return "text"
    return f"time{' with fractions' if found[1] else ''}{'' if found[2] == 'Z' else ', not in UTC'}"
