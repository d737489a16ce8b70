"""The HTTP client of the webhooks: it connects to this machine and to allowed hosts only, and follows no redirect."""

import time
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER, sign
from dlt_authsignal.sandbox.core.hosts import is_loopback, plain_host
from dlt_authsignal.sandbox.webhooks.settings import is_allowed_target

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from aiohttp.abc import AbstractResolver

ANOTHER_HOST: Final = "AnotherHost"
"""Why a delivery was not sent: its URL, or the address of its host, is not on this machine and not allowed."""


class _AnotherHost(OSError):
    """The host's address is on another machine."""


@dataclass(frozen=True)
class Sender:
    """Sends deliveries. Made by `sender`.

    Attributes:
        session: The HTTP client.
        allowed: Hosts besides this machine.
    """

    session: "ClientSession"
    allowed: Container[str]

    async def send(self, url: str, body: bytes, keys: Sequence[str]) -> tuple[int | None, str | None]:
        """Send a signed body. Return (status, None), or (None, why there was no response).

        It is signed with the machine's time, not the sandbox's: receivers compare it with their own clock, and would
        refuse everything from a sandbox whose clock was moved.
        """
        from aiohttp import ClientError

        if not is_allowed_target(url, self.allowed):
            return None, ANOTHER_HOST
        headers = {
            "content-type": "application/json",
            "user-agent": "authsignal-sandbox",
            SIGNATURE_HEADER: sign(keys, body, int(time.time())),
        }
        try:
            async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, None
        except (ClientError, OSError, ValueError) as error:
            is_elsewhere = isinstance(getattr(error, "os_error", error), _AnotherHost)
            return None, ANOTHER_HOST if is_elsewhere else type(error).__name__


@asynccontextmanager
async def sender(seconds: float, allowed: Container[str]) -> AsyncIterator[Sender]:
    """Open an HTTP client with that timeout. Imported late, because most sandboxes never send a webhook."""
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    connector = TCPConnector(resolver=_resolver(allowed), use_dns_cache=False)
    timeout = ClientTimeout(total=seconds)
    async with ClientSession(connector=connector, timeout=timeout, cookie_jar=DummyCookieJar()) as session:
        yield Sender(session, allowed)


def _resolver(allowed: Container[str]) -> "AbstractResolver":
    """Return a resolver that refuses a name of this machine if its address is another machine's.

    Only the address that is connected to is checked, so a name cannot have another address the second time.
    """
    from aiohttp.abc import AbstractResolver, ResolveResult
    from aiohttp.resolver import ThreadedResolver

    class ThisMachine(AbstractResolver):
        def __init__(self) -> None:
            self._all = ThreadedResolver()

        async def resolve(self, host: str, *arguments: Any, **named: Any) -> list[ResolveResult]:
            found = await self._all.resolve(host, *arguments, **named)
            if (plain_host(host) or host) in allowed:
                return found
            if here := [one for one in found if is_loopback(plain_host(one["host"]) or "")]:
                return here
            raise _AnotherHost

        async def close(self) -> None:
            await self._all.close()

    return ThisMachine()
