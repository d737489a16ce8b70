"""The state of the emulated tenant: everything that a snapshot keeps and a reset empties."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import Clock, IdMaker, in_utc, random_ids, seeded_ids
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.sessions.challenges import Challenges
from dlt_authsignal.sandbox.sessions.outbox import Outbox
from dlt_authsignal.sandbox.sessions.rate_windows import Windows
from dlt_authsignal.sandbox.sessions.sessions import Sessions, keys_of
from dlt_authsignal.sandbox.sessions.tokens import Token, read
from dlt_authsignal.sandbox.tenant.changes.moments import NO_CHANGES, moments_of
from dlt_authsignal.sandbox.tenant.changes.timeline import ConfigurationChange, Timeline, timeline
from dlt_authsignal.sandbox.tenant.entities import Event
from dlt_authsignal.sandbox.tenant.invented.people import Seeding
from dlt_authsignal.sandbox.tenant.invented.seed import populate
from dlt_authsignal.sandbox.tenant.settings import IpFacts, Tenant, new_tenant, with_sign_up
from dlt_authsignal.sandbox.tenant.store import Store
from dlt_authsignal.sandbox.tenant.stories.plan import Plan, plan_of

EVENTS_KEPT: Final = 10_000

CONTROL: Final = "/_sandbox/"
"""Path of the control routes of the first tenant."""


def _accept(_config: SandboxConfig) -> None:
    """Accept every configuration."""


class TenantState:
    """Users, actions, challenges and sessions of one tenant, with its clock, its settings and its randomness.

    It does not know about HTTP, faults or webhooks, so that webhooks and snapshots can be built on it.

    Args:
        config: The configuration of the sandbox.
        is_first: Whether this is the first tenant, or the only one, of a sandbox.

    Attributes:
        check_config: Is called before the configuration changes, and raises ValueError to refuse it. Among several
            tenants it refuses the keys of the others.
    """

    def __init__(self, config: SandboxConfig, *, is_first: bool = True) -> None:
        self.config = config
        self.is_first = is_first
        self.check_config: Callable[[SandboxConfig], None] = _accept
        self.empty()

    @property
    def control_path(self) -> str:
        """Path of the control routes of this tenant."""
        return CONTROL if self.is_first else f"{CONTROL}tenants/{self.config.tenant_id}/"

    def empty(self) -> None:
        """Delete all users and what belongs to them, and set the clock back to its start."""
        seed = self.config.seed
        self.clock = Clock(self.config.starts_at)
        self.store = Store()
        self.challenges = Challenges()
        self.outbox = Outbox()
        self.windows = Windows()
        self.sessions = Sessions(keys=keys_of(self.config.tenant_id))
        self.recorded_events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self.recovery_codes: dict[str, frozenset[str]] = {}
        self.rng = random.Random() if seed is None else self.seeded(f"{seed}:codes")
        self.id_rng = random.Random() if seed is None else self.seeded(f"{seed}:live")
        self.new_id: IdMaker = random_ids if seed is None else seeded_ids(self.id_rng)
        self.tenant: Tenant = new_tenant(self.config, self.new_id)
        self.timeline: Timeline | None = None
        self.stories: Plan | None = None
        self.shown_as_of: datetime | None = None
        self.first_tenant = self.tenant  # seeding gives changes only to an unchanged configuration
        self.ip_facts: dict[str, IpFacts] = {}
        self.token_versions: dict[str, int] = {}

    def seeded(self, text: str) -> random.Random:
        """Return a generator that follows from a text, and in a further tenant from its id.

        So two tenants with the same seed or fixture have no ids, codes or keys in common.
        """
        return random.Random(text if self.is_first else f"{self.config.tenant_id}:{text}")

    def seed(self, users: int, days: int, seed: int | None = None) -> None:
        """Add realistic users and actions; the same seed and clock add the same ones.

        With the first users, the tenant also gets the stories of its configuration, and with a given seed configuration
        changes, unless its configuration was changed before.
        """
        now, chosen = self.clock.now_to_the_second(), seed
        seed = random.SystemRandom().getrandbits(32) if chosen is None else chosen
        stories = None
        if users and self.tenant is self.first_tenant:
            if (settings := self.config.told_stories) is not None:
                self.stories = stories = plan_of(settings, seed=seed, users=users, days=days, now=now)
                self.tenant = with_sign_up(self.tenant, self.config)
            if chosen is not None:
                moments = moments_of(now, days)
                if stories and stories.rollout:
                    moments = replace(moments, passkey_offered=stories.rollout.start)
                self.timeline = timeline(self.tenant, self.config, moments, now)
                self.tenant = self.timeline.last
        changes = self.timeline.moments if self.timeline else NO_CHANGES
        populate(self.store, users=users, seeding=Seeding(seed, days, now, changes, stories))

    def configuration_changes(self) -> tuple[ConfigurationChange, ...]:
        """Return the configuration changes of the seeded tenant, oldest first."""
        return self.timeline.changes if self.timeline else ()

    def configuration_as_of(self, moment: datetime | None) -> None:
        """Show the configuration of an earlier moment in the responses of the APIs. None: the present one.

        Only what the APIs show changes: actions are tracked by the present configuration. Meanwhile the Management API
        refuses to write. A moment after the tenant was seeded counts as the present.

        Args:
            moment: The moment. A time without an offset is in UTC.

        Raises:
            ValueError: The tenant has no configuration changes.
        """
        if moment is None:
            self.shown_as_of = None
            return
        if self.timeline is None:
            raise ValueError(
                "This tenant has no earlier configuration. Start the sandbox with a seed and with users. "
                "The present configuration is still shown."
            )
        moment = in_utc(moment)
        self.shown_as_of = moment if moment < self.timeline.until else None

    @property
    def shown_tenant(self) -> Tenant:
        """The configuration that the APIs show: see `configuration_as_of`."""
        if self.timeline is None or self.shown_as_of is None:
            return self.tenant
        return self.timeline.at(self.shown_as_of)

    def configure(self, **changes: Any) -> None:
        """Change the configuration of the running sandbox, such as `listing="refused"`."""
        config = replace(self.config, **changes)
        self.check_config(config)
        self.config = config
        if "token_minutes" in changes:
            details = {**self.tenant.details, "tokenDurationInMinutes": changes["token_minutes"]}
            self.tenant = replace(self.tenant, details=details)

    def new_recovery_codes(self, user_id: str) -> list[str]:
        """Replace the user's recovery codes with five new ones. Each works once."""
        codes = [f"{self.rng.getrandbits(40):010x}" for _ in range(5)]
        self.recovery_codes[user_id] = frozenset(codes)
        return codes

    def token(self, text: str) -> Token | None:
        """Decode a token, expired or not. None if it is not valid, or its user was deleted since it was created."""
        token = read(self.config, text)
        return token if token and self.has_user_of(token) else None

    def has_user_of(self, token: Token) -> bool:
        """Return whether the token's user exists and was not deleted since it was created."""
        current = token.version == self.token_versions.get(token.user_id, 0)
        return current and self.store.get_user(token.user_id) is not None

    def end_tokens(self, user_id: str) -> None:
        """Make all tokens of a user invalid, also if a user with that id is created again."""
        self.token_versions[user_id] = self.token_versions.get(user_id, 0) + 1

    @property
    def token_minutes(self) -> int:
        """Lifetime of tokens and challenges."""
        return self.tenant.token_minutes

    def allowed_methods(self) -> list[str]:
        """Return the active verification methods."""
        return self.tenant.active_methods()
