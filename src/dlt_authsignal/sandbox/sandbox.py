"""The sandbox itself: configuration, store, clock, ids, faults and the log of requests, in one value."""

import random
from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import Clock, IdMaker, iso, random_ids, seeded_ids
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.core.faults import Faults
from dlt_authsignal.sandbox.core.rate_limits import Limits
from dlt_authsignal.sandbox.sessions.challenges import Challenges
from dlt_authsignal.sandbox.sessions.outbox import Outbox
from dlt_authsignal.sandbox.sessions.rate_windows import Windows
from dlt_authsignal.sandbox.sessions.sessions import Sessions
from dlt_authsignal.sandbox.snapshots import Snapshots
from dlt_authsignal.sandbox.tenant.seed import populate
from dlt_authsignal.sandbox.tenant.settings import IpFacts, Tenant, new_tenant
from dlt_authsignal.sandbox.tenant.store import Store
from dlt_authsignal.sandbox.webhooks.delivery import Webhooks
from dlt_authsignal.sandbox.webhooks.events import Events

LOG_LENGTH: Final = 10_000


@dataclass
class RequestLog:
    """The last requests, and counters over all of them."""

    entries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))
    by_route: Counter[str] = field(default_factory=Counter)
    by_status: Counter[int] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    def begin(self) -> None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def add(self, at: str, route: str, status: int) -> None:
        self.entries.append({"at": at, "route": route, "status": status})
        self.by_route[route] += 1
        self.by_status[status] += 1
        self.in_flight -= 1

    def shown(self) -> dict[str, Any]:
        """What `GET /_sandbox/requests` answers: counters over all requests, and the last hundred."""
        return {
            "total": sum(self.by_route.values()),
            "mostInFlight": self.most_in_flight,
            "byRoute": dict(sorted(self.by_route.items())),
            "byStatus": {str(status): count for status, count in sorted(self.by_status.items())},
            "last": list(self.entries)[-100:],
        }

    def clear(self) -> None:
        self.entries.clear()
        self.by_route.clear()
        self.by_status.clear()
        self.most_in_flight = self.in_flight


class Sandbox:
    """One running Authsignal.

    Args:
        config: What it pretends to be; `users` above 0 fills it at once.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.faults = Faults(self.config.seed)
        self.limits = Limits()
        self._snapshots = Snapshots()
        self.log = RequestLog()
        self.clock = Clock(self.config.starts_at)
        self.store = Store()
        self.challenges = Challenges()
        self.outbox = Outbox()
        self.webhooks = Webhooks(self)
        self.events = Events(self)
        self.windows = Windows()
        self.sessions = Sessions()
        self.recovery_codes: dict[str, frozenset[str]] = {}
        self.rng = random.Random()
        self.id_rng = random.Random()
        self.new_id: IdMaker = random_ids
        self.tenant = Tenant()
        self.ip_facts: dict[str, IpFacts] = {}
        self.reset()
        if self.config.users:
            self.seed(self.config.users, self.config.days, self.config.seed)

    def reset(self) -> None:
        """Forgets everybody, faults, limits, the log and queued webhooks; the clock goes back to where it started.

        Snapshots and switches stay.
        """
        self.clock = Clock(self.config.starts_at)
        self.store = Store()
        self.challenges = Challenges()
        self.outbox = Outbox()
        self.webhooks.reset()
        self.events = Events(self)
        self.windows = Windows()
        self.sessions = Sessions()
        self.recovery_codes = {}
        self.faults.clear()
        self.limits.clear()
        self.log.clear()
        self.rng = random.Random() if self.config.seed is None else random.Random(f"{self.config.seed}:codes")
        self.id_rng = random.Random() if self.config.seed is None else random.Random(f"{self.config.seed}:live")
        self.new_id = random_ids if self.config.seed is None else seeded_ids(self.id_rng)
        self.tenant = new_tenant(self.config, self.new_id)
        self.ip_facts = {}

    def seed(self, users: int, days: int, seed: int | None = None) -> None:
        """Adds a realistic tenant; the same seed and clock add the same one."""
        chosen = random.SystemRandom().getrandbits(32) if seed is None else seed
        populate(
            self.store,
            users=users,
            days=days,
            seed=chosen,
            now=self.clock.now_to_the_second(),
        )

    def snapshot(self, name: str) -> None:
        """Keeps all state but faults, limits, the log and webhooks under a name.

        Raises:
            ValueError: No name, or too many snapshots.
        """
        self._snapshots.take(name, self)

    def restore(self, name: str) -> None:
        """Goes back to a snapshot; it can be gone back to again.

        Raises:
            ValueError: There is no snapshot of that name.
        """
        self._snapshots.restore(name, self)

    def snapshots(self) -> list[str]:
        """Names of the snapshots, oldest first."""
        return self._snapshots.names()

    def truth(self, read_at: datetime | None = None) -> dict[str, Any]:
        """What every KPI must say of this state, by name and slice: see `truth.truth`."""
        from dlt_authsignal.sandbox.tenant.expected_kpis import truth

        return truth(self.store, self.clock.now(), read_at=read_at)

    def configure(self, **changes: Any) -> None:
        """Changes the configuration of the running sandbox, such as `listing="refused"`."""
        self.config = replace(self.config, **changes)
        if "token_minutes" in changes:
            details = {**self.tenant.details, "tokenDurationInMinutes": changes["token_minutes"]}
            self.tenant = replace(self.tenant, details=details)

    def new_recovery_codes(self, user_id: str) -> list[str]:
        """Five codes that each work once, in place of the user's earlier ones."""
        codes = [f"{self.rng.getrandbits(40):010x}" for _ in range(5)]
        self.recovery_codes[user_id] = frozenset(codes)
        return codes

    @property
    def token_minutes(self) -> int:
        """Lifetime of tokens and challenges."""
        return self.tenant.token_minutes

    def allowed_methods(self) -> list[str]:
        """Verification methods that are switched on."""
        return self.tenant.active_methods()

    def note(self, route: str, status: int) -> None:
        """Logs the end of a request that `log.begin` has begun."""
        self.log.add(iso(self.clock.now()), route, status)
