"""The receiver as an ASGI application."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.destination.dlt_patches import rare_garbage_collection, short_turns
from dlt_authsignal.errors import ConfigurationError, SpoolUnavailable
from dlt_authsignal.receiver.admission import Admission
from dlt_authsignal.receiver.http.endpoint import Endpoint
from dlt_authsignal.receiver.intake import Intake
from dlt_authsignal.receiver.limits import Limits
from dlt_authsignal.receiver.metrics import CONTENT_TYPE, Metrics
from dlt_authsignal.receiver.repeated_load import RepeatedLoad
from dlt_authsignal.source.config.event_settings import (
    DEFAULT_TENANT,
    EventSettings,
    EventTenant,
    resolved_event_settings,
)
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_from
from dlt_authsignal.spool import Spool, open_spool
from dlt_authsignal.spool.encryption import Sealer

logger: Final = logging.getLogger("dlt_authsignal.receiver")

MOST_THREADS: Final = 32


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What the routes share."""

    spool: Spool
    settings: EventSettings
    limits: Limits
    admission: Admission
    metrics: Metrics
    executor: ThreadPoolExecutor
    load: RepeatedLoad | None


def make_app(
    settings: EventSettings | None,
    source: SourceSettings | None,
    *,
    tenants: Sequence[str] | None,
    limits: Limits | None,
    load: RepeatedLoad | None,
) -> Starlette:
    """Return the application. `create_app` describes the arguments."""
    source = resolved_settings() if source is None else source
    settings = resolved_event_settings(source=source) if settings is None else settings
    limits = limits or Limits()
    received = _received(settings, tenants)
    if privacy_from(source).leaves_out:
        logger.warning(LEFT_OUT)
    parts = _Parts(
        spool=open_spool(settings.spool),
        settings=settings,
        limits=limits,
        admission=Admission(settings.max_in_flight, limits),
        metrics=Metrics(),
        executor=ThreadPoolExecutor(min(settings.max_in_flight, MOST_THREADS), thread_name_prefix="delivery"),
        load=load,
    )
    routes = [Route(str(each.path), _endpoint(each, source, parts), methods=["POST"]) for each in received]
    app = Starlette(routes=[*routes, *_pages(parts)], lifespan=lambda _app: _running(parts))
    app.router.redirect_slashes = False
    return app


def _received(settings: EventSettings, names: Sequence[str] | None) -> list[EventTenant]:
    """Return the tenants to receive, each with a path and a key."""
    found = [settings.tenant(name) for name in names] if names else list(settings.tenants.values())
    chosen = [each for each in found if names or each.path]
    if not chosen or any(each.path is None for each in chosen):
        raise ConfigurationError(
            "No webhook path is set. Nothing is received. Run dlt-authsignal init --events, or set path under"
            " [sources.authsignal_events] in .dlt/secrets.toml."
        )
    for each in chosen:
        if not each.keys:
            raise ConfigurationError(
                f'No key was found to verify the events of tenant "{each.name}". Nothing is received. Set'
                f" api_secret_key under [{_section(each.name)}] in .dlt/secrets.toml, or run dlt-authsignal init."
            )
    return chosen


def _section(tenant: str) -> str:
    return "sources.authsignal_events" if tenant == DEFAULT_TENANT else f"sources.authsignal_events.tenants.{tenant}"


def _endpoint(tenant: EventTenant, source: SourceSettings, parts: _Parts) -> Endpoint:
    settings = parts.settings
    privacy = privacy_from(replace(source, tenant_id=tenant.tenant_id))
    return Endpoint(
        tenant.name,
        intake=Intake(
            tenant=tenant.name,
            keys=tenant.keys,
            tolerance=settings.tolerance,
            shaper=EventShaper(privacy, tenant_id=tenant.tenant_id),
            spool=parts.spool,
            sealer=Sealer(settings.encryption_keys) if settings.encryption_keys else None,
            body_bytes=parts.limits.body_bytes,
            records=parts.limits.records,
        ),
        admission=parts.admission,
        executor=parts.executor,
        metrics=parts.metrics,
        limits=parts.limits,
    )


def _pages(parts: _Parts) -> list[Route]:
    async def healthz(_request: Request) -> Response:
        reason = _why_not_ready(parts.admission)
        content: Mapping[str, str] = {"status": "unavailable", "reason": reason} if reason else {"status": "ok"}
        return Response(json.dumps(content), 503 if reason else 200, media_type="application/json")

    async def metrics(_request: Request) -> Response:
        parts.metrics.in_flight.set(parts.admission.in_flight)
        parts.metrics.ready.set(0 if _why_not_ready(parts.admission) else 1)
        return Response(parts.metrics.text(), headers={"content-type": CONTENT_TYPE})

    return [Route("/healthz", healthz), Route("/metrics", metrics)]


def _why_not_ready(admission: Admission) -> str | None:
    if admission.is_disk_full:
        return "the disk is nearly full"
    return "the spool cannot be written" if admission.is_failing else None


@asynccontextmanager
async def _running(parts: _Parts) -> AsyncIterator[None]:
    """Watch the spool, and load, while the application runs. A spool that is away at the start is tried again."""
    loop = asyncio.get_running_loop()
    await _look(parts, is_first=True)
    tasks = [asyncio.create_task(_watch(parts))]
    if parts.load:
        tasks.append(asyncio.create_task(parts.load.run(parts.metrics.loaded)))
    try:
        # a delivery of 500 events is ten thousand objects without cycles
        with short_turns(), rare_garbage_collection():
            yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await loop.run_in_executor(None, parts.executor.shutdown)


async def _watch(parts: _Parts) -> None:
    while True:
        await asyncio.sleep(parts.limits.check_seconds)
        await _look(parts)


async def _look(parts: _Parts, *, is_first: bool = False) -> None:
    """Compare the disk with its limit; at the start and after a failure, find out whether the spool can be written."""
    loop, admission = asyncio.get_running_loop(), parts.admission
    try:
        used = await loop.run_in_executor(None, parts.spool.used_share)
        if admission.is_failing or is_first:
            await loop.run_in_executor(None, parts.spool.prepare)
    except SpoolUnavailable as error:
        if not admission.is_failing:
            logger.error("Deliveries are refused with 503: %s", error)
        admission.is_failing = True
        return
    if admission.is_failing:
        logger.warning("The spool can be written again.")
    admission.is_failing = False
    if used is None:
        return
    parts.metrics.disk_used.set(used)
    is_full = used > parts.settings.disk_limit
    if is_full != admission.is_disk_full:
        limit = parts.settings.disk_limit
        what = "deliveries are refused with 503" if is_full else "deliveries are accepted again"
        logger.warning("The disk of the spool is %.1f %% full (limit %.0f %%): %s.", used * 100, limit * 100, what)
    admission.is_disk_full = is_full
