"""Control routes about the configuration changes of the seeded tenant."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import in_utc, iso
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.changes.expected_effects import Window
from dlt_authsignal.sandbox.tenant.changes.timeline import ConfigurationChange

Body = dict[str, Any]

MAX_DAYS: Final = 30.0
EXAMPLE: Final = "2026-10-12T09:00:00Z"


class ConfigurationControl:
    """The handlers of one sandbox. Invalid input raises ValueError."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def changes(self, _body: Body) -> Body:
        return {
            "shownAsOf": _shown_time(self._sandbox.shown_as_of),
            "changes": [_shown_change(change) for change in self._sandbox.configuration_changes()],
        }

    def as_of(self, body: Body) -> Body:
        if "at" not in body:
            raise ValueError(f'"at" is missing. Pass a time such as "{EXAMPLE}", or null for the present.')
        self._sandbox.configuration_as_of(None if body["at"] is None else _time(body, "at"))
        return {"shownAsOf": _shown_time(self._sandbox.shown_as_of)}

    async def effects(self, body: Body) -> Body:
        code = body.get("actionCode")
        if not isinstance(code, str) or not code:
            raise ValueError("actionCode must be text.")
        effect = await asyncio.to_thread(
            self._sandbox.change_effects,
            _time(body, "seenBefore"),
            _time(body, "seenAt"),
            code,
            _days(body),
            None if body.get("readAt") is None else _time(body, "readAt"),
        )
        return {
            "actionCode": effect.action_code,
            "dataFrom": _shown_time(effect.data_from),
            "dataUntil": _shown_time(effect.data_until),
            "before": _shown_window(effect.before),
            "after": _shown_window(effect.after),
        }


def configuration_handlers(sandbox: Sandbox) -> list[tuple[str, str, Callable[[Body], Any]]]:
    """Return method, path below `configuration/` and handler of each route."""
    control = ConfigurationControl(sandbox)
    return [
        ("GET", "changes", control.changes),
        ("POST", "as-of", control.as_of),
        ("GET", "effects", control.effects),
    ]


def _shown_change(change: ConfigurationChange) -> Body:
    return {
        "at": iso(change.at),
        "table": change.table,
        "key": change.key,
        "change": change.change,
        "actionCodes": list(change.action_codes),
        "description": change.description,
    }


def _shown_window(window: Window | None) -> Body | None:
    if window is None:
        return None
    counts = asdict(window)
    counts["droppedOff"] = counts.pop("dropped_off")
    return {**counts, "start": iso(window.start), "end": iso(window.end)}


def _shown_time(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _time(body: Body, name: str) -> datetime:
    try:
        return in_utc(datetime.fromisoformat(body.get(name, "")))
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be an ISO 8601 time such as {EXAMPLE}.") from None


def _days(body: Body) -> float:
    """Return the length of the windows. A query has it as text."""
    try:
        days = float(body.get("days", 7))
    except (TypeError, ValueError):
        days = 0
    if not 0 < days <= MAX_DAYS:
        raise ValueError(f"days must be a number above 0, and at most {MAX_DAYS:.0f}.")
    return days
