"""The interface between the API client and the library that sends its requests. Only this module and what it imports
know which library that is: decision 28."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple, Protocol

import aiohttp
from anyio import to_thread
from yarl import URL

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.errors import TooLarge
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.connection_faults import unreachable
from dlt_authsignal.source.http.proxy import proxy_for
from dlt_authsignal.source.http.session import read_only_session

MAX_BODY_BYTES: Final = 64 * 1024 * 1024


class Response(NamedTuple):
    """A response; the body is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends single requests: without retries, without following redirects, and within the time limit of a request."""

    async def get(self, endpoint: Endpoint, url: URL, headers: Mapping[str, str]) -> Response:
        """Send a GET request and return the response.

        Args:
            endpoint: The route, for messages.
            url: The encoded address.
            headers: Headers of this request.

        Raises:
            HttpError: No response came. The error does not contain the address or the headers.
            TooLarge: The body exceeds `MAX_BODY_BYTES`.
        """


class AiohttpTransport:
    """Sends requests with aiohttp."""

    def __init__(self, session: aiohttp.ClientSession, base: URL) -> None:
        self._session = session
        self._base = base

    async def get(self, endpoint: Endpoint, url: URL, headers: Mapping[str, str]) -> Response:
        """Send a GET request and return the response, see `Transport.get`."""
        try:
            async with self._session.request(endpoint.method, url, headers=headers, allow_redirects=False) as answer:
                return Response(answer.status, answer.headers, await _body(endpoint, answer))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            caught = error
        # outside of `except`: aiohttp's exception contains the URL and the headers
        failure = await to_thread.run_sync(unreachable, endpoint, self._base, caught, proxy_for(self._base))
        raise failure


@asynccontextmanager
async def open_transport(pace: RequestLimits, base: URL) -> AsyncIterator[Transport]:
    """Open connections that send only GET, for the duration of the block."""
    async with read_only_session(pace, base) as session:
        yield AiohttpTransport(session, base)


async def _body(endpoint: Endpoint, answer: aiohttp.ClientResponse) -> bytes:
    """Return the decompressed body, which usually arrives in one piece."""
    content = answer.content
    body = await content.readany()
    if not content.at_eof():
        chunks, size = [body], len(body)
        while size <= MAX_BODY_BYTES and (chunk := await content.readany()):
            chunks.append(chunk)
            size += len(chunk)
        body = b"".join(chunks)
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(
            f"Authsignal's response to {endpoint} exceeds {MAX_BODY_BYTES:,} bytes. It was not requested again."
            " Check that base_url points at the Authsignal API (…/v1) and that no proxy answers in its place.",
            request=str(endpoint),
        )
    return body
