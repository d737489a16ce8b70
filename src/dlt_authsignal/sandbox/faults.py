"""Faults on request: what a network or a tired server does to an answer."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

KINDS: Final = ("status", "html", "cut", "body", "delay")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault on one route.

    Attributes:
        route: Method and path template, such as `GET /users/{userId}/actions`; `*` for every route.
        kind: `status` an error body with that status; `html` a page with status 200; `cut` the connection ends in
            mid-body; `body` the given text with status 200; `delay` the right answer, late.
        times: How often it strikes; None for always.
        status: Status for kind `status`.
        body: Text for kind `body`.
        seconds: Delay for kind `delay`.
        headers: Extra response headers, such as `Retry-After`.
    """

    route: str
    kind: str
    times: int | None = 1
    status: int = 503
    body: str = ""
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'Unknown kind of fault "{self.kind}". Known: {", ".join(KINDS)}.')


class Faults:
    """Faults that wait for their route to be called."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def strike(self, route: str) -> Fault | None:
        """The next fault due on this route, counted down."""
        for index, fault in enumerate(self._waiting):
            if fault.route in ("*", route):
                if fault.times is not None:
                    left = fault.times - 1
                    self._waiting[index : index + 1] = [replace(fault, times=left)] if left > 0 else []
                return fault
        return None


def fault_from_json(value: Any) -> Fault:
    """A fault as the control route takes it.

    Raises:
        ValueError: Unknown field or kind, or not an object.
    """
    if not isinstance(value, dict) or not isinstance(value.get("route"), str):
        raise ValueError("A fault is an object with at least route and kind.")
    try:
        return Fault(**value)
    except TypeError as error:
        raise ValueError(f"A fault has no such field: {error}") from None
