"""The tenants of one served sandbox. They share the address, and nothing else."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.types import ASGIApp

from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.core.further_tenants import MOST_TENANTS, check_keys, further_tenant, further_tenants
from dlt_authsignal.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.fixtures.state_file import StateFile

START_SECONDS: Final = 10.0


class NoSuchTenant(ValueError):
    """No tenant of the sandbox has this id."""


@dataclass(eq=False)
class Further:
    """A further tenant: its sandbox, and what serves it."""

    sandbox: Sandbox
    app: ASGIApp | None = None
    stopped: asyncio.Event | None = None
    serving: "asyncio.Task[None] | None" = None


class Tenants:
    """The first tenant of a sandbox, and further ones.

    Args:
        first: The first tenant. It cannot be removed.
        config: The configuration with further tenants. Tenants that are added later are like its first one.

    Raises:
        ValueError: Two tenants have one id or one key.

    Attributes:
        closed: Why no tenant can be added. None if tenants can be added.
    """

    def __init__(self, first: Sandbox, config: SandboxConfig | None = None) -> None:
        self.first = first
        self.further: tuple[Further, ...] = ()
        self.closed: str | None = None
        self._config = replace(config or first.config, fixture=None, tenants={}, users=0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._added = 0
        self._turn = threading.RLock()
        self._file: StateFile | None = None
        first.check_config = lambda changed: self._check(changed, first)
        for one in further_tenants(config) if config else ():
            self._put(one)

    @classmethod
    def start(cls, config: SandboxConfig | None = None, state: str | Path | None = None) -> "Tenants":
        """Return the tenants of a configuration, or of a state file if it exists.

        Raises:
            ValueError: Two tenants have one id or one key.
            ConfigurationError: The state file cannot be read or could not be written.
        """
        config, file = config or SandboxConfig(), None
        if state is not None:
            from dlt_authsignal.sandbox.fixtures.state_file import opened  # most sandboxes start without it

            config, file = opened(config, state)
        tenants = cls(Sandbox(replace(config, tenants={})), config)
        if file is not None:
            tenants._keep_in(file)
        return tenants

    @property
    def sandboxes(self) -> tuple[Sandbox, ...]:
        """All tenants, the first one first."""
        return (self.first, *(one.sandbox for one in self.further))

    @property
    def is_alone(self) -> bool:
        """Whether the first tenant is the only one."""
        return not self.further

    def get(self, tenant_id: str) -> Sandbox:
        """Return a tenant.

        Raises:
            NoSuchTenant: There is none with this id.
        """
        found = next((one for one in self.sandboxes if one.config.tenant_id == tenant_id), None)
        return found or self._unknown(tenant_id)

    def app_of(self, sandbox: Sandbox, make: Callable[[Sandbox], ASGIApp]) -> ASGIApp:
        """Return the app of a further tenant. It is made at the first request."""
        one = next(one for one in self.further if one.sandbox is sandbox)
        if one.app is None:
            one.app = make(sandbox)
        return one.app

    async def add(self, tenant_id: str, given: Mapping[str, Any]) -> Sandbox:
        """Add a tenant in the event loop of the server.

        Args:
            tenant_id: Its id.
            given: Fields that differ from those of the first tenant. By default it has no users.

        Raises:
            ValueError: An invalid id or field, a key of another tenant, or too many tenants. No tenant was added.
        """
        one = self._new(tenant_id, given)
        await self._serve(one)
        return one.sandbox

    def add_and_wait(self, tenant_id: str, given: Mapping[str, Any]) -> Sandbox:
        """Add a tenant from any thread except the server's: see `add`."""
        one = self._new(tenant_id, given)
        if self._loop:
            asyncio.run_coroutine_threadsafe(self._serve(one), self._loop).result(START_SECONDS)
        return one.sandbox

    def remove(self, tenant_id: str) -> None:
        """Remove a tenant with all of its data. Call it from any thread.

        Raises:
            NoSuchTenant: There is none with this id.
            ValueError: It is the first one. Nothing was changed.
        """
        sandbox = self.get(tenant_id)
        if sandbox is self.first:
            raise ValueError(
                f'"{tenant_id}" is the first tenant, which stays as long as the sandbox runs. Nothing was changed. '
                "To delete its data, send POST /_sandbox/reset."
            )
        with self._turn:
            gone = [one for one in self.further if one.sandbox is sandbox]
            self.further = tuple(one for one in self.further if one not in gone)
        for one in gone:
            if self._loop and one.stopped:
                self._loop.call_soon_threadsafe(one.stopped.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver the webhooks of the further tenants in this event loop until the block ends."""
        self._loop = asyncio.get_running_loop()
        for one in self.further:
            await self._serve(one)
        try:
            yield
        finally:
            self._loop = None
            for one in self.further:
                if one.stopped and one.serving:
                    one.stopped.set()
                    await one.serving

    async def _serve(self, one: Further) -> None:
        """Deliver the webhooks of a tenant from now on, and return when that has begun."""
        begun, stopped = asyncio.Event(), asyncio.Event()
        one.stopped = stopped

        async def serve() -> None:
            async with one.sandbox.webhooks.running(), one.sandbox.history.running():
                begun.set()
                await stopped.wait()

        one.serving = asyncio.get_running_loop().create_task(serve())
        await begun.wait()

    def _new(self, tenant_id: str, given: Mapping[str, Any]) -> Further:
        if self.closed is not None:
            raise ValueError(f"{self.closed} No tenant was added.")
        return self._put(further_tenant(self._config, tenant_id, given, self._added + 1))

    def _put(self, config: SandboxConfig) -> Further:
        with self._turn:
            if len(self.sandboxes) >= MOST_TENANTS:
                raise ValueError(
                    f"There are already {MOST_TENANTS} tenants, which is the maximum. No tenant was added. "
                    "Remove one: DELETE /_sandbox/tenants/ID."
                )
            self._check(config, None)
            sandbox = Sandbox(config, is_first=False)
            self._check(sandbox.config, None)
            sandbox.check_config = lambda changed: self._check(changed, sandbox)
            one = Further(sandbox)
            self._added += 1
            self.further = (*self.further, one)
            if self._file is not None:
                sandbox.keep_in(replace(self._file, tenant_id=config.tenant_id))
            return one

    def _check(self, changed: SandboxConfig, of: Sandbox | None) -> None:
        """Refuse the id and the keys of other tenants, and another id for a further tenant."""
        if of is not None and of is not self.first and changed.tenant_id != of.config.tenant_id:
            raise ValueError(
                f'The tenant "{of.config.tenant_id}" cannot get another id, because the URLs of its control routes'
                " contain the id. Nothing was changed. Leave keys.tenantId out, or add a tenant with that id."
            )
        check_keys(changed, tuple(one.config for one in self.sandboxes if one is not of))

    def _keep_in(self, file: "StateFile") -> None:
        self._file = replace(file, sandboxes=lambda: self.sandboxes)
        self.first.keep_in(self._file)
        for one in self.further:
            one.sandbox.keep_in(replace(self._file, tenant_id=one.sandbox.config.tenant_id))

    def _unknown(self, tenant_id: str) -> Sandbox:
        known = ", ".join(f'"{one.config.tenant_id}"' for one in self.sandboxes)
        raise NoSuchTenant(f'No tenant has the id "{tenant_id[:80]}". Nothing was changed. Known: {known}.')
