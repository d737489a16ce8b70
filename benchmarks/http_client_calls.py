"""How each HTTP client gets the bytes of an answer, with its connections kept and its other defaults."""

# mypy: disable-error-code="import-not-found, import-untyped, unused-ignore, no-any-return"

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Get = Callable[[str], Awaitable[bytes]]
Fetch = Callable[[str], bytes]
Loop = Callable[[], asyncio.AbstractEventLoop]


@dataclass(frozen=True)
class Setup:
    """What to ask.

    Attributes:
        url: Base URL.
        in_flight: Requests at once.
        ca: File of the certificate that the server shows; None without TLS.
        http2: HTTP/2, which needs TLS here, in place of HTTP/1.1.
    """

    url: str
    in_flight: int
    ca: str | None
    http2: bool = False

    @property
    def over(self) -> str:
        return "HTTP/2" if self.http2 else "TLS" if self.ca else "plain"

    def pem(self) -> bytes | None:
        return Path(self.ca).read_bytes() if self.ca else None

    def ssl(self) -> Any:
        return ssl.create_default_context(cafile=self.ca) if self.ca else True


@dataclass(frozen=True)
class Client:
    """A client: the package that has to be installed, how to connect, and over what it can."""

    package: str
    connect: Callable[[Setup], AbstractAsyncContextManager[Get]]
    over: Collection[str] = ("plain",)
    loop: Callable[[], Loop | None] = lambda: None


@dataclass(frozen=True)
class Blocking:
    """A client that blocks its thread: the package, what each thread fetches with, and over what it can."""

    package: str
    connect: Callable[[Setup], AbstractContextManager[Fetch]]
    over: Collection[str] = ("plain",)


@asynccontextmanager
async def aiohttp(setup: Setup) -> AsyncIterator[Get]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=setup.in_flight, ssl=setup.ssl())
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(url: str) -> bytes:
            async with session.get(url) as answer:
                return await answer.read()

        yield get


@asynccontextmanager
async def httpx2(setup: Setup) -> AsyncIterator[Get]:
    import httpx2

    limits = httpx2.Limits(max_connections=setup.in_flight)
    async with httpx2.AsyncClient(limits=limits, verify=setup.ssl(), http2=setup.http2) as session:

        async def get(url: str) -> bytes:
            return (await session.get(url)).content

        yield get


@asynccontextmanager
async def niquests(setup: Setup) -> AsyncIterator[Get]:
    import niquests

    async with niquests.AsyncSession(pool_maxsize=setup.in_flight) as session:

        async def get(url: str) -> bytes:
            return (await session.get(url)).content or b""

        yield get


@asynccontextmanager
async def pyreqwest(setup: Setup) -> AsyncIterator[Get]:
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().max_connections(setup.in_flight)
    if pem := setup.pem():
        builder = builder.add_root_certificate_pem(pem)
    builder = builder.http2(True) if setup.http2 else builder.http1_only()
    async with builder.build() as session:

        async def get(url: str) -> bytes:
            return bytes(await (await session.get(url).build().send()).bytes())

        yield get


@asynccontextmanager
async def pyqwest(setup: Setup) -> AsyncIterator[Get]:
    from pyqwest import Client, HTTPTransport, HTTPVersion

    version = HTTPVersion.HTTP2 if setup.http2 else HTTPVersion.HTTP1
    async with HTTPTransport(tls_ca_cert=setup.pem(), http_version=version, enable_otel=False) as transport:
        session = Client(transport)

        async def get(url: str) -> bytes:
            return (await session.get(url)).content

        yield get


@asynccontextmanager
async def httpr(setup: Setup) -> AsyncIterator[Get]:
    import httpr

    async with httpr.AsyncClient() as session:

        async def get(url: str) -> bytes:
            return (await session.get(url)).content

        yield get


@asynccontextmanager
async def primp(setup: Setup) -> AsyncIterator[Get]:
    import primp

    session = primp.AsyncClient()

    async def get(url: str) -> bytes:
        return (await session.get(url)).content

    yield get


@asynccontextmanager
async def impit(setup: Setup) -> AsyncIterator[Get]:
    import impit

    async with impit.AsyncClient() as session:

        async def get(url: str) -> bytes:
            return (await session.get(url)).content

        yield get


@asynccontextmanager
async def wreq(setup: Setup) -> AsyncIterator[Get]:
    import wreq

    session = wreq.Client(tls_verify=Path(setup.ca) if setup.ca else True, http1_only=not setup.http2)

    async def get(url: str) -> bytes:
        return await (await session.get(url)).bytes()

    yield get


@asynccontextmanager
async def curl_cffi(setup: Setup) -> AsyncIterator[Get]:
    import curl_cffi

    version: Any = "v2" if setup.http2 else "v1"
    options: dict[str, Any] = {"verify": setup.ca or True, "http_version": version}
    async with curl_cffi.AsyncSession(max_clients=setup.in_flight, **options) as session:

        async def get(url: str) -> bytes:
            return (await session.get(url)).content

        yield get


@contextmanager
def pycurl_in_a_thread(setup: Setup) -> Iterator[Fetch]:
    import pycurl

    handle = pycurl.Curl()
    handle.setopt(pycurl.ACCEPT_ENCODING, "")
    if setup.ca:
        handle.setopt(pycurl.CAINFO, setup.ca)

    def fetch(url: str) -> bytes:
        handle.setopt(pycurl.URL, url)
        return handle.perform_rb()

    try:
        yield fetch
    finally:
        handle.close()


@contextmanager
def httpr_in_a_thread(setup: Setup) -> Iterator[Fetch]:
    import httpr

    with httpr.Client(ca_cert_file=setup.ca) as session:

        def fetch(url: str) -> bytes:
            return session.get(url).content

        yield fetch


def _uvloop() -> Loop:
    import uvloop

    return uvloop.new_event_loop


TLS = ("plain", "TLS")
ALL = ("plain", "TLS", "HTTP/2")
CLIENTS = {
    "aiohttp": Client("aiohttp", aiohttp, TLS),
    "aiohttp, uvloop": Client("uvloop", aiohttp, TLS, _uvloop),
    "httpx2": Client("httpx2", httpx2, ALL),
    "niquests": Client("niquests", niquests),
    "pyreqwest": Client("pyreqwest", pyreqwest, ALL),
    "pyqwest": Client("pyqwest", pyqwest, ALL),
    "httpr": Client("httpr", httpr),
    "primp": Client("primp", primp),
    "impit": Client("impit", impit),
    "wreq": Client("wreq", wreq, ALL),
    "curl_cffi": Client("curl_cffi", curl_cffi, ALL),
}
IN_THREADS = {
    "pycurl, threads": Blocking("pycurl", pycurl_in_a_thread, TLS),
    "httpr, threads": Blocking("httpr", httpr_in_a_thread, TLS),
}
