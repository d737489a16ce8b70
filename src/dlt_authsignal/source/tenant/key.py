"""Check that a key works, before it is taken for the key of another tenant."""

from anyio.from_thread import start_blocking_portal

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.server_endpoints import GET_TENANT_AUTHENTICATORS
from dlt_authsignal.source.config.request_limits import limits_of
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics


def check_key(settings: SourceSettings, metrics: RunMetrics) -> None:
    """Send one request with the Server API secret key.

    Raises:
        Unauthorized: Authsignal refuses the key.
        HttpError: Authsignal cannot be reached.
    """
    auth = {"server": basic_auth(settings.api_secret_key or "")}

    async def ask() -> None:
        async with connect(settings.base, auth, RateLimiter(pace=limits_of(settings)), metrics) as api:
            await api.get(GET_TENANT_AUTHENTICATORS, list)

    with start_blocking_portal("asyncio") as portal:
        portal.call(ask)
