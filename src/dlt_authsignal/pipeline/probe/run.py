"""Synthetic monitoring of passkeys: run a canary user's ceremonies, load them, and compare the policy."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import dlt
from anyio.from_thread import start_blocking_portal
from dlt.extract import DltResource

from dlt_authsignal.destination.clients import shared_clients
from dlt_authsignal.destination.dlt_patches import adapt_dlt, already_synced, resolved_once
from dlt_authsignal.destination.duckdb_file import keep_open
from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.destination.load_hints import check_ready, hints, no_rows
from dlt_authsignal.destination.locks import single_run
from dlt_authsignal.destination.redaction import redacted
from dlt_authsignal.destination.tombstones import tombstones
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing
from dlt_authsignal.pipeline.load_packages import abort_packages_before, finish_pending
from dlt_authsignal.pipeline.probe.policy_drift import Change, _compared, learnt
from dlt_authsignal.pipeline.probe.steps import Probing, Step
from dlt_authsignal.project.names import dataset_name_or
from dlt_authsignal.project.pipelines import open_pipeline
from dlt_authsignal.project.settings import remember
from dlt_authsignal.project.working_folder import working_folder
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.row_hash import fingerprint
from dlt_authsignal.schema.tables.bookkeeping import PROBE_RUNS
from dlt_authsignal.schema.tables.ceremonies import CEREMONIES
from dlt_authsignal.schema.tables.server import USER_AUTHENTICATORS
from dlt_authsignal.source.config.connection import is_loopback
from dlt_authsignal.source.config.resolve import resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.settings import privacy_from
from dlt_authsignal.source.resources.ceremonies import Authenticator
from dlt_authsignal.source.resources.client import tenant_of, user_of
from dlt_authsignal.source.resources.identity import identity_resource
from dlt_authsignal.source.resources.table_resource import Loading
from dlt_authsignal.source.rows.flatten import Row
from dlt_authsignal.source.tenant.check import Evidence, check_tenant

PIPELINE_NAME: Final = "authsignal_probe"


@dataclass(frozen=True, kw_only=True)
class ProbeReport:
    """One finished probe.

    Attributes:
        works: Whether every step succeeded.
        user_id: The canary user.
        host: Host that was probed.
        steps: Every call, in order.
        policy: The tenant's policy for new passkeys; empty if unknown.
        changes: Policy settings that differ from the previous probe.
        compared_with: Time of the previous probe; None for the first.
        left_behind: Passkeys of probes that the canary user still has.
        removed_before: Passkeys of interrupted probes that were removed first.
        pipeline: dlt pipeline name.
        destination: Destination type.
        location: Location of the data, without credentials.
        dataset: Dataset (schema) name.
        seconds: Duration, loading included.
        notes: What was set up in the project's folder, a sentence each.
    """

    works: bool
    user_id: str
    host: str
    steps: list[Step]
    policy: Mapping[str, Any]
    changes: list[Change]
    compared_with: datetime | None
    left_behind: int
    removed_before: int
    pipeline: str
    destination: str
    location: str
    dataset: str
    seconds: float
    notes: list[str]


def probe(
    *,
    user_id: str | None = None,
    action: str = "probe",
    authenticator: Authenticator | None = None,
    allow_writes: bool = False,
    leave_passkey: bool = False,
    destination: str = "duckdb",
    dataset: str | None = None,
    pipeline_name: str = PIPELINE_NAME,
    **settings: Any,
) -> ProbeReport:
    """Register a passkey for a canary user, sign in with it (MFA and sign-in), remove it, and load the six tables.

    Args:
        user_id: The canary user, used only by the probe. With a token alone, the token's user.
        action: Action code of the canary user's attempts.
        authenticator: Creates and uses the passkey; default a new software passkey.
        allow_writes: Required for any host other than this machine.
        leave_passkey: Required with a token alone, because the Client API cannot remove a passkey.
        destination: dlt destination name.
        dataset: Dataset (schema) to load into. Default: `dataset_name` in `.dlt/config.toml`, or `authsignal_data`.
        pipeline_name: Name of the dlt pipeline, and of the lock that prevents parallel probes.
        **settings: Settings of `authsignal_source`, such as `region`. They win over those that dlt finds.

    Raises:
        NotACanary: The user may be a real person.
        OtherTenant: The dataset holds another tenant.
        AuthsignalError: The probe could not run, for example without a valid key. A failed ceremony is in the report
            instead.
    """
    started, began, notes = time.monotonic(), datetime.now(UTC), list[str]()
    with translate_errors(destination):
        found = resolved_settings(pipeline_name, **settings)
        canary, privacy = _canary(found, user_id, leave_passkey=leave_passkey), privacy_from(found)
        privacy.stored_id(canary)  # raises for a missing key before anything is written to Authsignal
        probing = Probing(found, privacy, canary, action, authenticator)
        if not allow_writes:
            _check_is_local(found)
        pipeline = open_pipeline(pipeline_name, destination=destination, dataset=dataset_name_or(dataset), notes=notes)
        adapt_dlt(pipeline)
        check_ready(pipeline)
        with (
            single_run(pipeline),
            resolved_once(pipeline.destination),
            shared_clients(pipeline),
            ExitStack() as open_file,
            redacted(pipeline),
        ):
            evidence = _evidence(found)
            with keep_open(pipeline):
                erased = tombstones(pipeline)
                erased.refuse(probing.user_id)
                check_tenant(pipeline, evidence)
                abort_packages_before(pipeline, erased.latest)
            with start_blocking_portal("asyncio") as portal:
                portal.call(probing.run)
            open_file.enter_context(keep_open(pipeline))
            finish_pending(pipeline)
            pipeline.sync_destination()
            policies = learnt(probing.rows)
            drift, compared_with = _compared(pipeline, policies, probing.tenant_id)
            host = f"{found.base.host}:{found.base.port}"
            with already_synced(pipeline):
                load = pipeline.run(_loaded(probing, _record(probing, began, host, len(drift)), evidence))
    if written := remember(working_folder(pipeline_name)):
        notes.append(written)
    return ProbeReport(
        works=not any(step.problem for step in probing.steps),
        user_id=probing.user_id,
        host=host,
        steps=probing.steps,
        policy=policies.get(("passkey_register_options", "token"), {}),
        changes=drift,
        compared_with=compared_with,
        left_behind=probing.left_behind,
        removed_before=probing.removed_before,
        pipeline=pipeline_name,
        destination=pipeline.destination.destination_name,
        location=load.destination_displayable_credentials or "",
        dataset=pipeline.dataset_name,
        seconds=round(time.monotonic() - started, 2),
        notes=notes,
    )


def _check_is_local(found: SourceSettings) -> None:
    if not is_loopback(found.base.host or ""):
        raise ConfigurationError(
            f"A probe writes to {found.base.host}: it tracks attempts of the canary user, enrols a passkey and removes"
            " it. Nothing was written. To allow it, pass --allow-writes."
        )


def _canary(found: SourceSettings, user_id: str | None, *, leave_passkey: bool) -> str:
    """Return the canary user for the available credentials."""
    if found.api_secret_key:
        if user_id in (None, "", ".", ".."):
            raise ConfigurationError(
                "No canary user is set. Nothing was written. Pass --user with an id that only the probe uses, such as"
                " --user canary."
            )
        return str(user_id)
    if not found.token:
        raise CredentialsMissing("a probe")
    if not leave_passkey:
        raise ConfigurationError(
            "A token alone cannot remove the passkey that a probe enrols: the Client API has no call for it. Nothing"
            " was written. Set api_secret_key as well, or pass --leave-passkey."
        )
    known = user_of(found.token)
    if user_id and known and user_id != known:
        raise ConfigurationError(
            "The token belongs to a different user than --user. Nothing was written. Pass the user of the token as"
            " --user."
        )
    if not (user_id or known):
        raise ConfigurationError(
            "The token does not contain its user. Nothing was written. Pass --user with the user id of the track"
            " call that returned the token."
        )
    return str(user_id or known)


@dlt.source(name="authsignal_source", max_table_nesting=0)
def _loaded(probing: Probing, record: Row, evidence: Evidence) -> Any:
    yield identity_resource(evidence)
    yield _authenticators(probing)
    for table in CEREMONIES:
        yield _resource(table, probing.rows[table.name])
    yield _resource(PROBE_RUNS, [record])


def _evidence(settings: SourceSettings) -> Evidence:
    return Evidence(
        base=settings.base,
        key=settings.api_secret_key,
        named=settings.tenant_id,
        returned=None if settings.api_secret_key else tenant_of(settings.token),
        accept_new_key=settings.accept_new_key,
    )


def _record(probing: Probing, began: datetime, host: str, policy_changes: int) -> Row:
    failed = next((step for step in probing.steps if step.problem), None)
    row: Row = {
        "probe_id": str(uuid4()),
        "probed_at": began,
        "host": host,
        "works": failed is None,
        "failed_step": failed and f"{failed.flow}: {failed.name}",
        "problem": failed and failed.problem,
        "policy_changes": policy_changes,
        "calls": len(probing.steps),
        "milliseconds": round(sum(step.milliseconds for step in probing.steps), 3),
        "left_behind": probing.left_behind,
    }
    return {**row, "_row_hash": fingerprint(row), "tenant_id": probing.tenant_id, "_read_at": began}


def _resource(table: Table, rows: list[Row]) -> DltResource:
    def read() -> Iterator[Any]:
        yield rows or no_rows()

    resource: DltResource = dlt.resource(read, **hints(table))
    return resource


def _authenticators(probing: Probing) -> DltResource:
    """Loaded as a sync loads them: it fills the same table."""
    table, tenant_id = USER_AUTHENTICATORS, probing.client().tenant

    def read() -> Iterator[Any]:
        loading = Loading(table, api="client", tenant_id=tenant_id, privacy=probing.privacy)
        yield loading.nothing()
        for answers in probing.authenticators:
            yield from loading.answers(answers)

    resource: DltResource = dlt.resource(read, **hints(table))
    return resource
