"""Check what each configured key gives access to, by reading a little with it."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS, PASSKEY_KNOWN
from dlt_authsignal.api.endpoints import REGIONS, basic_auth, bearer_auth
from dlt_authsignal.api.server_endpoints import GET_TENANT_AUTHENTICATORS
from dlt_authsignal.errors import HttpError, ListingRefused, RequestRefused, TokenExpired, Unauthorized
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.http.client import Api, connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.resources.client import Client
from dlt_authsignal.source.resources.configuration import read_configuration
from dlt_authsignal.source.user_ids.listing import listing

PATIENCE: Final = RequestLimits(concurrency=4, rate=None, attempts=2, backoff=0.2, timeout=15.0)

REFUSED: Final = "Authsignal refuses it: it is wrong, or belongs to another region."

_BY_TENANT: Final = ("passkey_initiate_challenge", "passkey_authentication_options", "passkey_verify_authentication")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Result of the check of one key.

    Attributes:
        setting: Name of the key.
        works: Whether Authsignal accepts it.
        tables: Tables that the pipeline can load with it.
        notes: What it gives access to, or why it does not work.
        fix: What to do; empty if there is nothing to do.
        lists_users: False if the key works, but the tenant refuses to list its users.
    """

    setting: str
    works: bool
    tables: Sequence[str] = ()
    notes: Sequence[str] = ()
    fix: str = ""
    lists_users: bool = True


def check(found: SourceSettings) -> list[Finding]:
    """Check every configured key. Only reads.

    Raises:
        Unreachable: Authsignal does not respond.
    """
    return asyncio.run(_check(found))


def region_of(api_secret_key: str) -> str | None:
    """Return the region in which a Server API secret key is accepted; None if in none."""

    async def ask(base: str) -> bool:
        try:
            async with _api(URL(base), server=basic_auth(api_secret_key)) as api:
                await api.get(GET_TENANT_AUTHENTICATORS, list)
        except HttpError:
            return False
        return True

    async def everywhere() -> list[bool]:
        return await asyncio.gather(*map(ask, REGIONS.values()))

    return next((region for region, taken in zip(REGIONS, asyncio.run(everywhere()), strict=True) if taken), None)


async def _check(found: SourceSettings) -> list[Finding]:
    asked: list[Awaitable[Finding]] = []
    if found.api_secret_key:
        asked.append(_server(found.base, found.api_secret_key))
    if found.management_secret_key:
        asked.append(_management(found.base, found.management_secret_key, found.tenant_id))
    if found.tenant_id:
        asked.append(_tenant(found.base, found.tenant_id))
    if found.token:
        asked.append(_token(found.base, found.token, found.tenant_id))
    return list(await asyncio.gather(*asked))


def _api(base: URL, **auth: str) -> Any:
    return connect(base, auth, RateLimiter(pace=PATIENCE), RunMetrics())


async def _server(base: URL, api_secret_key: str) -> Finding:
    setting = "api_secret_key"
    try:
        async with _api(base, server=basic_auth(api_secret_key)) as api:
            await api.get(GET_TENANT_AUTHENTICATORS, list)
            lists_users = await _lists(api)
    except Unauthorized:
        return _refused(setting, "Copy it again (portal: Settings, API keys), and check region.")
    note = "The tenant lists its users." if lists_users else "The tenant does not list its users."
    fix = "" if lists_users else "Supply their ids: dlt-authsignal sync --users-from ids.csv"
    return Finding(
        setting=setting, works=True, tables=_tables("server"), notes=[note], fix=fix, lists_users=lists_users
    )


async def _management(base: URL, management_secret_key: str, tenant_id: str | None) -> Finding:
    setting = "management_secret_key"
    try:
        async with _api(base, management=basic_auth(management_secret_key)) as api:
            found = await read_configuration(api)
    except Unauthorized:
        return _refused(
            setting,
            "Copy it again (portal: Settings, API keys), and check region. It is not the same key as api_secret_key.",
        )
    if tenant_id and found.tenant_id and found.tenant_id != tenant_id:
        return _refused(
            setting,
            "Use the key of that tenant, or correct tenant_id.",
            "It belongs to a different tenant than tenant_id.",
        )
    tables = [name for name in _tables("management") if name not in found.refused]
    notes = [f"It is not allowed to read {', '.join(found.refused)}."] if found.refused else []
    return Finding(setting=setting, works=True, tables=tables, notes=notes)


def _refused(setting: str, fix: str, note: str = REFUSED) -> Finding:
    return Finding(setting=setting, works=False, notes=[note], fix=fix)


async def _lists(api: Api) -> bool:
    try:
        async for _page in listing(api, 1):
            break
    except ListingRefused:
        return False
    return True


async def _tenant(base: URL, tenant_id: str) -> Finding:
    try:
        async with _api(base, tenant=basic_auth(tenant_id)) as api:
            await api.get(PASSKEY_KNOWN, dict, {"credentialIds": "none"})
    except Unauthorized:
        return _refused("tenant_id", "Copy it again (portal: Settings, API keys), and check region.")
    except RequestRefused:
        pass  # no such credential exists, but the tenant does, or this would be a 401
    return Finding(setting="tenant_id", works=True, tables=_BY_TENANT, notes=["Read only when selected."])


async def _token(base: URL, token: str, tenant_id: str | None) -> Finding:
    returned = Client(
        base=base, token=token, tenant_id=None, throttle=RateLimiter(pace=PATIENCE), meter=RunMetrics()
    ).tenant
    if tenant_id and returned and returned != tenant_id:
        return _refused(
            "token",
            "Get a token of that tenant, or correct tenant_id.",
            "It belongs to a different tenant than tenant_id.",
        )
    try:
        async with _api(base, bearer=bearer_auth(token)) as api:
            await api.get(CLIENT_AUTHENTICATORS, list)
    except TokenExpired:
        return _refused("token", "Get a new one by tracking an action on your server.", "It has expired.")
    except Unauthorized:
        return _refused("token", "Get a new one by tracking an action on your server, and check region.")
    tables = [name for name in _tables("client") if name not in _BY_TENANT]
    return Finding(
        setting="token", works=True, tables=tables, notes=["It gives access to one user, for about ten minutes."]
    )


def _tables(api: str) -> list[str]:
    opt_in = {table.name for table in CEREMONIES} if api == "client" else set()
    return [name for name, table in TABLES.items() if api in table.apis and (not table.opt_in or name in opt_in)]
