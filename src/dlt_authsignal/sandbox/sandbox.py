"""The sandbox: the state of the tenant with its faults, rate limits, request log, snapshots, events and webhooks."""

from datetime import datetime
from pathlib import Path
from typing import Any

from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.core.faults import Faults
from dlt_authsignal.sandbox.core.rate_limits import Limits
from dlt_authsignal.sandbox.core.request_log import RequestLog
from dlt_authsignal.sandbox.snapshots import Keeper, Snapshots
from dlt_authsignal.sandbox.tenant.changes.expected_effects import ChangeEffect, change_effect
from dlt_authsignal.sandbox.tenant.expected import truth
from dlt_authsignal.sandbox.tenant.stories.found import Story, stories_of
from dlt_authsignal.sandbox.tenant_state import TenantState
from dlt_authsignal.sandbox.webhooks.delivery import Webhooks
from dlt_authsignal.sandbox.webhooks.events import Events
from dlt_authsignal.sandbox.webhooks.history import History


class Sandbox(TenantState):
    """One emulated Authsignal tenant, without a server.

    Args:
        config: What it emulates. With `users` above 0 it starts with that many invented users, with `fixture` with that
            tenant.
        is_first: Whether this is the first tenant, or the only one, of a sandbox.
    """

    def __init__(self, config: SandboxConfig | None = None, *, is_first: bool = True) -> None:
        super().__init__(config or SandboxConfig(), is_first=is_first)
        self.faults = Faults(self.config.seed)
        self.limits = Limits()
        self.log = RequestLog()
        self.webhooks = Webhooks(self)
        self.events = Events(self, self.webhooks)
        self.history = History(self, self.webhooks)
        self._snapshots = Snapshots()
        self._keeper: Keeper | None = None
        if self.config.fixture is not None:
            self.config.fixture.put_into(self, at_start=True)
        if self.config.users:
            self.seed(self.config.users, self.config.days, self.config.seed)

    def reset(self) -> None:
        """Delete all users, faults, limits, the request log and queued webhooks; set the clock back to its start.

        Snapshots and settings stay.
        """
        self.empty()
        self.webhooks.reset()
        self.events = Events(self, self.webhooks)
        self.faults.clear()
        self.limits.clear()
        self.log.clear()

    def delete_user(self, user_id: str, *, actions: bool) -> None:
        """Delete a user with their tokens, challenges, sessions and recovery codes.

        Args:
            user_id: The user. An unknown id is not an error.
            actions: Whether to delete the user's actions too.
        """
        for value in self.store.authenticators(user_id):
            self.events.authenticator(self.clock.now(), "deleted", value)
        self.store.remove_user(user_id, actions=actions)
        self.end_tokens(user_id)
        self.challenges.forget_user(user_id)
        self.sessions.revoke_user(user_id)
        self.recovery_codes.pop(user_id, None)

    def snapshot(self, name: str) -> None:
        """Keep the state under a name, without faults, limits, the request log and webhooks.

        Raises:
            ValueError: The name is empty or too long, or there are too many snapshots.
        """
        (self._snapshots if self._keeper is None else self._keeper).take(name, self)

    def restore(self, name: str) -> None:
        """Go back to a snapshot. It can be restored again later.

        Raises:
            ValueError: No snapshot has that name.
        """
        (self._snapshots if self._keeper is None else self._keeper).restore(name, self)

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots, oldest first."""
        return (self._snapshots if self._keeper is None else self._keeper).names()

    def keep_in(self, keeper: Keeper) -> None:
        """Save the state and snapshots with this keeper from now on."""
        self._keeper = keeper

    @property
    def state_file(self) -> Path | None:
        """The file in which the state is saved. None: it is in memory only."""
        return None if self._keeper is None else self._keeper.path

    def save(self) -> str:
        """Save the state in the state file, and return its path.

        Raises:
            ValueError: The sandbox has no state file.
            ConfigurationError: The file cannot be written. The earlier file is unchanged.
        """
        if self._keeper is None:
            raise ValueError("This sandbox has no state file. Start it with --state FILE. Nothing was saved.")
        self._keeper.save(self)
        return str(self._keeper.path)

    def truth(self, read_at: datetime | None = None) -> dict[str, Any]:
        """Return the expected result of every KPI for this state: see `tenant.expected.truth`."""
        return truth(self.store, self.clock.now(), read_at=read_at)

    def told_stories(self) -> tuple[Story, ...]:
        """Return what the stories did, and the users that they hit: see `tenant.stories.found.stories_of`."""
        return stories_of(self.store, self.stories)

    def change_effects(
        self,
        seen_before: datetime,
        seen_at: datetime,
        action_code: str,
        days: float = 7,
        read_at: datetime | None = None,
    ) -> ChangeEffect:
        """Return the expected effect of a configuration change: see `tenant.changes.expected_effects.change_effect`."""
        return change_effect(
            self.store,
            self.clock.now(),
            seen_before=seen_before,
            seen_at=seen_at,
            action_code=action_code,
            days=days,
            read_at=read_at,
        )

    def note(self, route: str, status: int) -> None:
        """Log the end of a request that `log.begin` has started."""
        self.log.add(iso(self.clock.now()), route, status)
