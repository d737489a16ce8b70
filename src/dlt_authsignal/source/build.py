"""Build the source's resources from its settings. The credentials decide which APIs are read."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from dlt.extract import DltResource

from dlt_authsignal.destination.dlt_patches import offer_defaults
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.request_limits import RequestLimits, limits_of
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.incremental.delete_guard import limit
from dlt_authsignal.source.incremental.due import Policy
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.queue import Budget
from dlt_authsignal.source.incremental.state.known_reads import KnownReads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.resources.ceremonies import Asked
from dlt_authsignal.source.resources.ceremony_resources import ceremony_resources
from dlt_authsignal.source.resources.client import Client, client_resources, tenant_of
from dlt_authsignal.source.resources.management import Management, management_resources
from dlt_authsignal.source.resources.reading import Server
from dlt_authsignal.source.resources.server import server_resources
from dlt_authsignal.source.shards.round import Round
from dlt_authsignal.source.tenant.check import Evidence
from dlt_authsignal.source.user_ids import UserIdSources
from dlt_authsignal.source.user_ids.users_from import resolved

APIS: Final = ("server", "client", "management")

OnPlanned = Callable[[float | None], None]
"""Called when all users who are due are known, before the first one is read, with the limit on requests per second;
None means no limit."""


def resources_of(
    settings: SourceSettings,
    *,
    reads: KnownReads | None = None,
    metrics: RunMetrics | None = None,
    on_planned: OnPlanned | None = None,
    shards: Round | None = None,
) -> list[DltResource]:
    """Return the resources of every API that is read. If two APIs can fill a table, the Server API does.

    With `shards`, the tables of users are filled from them.

    Raises:
        CredentialsMissing: No credential gives access to an API, or to one in `apis`.
        ConfigurationError: A setting is wrong.
    """
    offer_defaults()
    metrics, limits, privacy = metrics or RunMetrics(), limits_of(settings), privacy_from(settings)
    resources: list[DltResource] = []
    for api in apis_of(settings):
        if api == "server":
            plan = _plan(settings, privacy, limits, reads, on_planned)
            found = server_resources(_server(settings, privacy, limits, metrics, shards), plan)
        elif api == "management":
            found = management_resources(_management(settings, privacy, limits, metrics))
        else:
            client = _client(settings, privacy, limits, metrics)
            found = [*client_resources(client, evidence_of(settings)), *ceremony_resources(client, _asked(settings))]
        taken = {resource.name for resource in resources}
        resources += [resource for resource in found if resource.name not in taken]
    return resources


def apis_of(settings: SourceSettings) -> Sequence[str]:
    """Return the APIs that are read, the Server API first.

    Raises:
        CredentialsMissing: No credential gives access to an API, or to one in `apis`.
        ConfigurationError: An API in `apis` is unknown.
    """
    credentials = {
        "server": settings.api_secret_key,
        "client": settings.token or settings.tenant_id,
        "management": settings.management_secret_key,
    }
    for api in settings.apis or ():
        if api not in APIS:
            raise ConfigurationError(f'Unknown API "{api}". APIs: {", ".join(APIS)}. Nothing was loaded.')
        if not credentials[api]:
            raise CredentialsMissing(f"the {api.title()} API", settings.blank)
    found = [api for api in APIS if credentials[api] and api in (settings.apis or APIS)]
    if not found:
        raise CredentialsMissing(blank=settings.blank)
    return found


def evidence_of(settings: SourceSettings) -> Evidence:
    """Return what the settings say about the tenant."""
    apis = apis_of(settings)
    return Evidence(
        base=settings.base,
        key=settings.api_secret_key if "server" in apis else None,
        named=settings.tenant_id,
        returned=tenant_of(settings.token) if "client" in apis else None,
        accept_new_key=settings.accept_new_key,
    )


def shard_reader(
    settings: SourceSettings, part: Part, reads: KnownReads, metrics: RunMetrics, on_planned: OnPlanned | None = None
) -> tuple[Server, Plan]:
    """Return how one shard reads. Its rate is divided by the number of shards, unless `shared_budget` is set.

    Raises:
        CredentialsMissing: There is no key of the Server API.
        ConfigurationError: A setting is wrong.
    """
    if "server" not in apis_of(settings):
        raise CredentialsMissing("the Server API", settings.blank)
    limits, privacy = limits_of(settings), privacy_from(settings)
    if limits.rate is not None and not limits.shared_budget:
        limits = replace(limits, rate=limits.rate / part.of)
    plan = replace(_plan(settings, privacy, limits, reads, on_planned), part=part)
    return _server(settings, privacy, limits, metrics), plan


def _server(
    settings: SourceSettings,
    privacy: Privacy,
    limits: RequestLimits,
    metrics: RunMetrics,
    shards: Round | None = None,
) -> Server:
    return Server(
        api_secret_key=settings.api_secret_key or "",
        evidence=evidence_of(settings),
        workers=settings.workers,
        shards=shards,
        engine=settings.engine,
        ray_address=settings.ray_address,
        **_connection(settings, privacy, limits, metrics),
    )


def _management(settings: SourceSettings, privacy: Privacy, limits: RequestLimits, metrics: RunMetrics) -> Management:
    return Management(
        management_secret_key=settings.management_secret_key or "",
        limit=limit(settings.max_deletes, accepted=settings.accept_deletes),
        **_connection(settings, privacy, limits, metrics),
    )


def _client(settings: SourceSettings, privacy: Privacy, limits: RequestLimits, metrics: RunMetrics) -> Client:
    return Client(token=settings.token, **_connection(settings, privacy, limits, metrics))


def _connection(
    settings: SourceSettings, privacy: Privacy, limits: RequestLimits, metrics: RunMetrics
) -> dict[str, Any]:
    """Return what the connections to all APIs have in common. Each key has its own rate limiter."""
    return {
        "base": settings.base,
        "tenant_id": settings.tenant_id,
        "privacy": privacy,
        "throttle": RateLimiter(pace=limits),
        "meter": metrics,
    }


def _plan(
    settings: SourceSettings,
    privacy: Privacy,
    limits: RequestLimits,
    reads: KnownReads | None,
    on_planned: OnPlanned | None,
) -> Plan:
    return Plan(
        tables=frozenset(),
        privacy=privacy,
        user_ids=UserIdSources(
            sources=resolved(settings.users_from, settings.users_database),
            column=settings.users_column,
            page_size=settings.page_size,
            exclude_users=frozenset(settings.exclude_users or ()),
        ),
        policy=Policy(
            max_staleness=duration("max_staleness", settings.max_staleness),
            full=settings.full,
            named=frozenset(settings.refresh_users or ()),
        ),
        budget=_budget(settings, reads),
        limit=limit(settings.max_deletes, accepted=settings.accept_deletes),
        reads=reads,
        has_detail=reads.has_detail if reads is not None else Plan.has_detail,
        list_first=limits.rate is not None,
        on_planned=(lambda: on_planned(limits.rate)) if on_planned else Plan.on_planned,
    )


def _budget(settings: SourceSettings, reads: KnownReads | None) -> Budget:
    if reads is None and (settings.max_requests or settings.max_duration):
        raise ConfigurationError(
            "max_requests and max_duration leave users for the next run, which needs the earlier reads. Nothing was"
            " loaded. Call dlt_authsignal.sync(pipeline, …), or pass authsignal_source(reads=known_reads(pipeline))."
        )
    longest = duration("max_duration", settings.max_duration).total_seconds() if settings.max_duration else None
    if longest == 0:
        raise ConfigurationError(
            f'max_duration is "{settings.max_duration}", so no user would be read. Nothing was loaded. Leave it out to'
            " read all users that are due."
        )
    return Budget(max_requests=settings.max_requests, max_seconds=longest, clock=time.monotonic)


def _asked(settings: SourceSettings) -> Asked:
    return Asked(
        username=settings.username,
        display_name=settings.display_name,
        attachment=settings.authenticator_attachment,
        action=settings.action,
        challenge_id=settings.challenge_id,
        authenticator=settings.authenticator,
        origin=settings.origin,
        paths=settings.paths,
    )
