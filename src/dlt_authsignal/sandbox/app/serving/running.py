"""A sandbox that is served, as Python code uses it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenants.tenants import Tenants

if TYPE_CHECKING:
    from dlt_authsignal.passkey import SoftwarePasskey
    from dlt_authsignal.sandbox.app.serving.certificate import Certificate
    from dlt_authsignal.sandbox.core.clock import Clock
    from dlt_authsignal.sandbox.core.faults import Faults
    from dlt_authsignal.sandbox.core.rate_limits import Limits
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture
    from dlt_authsignal.sandbox.sessions.outbox import Outbox
    from dlt_authsignal.sandbox.tenant.changes.expected_effects import ChangeEffect
    from dlt_authsignal.sandbox.tenant.changes.timeline import ConfigurationChange
    from dlt_authsignal.sandbox.tenant.stories.found import Story


def tenant_url(url: str, sandbox: Sandbox) -> str:
    """Return the base URL of a tenant: that of its region at the host of `url`."""
    return urljoin(url, f"{sandbox.config.region_path}/v1")


@dataclass(frozen=True)
class RunningSandbox:
    """A sandbox that is served at `url`. Its methods do what the control routes of the same names do.

    Attributes:
        url: Base URL, with `/v1`.
        sandbox: Its state, which you can change directly.
        certificate: With HTTPS, its certificate. `certificate.authority` is what clients must trust, in PEM.
        all_tenants: All tenants of the server.
    """

    url: str
    sandbox: Sandbox
    certificate: "Certificate | None" = None
    all_tenants: Tenants | None = field(default=None, repr=False)

    def tenant(self, tenant_id: str) -> "RunningSandbox":
        """Return one tenant of this sandbox, with its own url, clock, outbox, faults and methods.

        Raises:
            ValueError: No tenant has this id.
        """
        return self._of(self._all.get(tenant_id))

    def tenants(self) -> "tuple[RunningSandbox, ...]":
        """Return all tenants, the first one first."""
        return tuple(self._of(one) for one in self._all.sandboxes)

    def add_tenant(self, tenant_id: str, **fields: Any) -> "RunningSandbox":
        """Add a tenant, by default without users.

        Args:
            tenant_id: Its id.
            **fields: Fields of SandboxConfig that differ from those of the first tenant, such as `region="eu"`.

        Raises:
            ValueError: An invalid id or field, a key of another tenant, or too many tenants. No tenant was added.
        """
        return self._of(self._all.add_and_wait(tenant_id, fields))

    def remove_tenant(self, tenant_id: str) -> None:
        """Remove a tenant with all of its data. The first one cannot be removed.

        Raises:
            ValueError: No tenant has this id, or it is the first one.
        """
        self._all.remove(tenant_id)

    @property
    def tenant_id(self) -> str:
        """Id of the tenant, with which the Client API is called."""
        return self.sandbox.config.tenant_id

    @property
    def api_secret_key(self) -> str:
        """Its Server API secret key."""
        return self.sandbox.config.api_secret_key

    @property
    def management_secret_key(self) -> str:
        """Its Management API secret key."""
        return self.sandbox.config.management_secret_key

    @property
    def _all(self) -> Tenants:
        if self.all_tenants is None:
            raise ValueError("This sandbox is not served, so it has one tenant only.")
        return self.all_tenants

    def _of(self, sandbox: Sandbox) -> "RunningSandbox":
        return replace(self, sandbox=sandbox, url=tenant_url(self.url, sandbox))

    @property
    def clock(self) -> "Clock":
        """The clock: `freeze()`, `advance(days=30)`, `resume()`. A reset or a restore replaces it."""
        return self.sandbox.clock

    @property
    def outbox(self) -> "Outbox":
        """The messages that would have been sent. `last(to)` returns the newest."""
        return self.sandbox.outbox

    @property
    def faults(self) -> "Faults":
        """The faults: `add(Fault(...))`, `clear()`."""
        return self.sandbox.faults

    @property
    def limits(self) -> "Limits":
        """The rate limits: `set(Limit(...))`, `clear()`."""
        return self.sandbox.limits

    def reset(self) -> None:
        """Delete all users, faults, limits and the request log: see `Sandbox.reset`."""
        self.sandbox.reset()

    def seed(self, users: int, days: int = 45, seed: int | None = None) -> None:
        """Add invented users."""
        self.sandbox.seed(users, days, seed)

    def snapshot(self, name: str) -> None:
        """Keep the state under a name."""
        self.sandbox.snapshot(name)

    def restore(self, name: str) -> None:
        """Go back to a snapshot."""
        self.sandbox.restore(name)

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots."""
        return self.sandbox.snapshots()

    def fixture(self) -> dict[str, Any]:
        """Return the tenant as the plain values of a fixture."""
        from dlt_authsignal.sandbox.fixtures.fixture import Fixture

        return Fixture.of_sandbox(self.sandbox)

    def load(self, fixture: "Fixture") -> None:
        """Replace the tenant by that of a fixture."""
        fixture.put_into(self.sandbox)

    def save(self) -> str:
        """Save the state in the state file, and return its path."""
        return self.sandbox.save()

    def passkey(self, user_id: str, origin: str | None = None) -> "SoftwarePasskey":
        """Return the passkeys of a user of a fixture, with which you can sign in."""
        from dlt_authsignal.sandbox.fixtures.passkeys import software_passkey

        return software_passkey(self.sandbox, user_id, origin)

    def requests(self) -> dict[str, Any]:
        """Return the request log: counts by route and status, and the last requests."""
        return self.sandbox.log.shown()

    def truth(self, read_at: datetime | None = None) -> dict[str, Any]:
        """Return the expected result of every KPI."""
        return self.sandbox.truth(read_at)

    def told_stories(self) -> "tuple[Story, ...]":
        """Return what the stories of the invented users did, with the users that they hit."""
        return self.sandbox.told_stories()

    def configuration_changes(self) -> "tuple[ConfigurationChange, ...]":
        """Return the configuration changes of the seeded tenant, oldest first."""
        return self.sandbox.configuration_changes()

    def configuration_as_of(self, moment: datetime | None) -> None:
        """Show the configuration of an earlier moment in the responses of the APIs. None: the present one."""
        self.sandbox.configuration_as_of(moment)

    def change_effects(
        self,
        seen_before: datetime,
        seen_at: datetime,
        action_code: str,
        days: float = 7,
        read_at: datetime | None = None,
    ) -> "ChangeEffect":
        """Return the expected effect of a configuration change on an action code."""
        return self.sandbox.change_effects(seen_before, seen_at, action_code, days, read_at)

    @property
    def control_url(self) -> str:
        """Base URL of the control routes."""
        return urljoin(self.url, self.sandbox.control_path)
