"""The page with the buttons: clock, reset, invented users, faults, rate limits, snapshots and fixtures."""

from collections import defaultdict
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from dlt_authsignal.sandbox.app.console.buttons import Refused
from dlt_authsignal.sandbox.app.console.render import page
from dlt_authsignal.sandbox.app.control.handlers import ROUTES, UNITS
from dlt_authsignal.sandbox.core.faults import KINDS
from dlt_authsignal.sandbox.core.rate_limits import KEYS
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.snapshots import MAX_SNAPSHOTS

JUMPS: Final = ((10, "minutes"), (1, "hours"), (1, "days"), (30, "days"))
"""Moves of the clock with a button of their own."""

OWN: Final = ("route", "kind", "times", "applied", "calls", "waits")
"""Parts of a fault that have a column."""

FAULTS_SHOWN: Final = 100


def controls(sandbox: Sandbox, request: Request, *, refused: Refused | None = None) -> Response:
    """Return the page with the buttons."""
    faults = sandbox.faults.shown()[::-1]
    return page(
        sandbox,
        request,
        "controls",
        "controls",
        status=400 if refused else 200,
        problem=refused.why if refused else "",
        given=defaultdict(str, refused.given if refused else {}),
        users=sum(1 for _ in sandbox.store.users()),
        faults=[_row(fault) for fault in faults[:FAULTS_SHOWN]],
        more_faults=max(0, len(faults) - FAULTS_SHOWN),
        limits=sandbox.limits.shown(),
        snapshots=sandbox.snapshots()[::-1],
        most_snapshots=MAX_SNAPSHOTS,
        state_file=sandbox.state_file,
        routes=ROUTES,
        kinds=KINDS,
        keys=KEYS,
        units=list(UNITS),
        jumps=JUMPS,
    )


def _row(fault: dict[str, Any]) -> dict[str, Any]:
    """Return a fault with everything that has no column as one text."""
    more = ", ".join(f"{name} {value}" for name, value in fault.items() if name not in OWN)
    return {**{name: fault[name] for name in OWN}, "more": more}
