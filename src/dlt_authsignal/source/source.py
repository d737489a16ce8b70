"""`authsignal_source`: what is read from Authsignal, as a dlt source."""

import logging
from typing import Any, Final, Never

import dlt
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.common.typing import TSecretStrValue

from dlt_authsignal.destination.redaction import hide_from_trace
from dlt_authsignal.project.pipelines import check_active_pipeline
from dlt_authsignal.source.build import OnPlanned, resources_of
from dlt_authsignal.source.config.resolve import check_configured, check_names
from dlt_authsignal.source.config.source_settings import NAMES, SourceConfiguration, SourceSettings
from dlt_authsignal.source.incremental.state_table import KnownReads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_from

NAME: Final = "authsignal_source"

logger = logging.getLogger(__name__)


@dlt.source(name=NAME, section=NAME, max_table_nesting=0, spec=SourceConfiguration)
def authsignal_source(
    token: TSecretStrValue | None = SourceSettings.token,
    tenant_id: str | None = SourceSettings.tenant_id,
    api_secret_key: TSecretStrValue | None = SourceSettings.api_secret_key,
    region: str = SourceSettings.region,
    base_url: str | None = SourceSettings.base_url,
    apis: list[str] | None = SourceSettings.apis,
    users_from: str | list[str] | None = SourceSettings.users_from,
    users_database: ConnectionStringCredentials | None = SourceSettings.users_database,
    users_column: str | None = SourceSettings.users_column,
    exclude_users: list[str] | None = SourceSettings.exclude_users,
    page_size: int = SourceSettings.page_size,
    concurrency: int = SourceSettings.concurrency,
    rate: Any = SourceSettings.rate,
    shared_budget: TSecretStrValue | None = SourceSettings.shared_budget,
    attempts: int = SourceSettings.attempts,
    backoff: float = SourceSettings.backoff,
    timeout: float = SourceSettings.timeout,
    username: TSecretStrValue | None = SourceSettings.username,
    display_name: TSecretStrValue | None = SourceSettings.display_name,
    authenticator_attachment: str | None = SourceSettings.authenticator_attachment,
    action: str | None = SourceSettings.action,
    challenge_id: TSecretStrValue | None = SourceSettings.challenge_id,
    authenticator: Any = SourceSettings.authenticator,
    origin: str | None = SourceSettings.origin,
    paths: str = SourceSettings.paths,
    max_staleness: str = SourceSettings.max_staleness,
    full: bool = SourceSettings.full,
    refresh_users: list[str] | None = SourceSettings.refresh_users,
    max_requests: int | None = SourceSettings.max_requests,
    max_duration: str | None = SourceSettings.max_duration,
    privacy: str = SourceSettings.privacy,
    privacy_key: TSecretStrValue | None = SourceSettings.privacy_key,
    former_privacy_keys: TSecretStrValue | None = SourceSettings.former_privacy_keys,
    privacy_columns: dict[str, Any] | None = SourceSettings.privacy_columns,
    privacy_allow: list[str] | None = SourceSettings.privacy_allow,
    max_deletes: str = SourceSettings.max_deletes,
    accept_deletes: bool = SourceSettings.accept_deletes,
    reads: KnownReads | None = None,
    metrics: RunMetrics | None = None,
    **unknown: Never,
) -> Any:
    """Read everything that the given credentials give access to, as resources to load, select or combine.

    `pipeline.run(authsignal_source())` loads what is read, and does no more. It reads all users on every run, unless
    `reads=known_reads(pipeline)` says when each was last read. It marks no deleted rows and writes no history (call
    `update_history(pipeline)` afterwards), its delete guard knows no earlier run, it takes no lock, and it is not
    recorded in `sync_runs`. `dlt_authsignal.sync(pipeline)` does all of that.

    The five passkey ceremonies (`passkey_initiate_challenge`, `passkey_authentication_options`,
    `passkey_verify_authentication`, `passkey_register_options`, `passkey_register`) change data at Authsignal and run
    only when selected: `authsignal_source().with_resources("passkey_register_options")`.

    Every argument that is not only in Python can be set in `.dlt/secrets.toml` under `[sources.authsignal_source]`, or
    as the environment variable `SOURCES__AUTHSIGNAL_SOURCE__<NAME>`; those that are neither secret nor personal in
    `.dlt/config.toml` too.

    Args:
        token: Short-lived bearer token of one user. Gives access to the Client API: `user_authenticators` of that user,
            and the passkey ceremonies.
        tenant_id: The tenant's id, written into each row. Alone it gives access to the ceremonies of a sign-in.
        api_secret_key: Server API secret. Gives access to `users`, `user_authenticators`, `user_actions`,
            `user_devices`, `tenant_authenticators`, `unknown_user_ids`, and `action_details` when selected.
        region: Where the tenant is: `us`, `au`, `eu` or `ca`.
        base_url: Full base URL instead of the region's, for a proxy or the sandbox.
        apis: APIs to read, such as `["server"]`. Default: all that the credentials give access to. Where both fill a
            table, the Server API does.
        users_from: Where user ids come from, one source or a list: `listing` (the default), files (txt, csv, tsv,
            jsonl, parquet), queries (`DATABASE?query=SQL`), `known` (ids of earlier runs). DATABASE is a URL,
            `users_database`, or `destination.NAME`.
        users_database: Credentials of the database that `users_database?query=SQL` queries, as dlt takes them: a URL,
            or its parts. Belongs in secrets.toml.
        users_column: Column of the ids, in files and queries. Default: the only one of a query, else `user_id`,
            `userId` or `id`.
        exclude_users: Ids of users to skip, such as the canary user of `dlt-authsignal probe`.
        page_size: Users per page of the user list.
        concurrency: Requests in flight, over all tables.
        rate: Most requests a second, over all tables: a number, or `max` for no limit but Authsignal's. Authsignal's
            limit is shared with your users who sign in.
        shared_budget: Path of a SQLite file, or URL of a Redis (extra `[redis]`), where all processes with this key
            count their requests, so that `rate` holds for all of them together.
        attempts: Tries per request. Connection errors, 429 and 5xx are retried; 429 gets three times as many.
        backoff: Seconds. The wait before retry n is random, at most `backoff * 2**n`, never over 30.
        timeout: Seconds for one response.
        username: Ceremonies: name of a new passkey; restricts whose passkeys may sign in.
        display_name: Ceremonies: name shown for a new passkey.
        authenticator_attachment: Ceremonies: `platform` or `cross-platform`.
        action: Ceremonies: action code of the sign-in.
        challenge_id: Ceremonies: a challenge that was started elsewhere.
        authenticator: Ceremonies: makes and uses the passkey, by methods `create` and `get`. Only in Python. Default:
            a new `SoftwarePasskey`.
        origin: Ceremonies: origin that the software passkey speaks for. Default: the relying party's.
        paths: Ceremonies: `authsignal` for the paths of Authsignal's SDKs, `dlthub` for those of dltHub's Authsignal
            page.
        max_staleness: Users last read longer ago than this are read again: `7d`, `12h`, `90m`, `0`; at most 25 days.
        full: Read all users, and all of their actions that the API returns.
        refresh_users: Ids of users to read now, whether or not they are due.
        max_requests: Start no user who might exceed this number of requests; the next run starts with the users who
            remain. Retries and details of actions are not counted.
        max_duration: Start no user after this long: `1h`, `30m`. Reading the user list is not counted.
        privacy: `pseudonymize` hashes identifiers, `keep` loads them in plain text.
        privacy_key: Secret key for hashing identifiers. Without one they are left out.
        former_privacy_keys: Earlier privacy keys, separated by spaces, under which `dlt-authsignal erase` looks too.
        privacy_columns: What is done to single columns instead, by `table.column` or `*.column`: `keep`, `hash`,
            `truncate` or `drop`.
        privacy_allow: Keys of free-form objects (`custom`, `output`), and columns that Authsignal added later, to load
            unchanged.
        max_deletes: Load nothing if more rows of one table would be marked as deleted: a share of the rows (20 may be
            marked anyway), or a number.
        accept_deletes: Mark them anyway.
        reads: When each user was last read, from `known_reads(pipeline)`. Only in Python. Default: unknown, so that
            all users are read.
        metrics: Counters to fill, for a progress display. Only in Python.

    Raises:
        CredentialsMissing: No credential gives access to an API, or to one asked for.
        ConfigurationError: A name or a value that cannot be used; or the active pipeline belongs to another project.
    """
    given = locals()  # the signature repeats the settings for editors; a test compares the two
    check_active_pipeline()
    check_names(unknown, [*NAMES, "reads", "metrics"])
    check_configured(_active_pipeline())
    hide_from_trace(*SourceSettings.PERSONAL)
    settings = SourceSettings(**{name: given[name] for name in NAMES})
    if metrics is None and privacy_from(settings).leaves_out:  # a caller with metrics shows a report
        logger.warning(LEFT_OUT)
    return resources_of(settings, reads=reads, metrics=metrics)


def _active_pipeline() -> str | None:
    try:
        return str(dlt.current.pipeline().pipeline_name)
    except Exception:  # dlt raises one of its own where no pipeline is active
        return None


@dlt.source(name=NAME, section=NAME, max_table_nesting=0)
def source_of(
    settings: SourceSettings,
    reads: KnownReads | None = None,
    metrics: RunMetrics | None = None,
    on_planned: OnPlanned | None = None,
) -> Any:
    """Return the same source from settings that are resolved already."""
    return resources_of(settings, reads=reads, metrics=metrics, on_planned=on_planned)
