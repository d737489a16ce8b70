"""`authsignal_source`: Authsignal as a dlt source."""

import logging
from typing import Any, Final, Never

import dlt
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.common.typing import TSecretStrValue

from dlt_authsignal.destination.dlt_patches import end_with_message
from dlt_authsignal.destination.redaction import hide_from_trace
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.project.pipelines import check_active_pipeline
from dlt_authsignal.source.build import OnPlanned, resources_of
from dlt_authsignal.source.config.resolve import check_configured, check_names
from dlt_authsignal.source.config.source_settings import NAMES, SourceConfiguration, SourceSettings
from dlt_authsignal.source.incremental.state.known_reads import KnownReads
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_from
from dlt_authsignal.source.shards.round import Round

NAME: Final = "authsignal_source"

logger = logging.getLogger(__name__)


@dlt.source(name=NAME, section=NAME, max_table_nesting=0, spec=SourceConfiguration)
def authsignal_source(
    token: TSecretStrValue | None = SourceSettings.token,
    tenant_id: str | None = SourceSettings.tenant_id,
    *,
    api_secret_key: TSecretStrValue | None = SourceSettings.api_secret_key,
    management_secret_key: TSecretStrValue | None = SourceSettings.management_secret_key,
    region: str | None = SourceSettings.region,
    base_url: str | None = SourceSettings.base_url,
    apis: list[str] | None = SourceSettings.apis,
    users_from: str | list[str] | None = SourceSettings.users_from,
    users_database: ConnectionStringCredentials | None = SourceSettings.users_database,
    users_column: str | None = SourceSettings.users_column,
    exclude_users: list[str] | None = SourceSettings.exclude_users,
    page_size: int = SourceSettings.page_size,
    concurrency: int = SourceSettings.concurrency,
    workers: int | None = SourceSettings.workers,
    engine: str = SourceSettings.engine,
    ray_address: str | None = SourceSettings.ray_address,
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
    privacy_per_tenant: bool = SourceSettings.privacy_per_tenant,
    phone_region: str | None = SourceSettings.phone_region,
    max_deletes: str = SourceSettings.max_deletes,
    accept_deletes: bool = SourceSettings.accept_deletes,
    accept_new_key: bool = SourceSettings.accept_new_key,
    shard_folder: str | None = SourceSettings.shard_folder,
    reads: KnownReads | None = None,
    metrics: RunMetrics | None = None,
    **unknown: Never,
) -> Any:
    """Read everything that the given credentials give access to, as resources to load, select or combine.

    `pipeline.run(authsignal_source())` only loads what it reads. It reads all users on every run, unless you pass
    `reads=known_reads(pipeline)`. It marks no deleted rows and writes no history (call `update_history(pipeline)`
    afterwards), its delete guard does not use earlier runs, it takes no lock, and it is not recorded in `sync_runs`.
    `dlt_authsignal.sync(pipeline)` does all of that.

    The five passkey calls (`passkey_initiate_challenge`, `passkey_authentication_options`,
    `passkey_verify_authentication`, `passkey_register_options`, `passkey_register`) change data at Authsignal and run
    only when selected: `authsignal_source().with_resources("passkey_register_options")`.

    Set arguments here, in `.dlt/secrets.toml` under `[sources.authsignal_source]`, or as environment variables
    `SOURCES__AUTHSIGNAL_SOURCE__<NAME>`. Arguments that are neither secret nor personal can also be in
    `.dlt/config.toml`. Arguments marked "Only in Python" can be set only here.

    Args:
        token: Short-lived bearer token of one user. Gives access to the Client API: `user_authenticators` of that user,
            and the passkey calls.
        tenant_id: The tenant's id, written into each row. Without other credentials it gives access to the passkey
            calls of a sign-in.
        api_secret_key: Server API secret. Gives access to `users`, `user_authenticators`, `user_actions`,
            `user_devices`, `tenant_authenticators`, `unknown_user_ids`, and `action_details` when selected.
        management_secret_key: Management API secret. Gives access to the tenant's configuration: `tenant`,
            `action_configurations`, `rules`, `rule_conditions`, `authenticator_configurations`, `custom_data_points`,
            `value_lists`, `value_list_items` and `theme`. It is another key than `api_secret_key`.
        region: Region of the tenant: `us`, `au`, `eu` or `ca`. Default: `us`.
        base_url: Full base URL instead of a region, for a proxy or the sandbox. Refused together with a region that
            has another URL.
        apis: APIs to read, such as `["server"]`. If both APIs can fill a table, the Server API does. Default: all that
            the credentials give access to.
        users_from: Source of user ids, or a list of sources: `listing` (the user list), files (txt, csv, tsv, jsonl,
            parquet), queries (`DATABASE?query=SQL`), `known` (ids of earlier runs). DATABASE is a URL,
            `users_database`, or `destination.NAME`. Default: `listing`.
        users_database: Credentials of the database for `users_database?query=SQL`, in dlt's form: a URL, or its parts.
            Put them in secrets.toml.
        users_column: Column of the ids in files and queries. Default: the only column of a query, otherwise `user_id`,
            `userId` or `id`.
        exclude_users: Ids of users to skip, such as the canary user of `dlt-authsignal probe`.
        page_size: Users per page of the user list. Default: 100.
        concurrency: Maximum requests in flight, over all tables. Default: 8.
        workers: Processes that read users, at most 64; they share `rate` and `concurrency`. Without a number, there is
            one below 200 requests per second or 10,000 due users; above, it depends on the rate and the cores.
            With `max_requests` or `max_duration` there is always one. Default: chosen.
        engine: What runs the workers: `processes` on this machine, or `ray` (extra `ray`). Default: processes.
        ray_address: Ray cluster that runs the workers: `HOST:PORT`, or `auto`. Needs `engine = "ray"`. Default: the
            environment variable `RAY_ADDRESS`. If it is not set, the sync starts Ray on this machine.
        rate: Maximum requests per second, over all tables, or `max` for Authsignal's limit only. Authsignal's limit is
            shared with your users who sign in. Default: 20.
        shared_budget: Path of a SQLite file, or URL of a Redis (extra `[redis]`) or PostgreSQL (extra `[postgres]`), in
            which all processes with this key share their rate: `rate` limits all of them together, and a 429 to one of
            them slows down all. Use a file only on one machine.
        attempts: Tries per request. Connection errors, 429 and 5xx are retried; 429 gets three times as many tries.
            Default: 6.
        backoff: Base of the wait between tries, in seconds. The wait before retry n is random, at most
            `backoff * 2**n` and at most 30 seconds. Default: 0.5.
        timeout: Maximum seconds for one response. Default: 60.
        username: Passkey calls: name of a new passkey. For a sign-in, only this user's passkeys are accepted.
        display_name: Passkey calls: name shown for a new passkey.
        authenticator_attachment: Passkey calls: `platform` or `cross-platform`.
        action: Passkey calls: action code of the sign-in.
        challenge_id: Passkey calls: id of a challenge that was started elsewhere.
        authenticator: Passkey calls: object that creates and uses the passkey, with methods `create` and `get`. Only in
            Python. Default: a new `SoftwarePasskey`.
        origin: Passkey calls: origin of the software passkey. Default: `https://` and the relying
            party id, or `http://localhost`.
        paths: Passkey calls: `authsignal` for the paths of Authsignal's SDKs, `dlthub` for those of dltHub's
            Authsignal page. Default: `authsignal`.
        max_staleness: Re-read users who were last read longer ago than this: `7d`, `12h`, `90m`, `0`; at most 25 days.
            Default: `7d`.
        full: Read all users, and all of their actions that the API returns. Default: false.
        refresh_users: Ids of users to read now, whether or not they are due.
        max_requests: Maximum requests of one run. Users who would exceed it are left for the next run. Retries and
            details of actions are not counted. Default: no limit.
        max_duration: Stop starting users after this long: `1h`, `30m`. Reading the user list is not counted. The next
            run starts with the remaining users. Default: no limit.
        privacy: `pseudonymize` hashes identifiers, `keep` loads them in plain text. Default: `pseudonymize`.
        privacy_key: Secret key for hashing identifiers. Without a key, identifiers are left out.
        former_privacy_keys: Earlier privacy keys, separated by spaces. `dlt-authsignal erase` finds users stored under
            them too.
        privacy_columns: Exceptions for single columns, by `table.column` or `*.column`: `keep`, `hash`, `truncate` or
            `drop`.
        privacy_allow: Keys of free-form objects (`custom`, `output`), and columns that Authsignal added later, to load
            unchanged.
        privacy_per_tenant: Hash identifiers differently in each tenant, so that tenants with the same `privacy_key`
            cannot be joined. Needs `tenant_id`. A change gives all users other hashes. Default: false.
        phone_region: Country of phone numbers without a country code, such as `NZ` (ISO 3166-1 alpha-2): they are
            hashed like the same number with its code, and found in texts and user ids. Default: unknown.
        max_deletes: Load nothing if more rows of one table than this would be marked as deleted: a share of the rows
            (20 rows are always allowed, but never all rows of a table), or a number. Default: `5%`.
        accept_deletes: Allow this run to mark any number of rows as deleted, even all rows of a table. Default: false.
        accept_new_key: Confirm that `api_secret_key` is a new key of the same tenant, because the old one was replaced.
            Once is enough: the dataset then knows both keys. Default: false.
        shard_folder: Folder, or URL of an object store (`s3://`, `gs://`, `az://`; extra `[spool]`), for shards.
            `sync --shard` writes them there, `sync --load-shards` loads them, and `erase` removes those that contain
            the user. Other commands do not use it. Default: none.
        reads: When each user was last read, from `known_reads(pipeline)`. Only in Python. Default: unknown, so that
            all users are read.
        metrics: Counters to fill, for a progress display. Only in Python.

    Raises:
        CredentialsMissing: No credential gives access to an API, or to one in `apis`.
        ConfigurationError: A setting is unknown or wrong, or the active pipeline belongs to another project.
    """
    given = locals()  # the signature repeats the settings for editors; a test compares the two
    check_active_pipeline()
    check_names(unknown, [*NAMES, "reads", "metrics"])
    check_configured(_active_pipeline())
    hide_from_trace(*SourceSettings.PERSONAL)
    settings = SourceSettings(**{name: given[name] for name in NAMES})
    if metrics is None and privacy_from(settings).leaves_out:  # callers that pass metrics show a report
        logger.warning(LEFT_OUT)
    return resources_of(settings, reads=reads, metrics=metrics)


end_with_message(authsignal_source)


def _active_pipeline() -> str | None:
    try:
        return str(running_pipeline().pipeline_name)
    except Exception:  # dlt raises an error of its own if no pipeline is active
        return None


@dlt.source(name=NAME, section=NAME, max_table_nesting=0)
def source_of(
    settings: SourceSettings,
    reads: KnownReads | None = None,
    metrics: RunMetrics | None = None,
    on_planned: OnPlanned | None = None,
    shards: Round | None = None,
) -> Any:
    """Return the same source from resolved settings. With `shards`, the tables of users are filled from them."""
    return resources_of(settings, reads=reads, metrics=metrics, on_planned=on_planned, shards=shards)
