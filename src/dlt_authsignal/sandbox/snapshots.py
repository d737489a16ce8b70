"""Snapshots: the state of a tenant under a name, which can be restored any number of times."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from dlt_authsignal.sandbox.core.clock import Clock
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.sessions.challenges import Challenges
from dlt_authsignal.sandbox.sessions.outbox import Outbox
from dlt_authsignal.sandbox.sessions.rate_windows import Windows
from dlt_authsignal.sandbox.sessions.sessions import Sessions
from dlt_authsignal.sandbox.tenant.changes.timeline import Timeline
from dlt_authsignal.sandbox.tenant.entities import Event
from dlt_authsignal.sandbox.tenant.settings import IpFacts, Tenant
from dlt_authsignal.sandbox.tenant.store import Store
from dlt_authsignal.sandbox.tenant.stories.plan import Plan
from dlt_authsignal.sandbox.tenant_state import TenantState

MAX_SNAPSHOTS: Final = 20
MAX_NAME: Final = 100


class Keeper(Protocol):
    """Keeps the state of a sandbox, and snapshots of it, outside of this process: a `fixtures.state_file.StateFile`."""

    @property
    def path(self) -> Path:
        """Where the state is saved."""
        ...

    def save(self, sandbox: Any) -> None:
        """Save the state."""
        ...

    def take(self, name: str, sandbox: Any) -> None:
        """Keep the state under a name."""
        ...

    def restore(self, name: str, sandbox: Any) -> None:
        """Go back to the state with that name."""
        ...

    def names(self) -> list[str]:
        """Return the names of the snapshots."""
        ...


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The state at one moment. It is only copied, never changed."""

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
    first_tenant: Tenant
    timeline: Timeline | None
    stories: Plan | None
    shown_as_of: datetime | None
    ip_facts: dict[str, IpFacts]
    token_versions: dict[str, int]
    rng: tuple[Any, ...]
    id_rng: tuple[Any, ...]


def copied(state: TenantState) -> Snapshot:
    """Return a copy of the state."""
    return Snapshot(
        config=state.config,
        now=state.clock.now(),
        frozen=state.clock.is_frozen,
        store=state.store.copy(),
        challenges=state.challenges.copy(),
        sessions=state.sessions.copy(),
        outbox=state.outbox.copy(),
        windows=state.windows.copy(),
        events=tuple(state.recorded_events),
        recovery_codes=dict(state.recovery_codes),
        tenant=state.tenant,
        first_tenant=state.first_tenant,
        timeline=state.timeline,
        stories=state.stories,
        shown_as_of=state.shown_as_of,
        ip_facts=dict(state.ip_facts),
        token_versions=dict(state.token_versions),
        rng=state.rng.getstate(),
        id_rng=state.id_rng.getstate(),
    )


def put_back(state: TenantState, snapshot: Snapshot) -> None:
    """Set the state to that of the snapshot. The clock continues from then, or is frozen again.

    Raises:
        ValueError: The snapshot's keys are now those of another tenant. Nothing was changed.
    """
    state.check_config(snapshot.config)
    state.config, state.tenant = snapshot.config, snapshot.tenant
    state.first_tenant, state.timeline = snapshot.first_tenant, snapshot.timeline
    state.stories = snapshot.stories
    state.shown_as_of = snapshot.shown_as_of
    state.clock = Clock(snapshot.now, frozen=snapshot.frozen)
    state.store, state.challenges = snapshot.store.copy(), snapshot.challenges.copy()
    state.sessions, state.outbox = snapshot.sessions.copy(), snapshot.outbox.copy()
    state.windows = snapshot.windows.copy()
    state.recorded_events.clear()
    state.recorded_events.extend(snapshot.events)
    state.recovery_codes, state.ip_facts = dict(snapshot.recovery_codes), dict(snapshot.ip_facts)
    state.token_versions = dict(snapshot.token_versions)
    state.rng = _at(snapshot.rng)
    state.id_rng.setstate(snapshot.id_rng)


def _at(state: tuple[Any, ...]) -> Random:
    rng = Random()
    rng.setstate(state)
    return rng


class Snapshots:
    """Snapshots by name. Using a name again replaces its snapshot."""

    def __init__(self) -> None:
        self._kept: dict[str, Snapshot] = {}

    def take(self, name: str, state: TenantState) -> None:
        """Keep the present state under that name.

        Raises:
            ValueError: The name is empty or too long, or there are too many snapshots.
        """
        if not name or len(name) > MAX_NAME:
            raise ValueError(f"A snapshot name must have 1 to {MAX_NAME} characters. Nothing was stored.")
        if name not in self._kept and len(self._kept) >= MAX_SNAPSHOTS:
            raise ValueError(
                f"There are already {MAX_SNAPSHOTS} snapshots, which is the maximum. Nothing was stored. "
                "Use the name of an existing snapshot to replace it."
            )
        self._kept[name] = copied(state)

    def restore(self, name: str, state: TenantState) -> None:
        """Set the state to that of the snapshot with that name.

        Raises:
            ValueError: No snapshot has that name.
        """
        if name not in self._kept:
            known = ", ".join(f'"{one}"' for one in self._kept) or "none"
            raise ValueError(
                f'No snapshot is named "{name}". The sandbox was not changed. Existing snapshots: {known}.'
            )
        put_back(state, self._kept[name])

    def names(self) -> list[str]:
        return list(self._kept)
