"""Faults that hit a few requests in a hundred cost those requests a retry, and do not lower the rate of the others."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_USER_AUTHENTICATORS
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from tests.helpers import SECRET
from tests.tiers import deep_after

EACH = 75
WORKERS = 8
LONE: dict[str, dict[str, Any]] = {
    "429": {"kind": "status", "status": 429},
    "429 with Retry-After": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "503": {"kind": "status", "status": 503},
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut"},
    "timeout": {"kind": "delay", "seconds": 30.0},
    "late": {"kind": "delay", "seconds": 0.7},
}


@pytest.fixture
def quiet() -> Iterator[RunningSandbox]:
    with run_in_thread(SandboxConfig(users=0, seed=7)) as running:
        yield running


async def ask(running: RunningSandbox, limiter: RateLimiter, metrics: RunMetrics) -> list[float | None]:
    """Send requests from several workers, and return the rates that were allowed after each response."""
    rates: list[float | None] = []

    async def work() -> None:
        for _ in range(EACH):
            await api.get(GET_USER_AUTHENTICATORS, list, userId="u")
            rates.append(limiter.rate)

    address = api_url(None, running.url)
    async with connect(address, {"server": basic_auth(SECRET)}, limiter, metrics) as api:
        await asyncio.gather(*[work() for _ in range(WORKERS)])
    return rates


@pytest.mark.parametrize("fault", deep_after(2, list(LONE)))
def test_lone_faults_do_not_lower_the_rate(quiet: RunningSandbox, fault: str) -> None:
    quiet.sandbox.faults.add(Fault(route="*", times=None, probability=0.03, seed=3, **LONE[fault]))
    limiter, metrics = RateLimiter(pace=RequestLimits(rate=None, timeout=1.0, backoff=0.05)), RunMetrics()
    rates = asyncio.run(ask(quiet, limiter, metrics))
    assert len(rates) == EACH * WORKERS
    assert metrics.retries or fault == "late"
    assert metrics.waiting == 0
    slowest = min((rate for rate in rates if rate is not None), default=None)
    assert slowest is None or slowest > 30
    assert sum(rate is None for rate in rates) > len(rates) / 2
