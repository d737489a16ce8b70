"""The state of the emulated tenant: everything that a snapshot keeps and a reset empties."""

import random
from collections import deque
from dataclasses import replace
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import Clock, IdMaker, random_ids, seeded_ids
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.sessions.challenges import Challenges
from dlt_authsignal.sandbox.sessions.outbox import Outbox
from dlt_authsignal.sandbox.sessions.rate_windows import Windows
from dlt_authsignal.sandbox.sessions.sessions import Sessions
from dlt_authsignal.sandbox.tenant.entities import Event
from dlt_authsignal.sandbox.tenant.invented.seed import populate
from dlt_authsignal.sandbox.tenant.settings import IpFacts, Tenant, new_tenant
from dlt_authsignal.sandbox.tenant.store import Store

EVENTS_KEPT: Final = 10_000


class TenantState:
    """Users, actions, challenges and sessions of one tenant, with its clock, its settings and its randomness.

    It does not know about HTTP, faults or webhooks, so that webhooks and snapshots can be built on it.

    Args:
        config: The configuration of the sandbox.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.empty()

    def empty(self) -> None:
        """Delete all users and what belongs to them, and set the clock back to its start."""
        seed = self.config.seed
        self.clock = Clock(self.config.starts_at)
        self.store = Store()
        self.challenges = Challenges()
        self.outbox = Outbox()
        self.windows = Windows()
        self.sessions = Sessions()
        self.recorded_events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.recovery_codes: dict[str, frozenset[str]] = {}
        self.rng = random.Random() if seed is None else random.Random(f"{seed}:codes")
        self.id_rng = random.Random() if seed is None else random.Random(f"{seed}:live")
        self.new_id: IdMaker = random_ids if seed is None else seeded_ids(self.id_rng)
        self.tenant: Tenant = new_tenant(self.config, self.new_id)
        self.ip_facts: dict[str, IpFacts] = {}

    def seed(self, users: int, days: int, seed: int | None = None) -> None:
        """Add realistic users and actions; the same seed and clock add the same ones."""
        chosen = random.SystemRandom().getrandbits(32) if seed is None else seed
        populate(
            self.store,
            users=users,
            days=days,
            seed=chosen,
            now=self.clock.now_to_the_second(),
        )

    def configure(self, **changes: Any) -> None:
        """Change the configuration of the running sandbox, such as `listing="refused"`."""
        self.config = replace(self.config, **changes)
        if "token_minutes" in changes:
            details = {**self.tenant.details, "tokenDurationInMinutes": changes["token_minutes"]}
            self.tenant = replace(self.tenant, details=details)

    def new_recovery_codes(self, user_id: str) -> list[str]:
        """Replace the user's recovery codes with five new ones. Each works once."""
        codes = [f"{self.rng.getrandbits(40):010x}" for _ in range(5)]
        self.recovery_codes[user_id] = frozenset(codes)
        return codes

    @property
    def token_minutes(self) -> int:
        """Lifetime of tokens and challenges."""
        return self.tenant.token_minutes

    def allowed_methods(self) -> list[str]:
        """Return the active verification methods."""
        return self.tenant.active_methods()
