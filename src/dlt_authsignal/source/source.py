"""`authsignal_source`: the credentials found decide which APIs are read."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import dlt
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from dlt_authsignal.destination.redaction import hide_from_trace
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.credentials import clean_credential
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.request_limits import DEFAULT_RATE, RequestLimits, ceiling
from dlt_authsignal.source.http.rate_limiter import RateLimiter
from dlt_authsignal.source.incremental.delete_guard import DEFAULT_MAX_DELETES, limit
from dlt_authsignal.source.incremental.due import DEFAULT_STALENESS, Policy
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.queue import Budget
from dlt_authsignal.source.incremental.state_table import KnownReads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_of
from dlt_authsignal.source.resources.ceremonies import Asked
from dlt_authsignal.source.resources.ceremony_resources import ceremony_resources
from dlt_authsignal.source.resources.client import Client, client_resources
from dlt_authsignal.source.resources.server import Server, server_resources
from dlt_authsignal.source.user_ids import UserIdSources
from dlt_authsignal.source.user_ids.users_from import resolved

APIS: Final = ("client", "server")
ATTACHMENTS: Final = ("platform", "cross-platform")
PATHS: Final = ("authsignal", "dlthub")

logger = logging.getLogger(__name__)


@dlt.source(name="authsignal_source", section="authsignal_source", max_table_nesting=0)
def authsignal_source(
    token: TSecretStrValue | None = None,
    tenant_id: str | None = None,
    api_secret_key: TSecretStrValue | None = None,
    region: str = "us",
    base_url: str | None = None,
    apis: list[str] | None = None,
    users_from: str | list[str] | None = None,
    users_database: ConnectionStringCredentials | None = None,
    users_column: str | None = None,
    exclude_users: list[str] | None = None,
    page_size: int = 100,
    concurrency: int = 8,
    rate: Any = DEFAULT_RATE,  # dlt knows no type "a number or a word"
    shared_budget: TSecretStrValue | None = None,
    attempts: int = 6,
    backoff: float = 0.5,
    timeout: float = 60.0,
    username: TSecretStrValue | None = None,  # dlt writes what is not secret into its trace
    display_name: TSecretStrValue | None = None,
    authenticator_attachment: str | None = None,
    action: str | None = None,
    challenge_id: TSecretStrValue | None = None,
    authenticator: Any = None,
    origin: str | None = None,
    paths: str = "authsignal",
    max_staleness: str = DEFAULT_STALENESS,
    full: bool = False,
    refresh_users: list[str] | None = None,
    max_requests: int | None = None,
    max_duration: str | None = None,
    privacy: str = "pseudonymize",
    privacy_key: TSecretStrValue | None = None,
    privacy_columns: dict[str, Any] | None = None,
    privacy_allow: list[str] | None = None,
    max_deletes: str = DEFAULT_MAX_DELETES,
    accept_deletes: bool = False,
    reads: KnownReads | None = None,
    meter: RunMetrics | None = None,
) -> Any:
    """Everything Authsignal says through the APIs that the given credentials unlock.

    The passkey ceremonies (`passkey_initiate_challenge`, `passkey_authentication_options`,
    `passkey_verify_authentication`, `passkey_register_options`, `passkey_register`) change something at Authsignal and
    are read only when named: `authsignal_source().with_resources("passkey_register_options")`.

    Every argument but `authenticator`, `reads` and `meter` can stand in `.dlt/secrets.toml` under
    `[sources.authsignal_source]`, or in the environment as `SOURCES__AUTHSIGNAL_SOURCE__<NAME>`; what is neither secret
    nor personal, in `.dlt/config.toml` too.

    Args:
        token: Short-lived bearer token of one user; unlocks the Client API (`user_authenticators` of that user, and
            the ceremonies).
        tenant_id: The tenant's id, written into each row; alone it unlocks the ceremonies of a sign-in.
        api_secret_key: Server API secret; unlocks the Server API (`users`, `user_authenticators`, `user_actions`,
            `user_devices`, `tenant_authenticators`, `unknown_user_ids`, and `action_details` when named).
        region: `us`, `au`, `eu` or `ca`; where the tenant lives.
        base_url: Full base URL instead of the region's, for a proxy or the sandbox.
        apis: APIs to read; default all that the credentials give access to. Where both fill a table, the
            Server API does.
        users_from: Where the ids of the users come from, one or several: `listing` (the default), files (txt, csv, tsv,
            jsonl, parquet), queries (`DATABASE?query=SQL`), `known` (those of earlier runs). DATABASE is a URL,
            `users_database`, or `destination.NAME`.
        users_database: Credentials of the database that `users_database?query=SQL` asks, as dlt takes them: a URL, or
            its parts.
        users_column: Column that holds the ids, in files and queries; default the only one of a query, else `user_id`,
            `userId` or `id`.
        exclude_users: Ids to pass over, such as the canary of `dlt-authsignal probe`, which would count in every KPI.
        page_size: Users per page of the listing.
        concurrency: Requests in flight at once, over all tables.
        rate: Most requests a second, over all tables: a number, or `max` for as many as Authsignal takes.
        shared_budget: Path of a SQLite file, or URL of a Redis, where all processes with this key count their requests
            together, so that `rate` holds for all of them.
        attempts: Tries per request; connection errors, 429 and 5xx are retried.
        backoff: Seconds; the wait before retry n is random, at most `backoff * 2**n`.
        timeout: Seconds for one answer.
        username: Ceremonies: name of a new passkey; restricts whose passkeys may sign in.
        display_name: Ceremonies: name shown for a new passkey.
        authenticator_attachment: Ceremonies: `platform` or `cross-platform`.
        action: Ceremonies: action code of the sign-in.
        challenge_id: Ceremonies: a challenge begun elsewhere.
        authenticator: Ceremonies: makes and uses the passkey, by methods `create` and `get`; default a new
            `SoftwarePasskey`.
        origin: Ceremonies: origin that the software passkey speaks for; default the relying party's.
        paths: Ceremonies: `authsignal` for the paths of Authsignal's SDKs, `dlthub` for those of the dltHub page.
        max_staleness: A user who was read longer ago is read again: `7d`, `12h`, `90m`; at most 25 days.
        full: Read everybody, and all of their actions that the API has.
        refresh_users: Users to read in any case: somebody has heard that they changed.
        max_requests: Most requests for users in one run; who is left comes first in the next. Retries and details of
            actions come on top.
        max_duration: Longest time for reading users in one run, from when the list has been read: `1h`, `30m`.
        privacy: `pseudonymize` hashes what names a person, `keep` loads it as it is.
        privacy_key: Secret that it is hashed with; without one it is left out.
        privacy_columns: What is done to single columns instead, by `table.column` or `*.column`: `keep`, `hash`,
            `truncate` or `drop`.
        privacy_allow: Keys of free-form objects (`custom`, `output`), and columns that Authsignal added later, that are
            loaded as they are.
        max_deletes: A run in which more rows of one table would be marked as deleted loads nothing: a share of those
            that are there (20 may vanish in any case), or a number of rows.
        accept_deletes: Mark them all the same.
        reads: When each user was last read, from `known_reads(pipeline)`; only those who are due are read again. None
            reads everybody.
        meter: Counters to fill, for a progress display.

    Raises:
        CredentialsMissing: No credential gives access to an API, or to one asked for.
        ConfigurationError: A value that cannot be used.
    """
    hide_from_trace(
        "users_from", "refresh_users", "exclude_users"
    )  # a URL may hold a password, and an id be an e-mail address
    found = {"token": token, "tenant_id": tenant_id, "api_secret_key": api_secret_key}
    token, tenant_id, api_secret_key = (clean_credential(name, value) for name, value in found.items())
    blank = [name for name, value in found.items() if value is not None and clean_credential(name, value) is None]
    wanted = _wanted(apis, {"client": token or tenant_id, "server": api_secret_key}, blank)
    if page_size < 1:
        raise ConfigurationError(f"page_size must be above 0, got {page_size}.")
    pace = RequestLimits(
        concurrency=concurrency,
        rate=ceiling(rate),
        shared_budget=shared_budget,
        attempts=attempts,
        backoff=backoff,
        timeout=timeout,
    )
    protection = privacy_of(privacy, privacy_key, privacy_columns, privacy_allow)
    if protection.leaves_out and meter is None:  # whoever gave one shows what it says
        logger.warning(LEFT_OUT)
    base, meter = api_url(region, base_url), meter or RunMetrics()
    meter.rate, meter.leaves_out = pace.rate, protection.leaves_out
    resources: list[DltResource] = []
    if api_secret_key and "server" in wanted:
        meter.apis.append("server")
        server = Server(
            base=base,
            api_secret_key=api_secret_key,
            tenant_id=tenant_id,
            privacy=protection,
            throttle=RateLimiter(pace=pace),
            meter=meter,
        )
        plan = Plan(
            tables=frozenset(),
            privacy=protection,
            user_ids=UserIdSources(
                sources=resolved(users_from, users_database),
                column=users_column,
                page_size=page_size,
                exclude_users=frozenset(exclude_users or ()),
            ),
            policy=Policy(
                max_staleness=duration("max_staleness", max_staleness), full=full, named=frozenset(refresh_users or ())
            ),
            budget=_budget(max_requests, max_duration, reads),
            limit=limit(max_deletes, accepted=accept_deletes),
            reads=reads,
            has_detail=reads.has_detail if reads is not None else Plan.has_detail,
            list_first=pace.rate is not None,
        )
        resources += server_resources(server, plan)
    if (token or tenant_id) and "client" in wanted:
        meter.apis.append("client")
        client = Client(
            base=base,
            token=token,
            tenant_id=tenant_id,
            throttle=RateLimiter(pace=pace),
            meter=meter,
            privacy=protection,
        )
        asked = Asked(
            username=username,
            display_name=display_name,
            attachment=_one_of("authenticator_attachment", authenticator_attachment, ATTACHMENTS),
            action=action,
            challenge_id=challenge_id,
            authenticator=authenticator,
            origin=origin,
            paths=_one_of("paths", paths, PATHS) or PATHS[0],
        )
        taken = {resource.name for resource in resources}
        mine = [*client_resources(client), *ceremony_resources(client, asked)]
        resources += [resource for resource in mine if resource.name not in taken]
    if not resources:
        raise CredentialsMissing(blank=blank)
    return resources


def _budget(max_requests: int | None, max_duration: str | None, reads: KnownReads | None) -> Budget:
    if max_requests is not None and max_requests < 1:
        raise ConfigurationError(f"max_requests must be above 0, got {max_requests}.")
    if reads is None and (max_requests or max_duration):
        raise ConfigurationError(
            "max_requests and max_duration leave users to the next run, which has to know who was read: give"
            " authsignal_source(reads=known_reads(pipeline)), or run dlt-authsignal sync."
        )
    seconds = duration("max_duration", max_duration).total_seconds() if max_duration else None
    return Budget(max_requests=max_requests, max_seconds=seconds, clock=time.monotonic)


def _one_of(name: str, value: str | None, allowed: Sequence[str]) -> str | None:
    if value is not None and value not in allowed:
        raise ConfigurationError(f'{name} is one of {", ".join(allowed)}, not "{value}".')
    return value


def _wanted(apis: Sequence[str] | None, credentials: Mapping[str, str | None], blank: Sequence[str]) -> Sequence[str]:
    for api in apis or ():
        if api not in APIS:
            raise ConfigurationError(f'Unknown API "{api}". Known: {", ".join(APIS)}.')
        if not credentials[api]:
            raise CredentialsMissing(f"the {api.title()} API", blank)
    return apis or APIS
