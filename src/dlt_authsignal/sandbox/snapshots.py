"""Snapshots: the whole state of a sandbox under a name, to go back to as often as wanted."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.sandbox.core.clock import Clock
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.sessions.challenges import Challenges
from dlt_authsignal.sandbox.sessions.outbox import Outbox
from dlt_authsignal.sandbox.sessions.rate_windows import Windows
from dlt_authsignal.sandbox.sessions.sessions import Sessions
from dlt_authsignal.sandbox.tenant.settings import IpFacts, Tenant
from dlt_authsignal.sandbox.tenant.store import Store
from dlt_authsignal.sandbox.webhooks.events import Event

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox

MAX_SNAPSHOTS: Final = 20
MAX_NAME: Final = 100


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was known at one moment. Nothing of it is changed afterwards, only copied."""

    config: SandboxConfig
    now: datetime
    frozen: bool
    store: Store
    challenges: Challenges
    sessions: Sessions
    outbox: Outbox
    windows: Windows
    events: tuple[Event, ...]
    recovery_codes: dict[str, frozenset[str]]
    tenant: Tenant
    ip_facts: dict[str, IpFacts]
    codes: tuple[Any, ...]
    ids: tuple[Any, ...]


def taken(sandbox: "Sandbox") -> Snapshot:
    """The sandbox as it is: all but faults, limits, the request log, and webhooks with what waits for them."""
    return Snapshot(
        config=sandbox.config,
        now=sandbox.clock.now(),
        frozen=sandbox.clock.is_frozen,
        store=sandbox.store.copy(),
        challenges=sandbox.challenges.copy(),
        sessions=sandbox.sessions.copy(),
        outbox=sandbox.outbox.copy(),
        windows=sandbox.windows.copy(),
        events=tuple(sandbox.events.recorded),
        recovery_codes=dict(sandbox.recovery_codes),
        tenant=sandbox.tenant,
        ip_facts=dict(sandbox.ip_facts),
        codes=sandbox.rng.getstate(),
        ids=sandbox.id_rng.getstate(),
    )


def put_back(sandbox: "Sandbox", snapshot: Snapshot) -> None:
    """Makes the sandbox what it was; its clock goes on from then, or stands still as it did."""
    sandbox.config, sandbox.tenant = snapshot.config, snapshot.tenant
    sandbox.clock = Clock(snapshot.now)
    if snapshot.frozen:
        sandbox.clock.freeze()
    sandbox.store, sandbox.challenges = snapshot.store.copy(), snapshot.challenges.copy()
    sandbox.sessions, sandbox.outbox = snapshot.sessions.copy(), snapshot.outbox.copy()
    sandbox.windows = snapshot.windows.copy()
    sandbox.events.recorded = deque(snapshot.events, maxlen=sandbox.events.recorded.maxlen)
    sandbox.recovery_codes, sandbox.ip_facts = dict(snapshot.recovery_codes), dict(snapshot.ip_facts)
    sandbox.rng = _at(snapshot.codes)
    sandbox.id_rng.setstate(snapshot.ids)


def _at(state: tuple[Any, ...]) -> Random:
    rng = Random()
    rng.setstate(state)
    return rng


class Snapshots:
    """Snapshots by name; a name used again replaces the earlier one."""

    def __init__(self) -> None:
        self._kept: dict[str, Snapshot] = {}

    def take(self, name: str, sandbox: "Sandbox") -> None:
        """Keeps the present state under that name.

        Raises:
            ValueError: No name, or too many snapshots.
        """
        if not name or len(name) > MAX_NAME:
            raise ValueError(f"A snapshot has a name of 1 to {MAX_NAME} characters.")
        if name not in self._kept and len(self._kept) >= MAX_SNAPSHOTS:
            raise ValueError(f"There are {MAX_SNAPSHOTS} snapshots, the most there can be. Use one of their names.")
        self._kept[name] = taken(sandbox)

    def restore(self, name: str, sandbox: "Sandbox") -> None:
        """Puts the sandbox back.

        Raises:
            ValueError: There is no snapshot of that name.
        """
        if name not in self._kept:
            known = ", ".join(f'"{one}"' for one in self._kept) or "none"
            raise ValueError(f'There is no snapshot "{name}". Known: {known}.')
        put_back(sandbox, self._kept[name])

    def names(self) -> list[str]:
        return list(self._kept)
