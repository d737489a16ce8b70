"""The client's own dealings with HTTP: compression, the size cap, what it sends, and a proxy."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from yarl import URL

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.errors import ServerFault, TooLarge
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import Api, connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.http.transport import MAX_BODY_BYTES
from dlt_authsignal.source.metrics.run_metrics import RunMetrics

Answer = Callable[[web.Request], Awaitable[web.Response]]


async def asked(answer: Answer, ask: Callable[[Api], Awaitable[Any]], pace: RequestLimits | None = None) -> Any:
    """What `ask` gets out of a server that answers everything with `answer`."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = URL(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        async with connect(
            base,
            {"server": basic_auth("k")},
            RateLimiter(pace=pace or RequestLimits(rate=None, attempts=1)),
            RunMetrics(),
        ) as api:
            return await ask(api)
    finally:
        await runner.cleanup()


async def authenticators(api: Api) -> Any:
    return await api.get(GET_USER_AUTHENTICATORS, list, userId="u")


def zipped(body: bytes) -> web.Response:
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=gzip.compress(body), headers=headers)


def test_compressed_responses_are_requested_and_read() -> None:
    wanted: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        wanted.append(request.headers.get("Accept-Encoding", ""))
        return zipped(b'[{"userAuthenticatorId": "a"}]')

    assert asyncio.run(asked(answer, authenticators)) == [{"userAuthenticatorId": "a"}]
    assert "gzip" in wanted[0]


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "plain"])
def test_a_response_over_the_size_limit_is_refused_by_its_decompressed_size(compress: bool) -> None:
    body, requests = b"[" + b" " * MAX_BODY_BYTES + b"]", 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return zipped(body) if compress else web.Response(body=body)

    with pytest.raises(TooLarge, match="exceeds"):
        asyncio.run(asked(answer, authenticators, RequestLimits(rate=None, attempts=3, backoff=0.01)))
    assert requests == 1


@pytest.mark.parametrize(("status", "times"), [(501, 1), (505, 1), (503, 3)])
def test_a_status_that_no_retry_can_change_is_requested_once(status: int, times: int) -> None:
    requests = 0

    async def answer(_request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=status)

    with pytest.raises(ServerFault):
        asyncio.run(asked(answer, authenticators, RequestLimits(rate=None, attempts=3, backoff=0.01)))
    assert requests == times


def test_a_response_in_chunks_is_joined() -> None:
    async def answer(request: web.Request) -> Any:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for piece in (b'[{"userAuth', b"", b'enticatorId": "a"}', b"]"):
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    assert asyncio.run(asked(answer, authenticators)) == [{"userAuthenticatorId": "a"}]


def test_a_proxy_of_the_environment_is_used_but_not_for_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.url.host or "")
        return web.json_response([])

    async def through_a_proxy(api: Api) -> Any:
        monkeypatch.setenv("http_proxy", str(URL(api._prefix).origin()))
        other = URL("http://authsignal.example/v1")
        async with connect(
            other, {"server": basic_auth("k")}, RateLimiter(pace=RequestLimits(attempts=1)), RunMetrics()
        ) as proxied:
            await authenticators(proxied)
        return await authenticators(api)

    asyncio.run(asked(answer, through_a_proxy))
    assert seen == ["authsignal.example", "127.0.0.1"]
