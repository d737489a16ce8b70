"""The HTTP client of the webhooks: it connects to this machine and to allowed hosts only, and follows no redirect."""

import asyncio
import time
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER, sign
from dlt_authsignal.sandbox.core.hosts import is_loopback, plain_host
from dlt_authsignal.sandbox.webhooks.settings import is_allowed_target

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession
    from aiohttp.abc import AbstractResolver

ANOTHER_HOST: Final = "AnotherHost"
"""Why a delivery was not sent: its URL, or the address of its host, is not on this machine and not allowed."""


ANSWER_BYTES: Final = 4096
"""Bytes of a response's body that are read, for testers. The status alone decides."""

ANSWER_SECONDS: Final = 1.0
"""How long to wait for them, after the status has arrived."""


class _AnotherHost(OSError):
    """The host's address is on another machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a receiver answered.

    Attributes:
        status: HTTP status, None without a response.
        failure: Why there was no response.
        text: The beginning of the response's body, None without a response.
    """

    status: int | None = None
    failure: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Sender:
    """Sends deliveries. Made by `sender`.

    Attributes:
        session: The HTTP client.
        allowed: Hosts besides this machine.
    """

    session: "ClientSession"
    allowed: Container[str]

    async def send(self, url: str, body: bytes, keys: Sequence[str]) -> Answer:
        """Send a signed body.

        It is signed with the machine's time, not the sandbox's: receivers compare it with their own clock, and would
        refuse everything from a sandbox whose clock was moved.
        """
        from aiohttp import ClientError

        if not is_allowed_target(url, self.allowed):
            return Answer(failure=ANOTHER_HOST)
        headers = {
            "content-type": "application/json",
            "user-agent": "authsignal-sandbox",
            SIGNATURE_HEADER: sign(keys, body, int(time.time())),
        }
        try:
            async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return Answer(status=answer.status, text=await _beginning(answer))
        except (ClientError, OSError, ValueError) as error:
            is_elsewhere = isinstance(getattr(error, "os_error", error), _AnotherHost)
            return Answer(failure=ANOTHER_HOST if is_elsewhere else type(error).__name__)


async def _beginning(answer: "ClientResponse") -> str:
    """Return the beginning of a response's body. A body that is slow or breaks off does not change the outcome."""
    from aiohttp import ClientError

    raw = bytearray()
    with suppress(ClientError, OSError, ValueError):  # TimeoutError is an OSError
        async with asyncio.timeout(ANSWER_SECONDS):
            while len(raw) < ANSWER_BYTES and (chunk := await answer.content.read(ANSWER_BYTES - len(raw))):
                raw += chunk
    return bytes(raw).decode("utf-8", "replace")


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
