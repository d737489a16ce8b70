"""When a table, or one user's part of it, was read completely where `user_reads` does not say it."""

from datetime import datetime
from typing import Any, Final

from dlt_authsignal.schema.columns import Table, own
from dlt_authsignal.schema.run_counters import COUNTERS

COMPLETE_READS: Final = Table(
    name="complete_reads",
    apis=("server", "client"),
    key=("table_name", "user_id"),
    meaning="One row per table that is read at once, and per user whose authenticators were read with their own token:"
    " when that was. What a later read did not show is marked as deleted.",
    source="nothing: the pipeline writes it itself",
    columns=(
        own("table_name", "text", "The table."),
        own("user_id", "text", "Whose part of it; `*` for all of it.", "user_id"),
        own("read_at", "timestamp", "When it was read."),
    ),
)

EVERYBODY: Final = "*"


def complete(
    table: str, read_at: datetime, *, api: str, tenant_id: str | None, user_id: str = EVERYBODY
) -> dict[str, Any]:
    """The row that says so."""
    provenance = {"tenant_id": tenant_id, "_api": api, "_read_at": read_at}
    return {"table_name": table, "user_id": user_id, "read_at": read_at, **provenance}


USER_READS: Final = Table(
    name="user_reads",
    apis=("server",),
    key=("user_id",),
    meaning="One row per user id: when what of them was last read, completely. Decides who is due in the next sync.",
    source="nothing: the pipeline writes it itself",
    columns=(
        own("user_id", "text", "The company's own id of the user.", "user_id"),
        own("first_seen_at", "timestamp", "When the roster first named the id."),
        own("users_read_at", "timestamp", "When the user's own page was last read; null if it never was."),
        own("user_authenticators_read_at", "timestamp", "The same for the authenticators."),
        own("user_actions_read_at", "timestamp", "The same for the actions."),
        own("user_devices_read_at", "timestamp", "The same for the devices."),
        own("action_details_read_at", "timestamp", "The same for the details of the actions."),
        own("listed_hash", "text", "Fingerprint of what the list last said; null for a user never listed."),
        own("privacy_hash", "text", "Fingerprint of the privacy settings under which the user's rows were stored."),
        own("newest_action_at", "timestamp", "When the newest action known changed last, by Authsignal's clock."),
        own("actions_from", "timestamp", "From when on actions are asked for next."),
        own(
            "actions_complete_from",
            "timestamp",
            "From when on all actions are surely there; later than first_seen_at if some are lost for good.",
        ),
        own("is_known", "bool", "Whether Authsignal knew the id."),
    ),
)


SYNC_RUNS: Final = Table(
    name="sync_runs",
    apis=(),
    key=("run_id",),
    meaning="One row per sync, the failed ones too. A run that was killed, or that could not reach the destination, is"
    " added by the next one.",
    source="nothing: the pipeline writes it itself",
    columns=(
        own("run_id", "text", "Made up by the pipeline."),
        own("started_at", "timestamp", "When it began."),
        own("ended_at", "timestamp", "When it ended; null if it was killed."),
        own("outcome", "text", "done, failed, stopped (Ctrl-C, SIGTERM) or killed."),
        own("error", "text", "Kind of error."),
        own("error_message", "text", "What sync said."),
        own("apis", "text", "APIs that were read: server, client."),
        *(own(name, "bigint", meaning) for name, meaning in COUNTERS.items()),
        own("seconds", "double", "Duration."),
        own("errors", "json", "Requests that failed, by kind (503, 429, timeout, …), also where a later try did not."),
        own("rows_new", "bigint", "Rows that the tables did not have before, or had as deleted."),
        own("rows_changed", "bigint", "Rows that Authsignal described otherwise than before."),
        own("rows_deleted", "bigint", "Rows that Authsignal no longer showed."),
        own("oldest_read_at", "timestamp", "When the user was last read who, after the run, had waited longest."),
        own("tables", "json", "By table: rows read, new, changed, deleted, and in all."),
        own("drift", "json", "By table: columns added, values kept otherwise than as they came; null if nothing was."),
        own("version", "text", "Version of dlt-authsignal."),
    ),
)


PROBE_RUNS: Final = Table(
    name="probe_runs",
    apis=(),
    key=("probe_id",),
    meaning="One row per probe, the failed ones too.",
    source="nothing: the probe writes it itself",
    columns=(
        own("probe_id", "text", "Made up by the pipeline."),
        own("probed_at", "timestamp", "When it began."),
        own("host", "text", "Where."),
        own("works", "bool", "Whether every step did what it should."),
        own("failed_step", "text", "The first step that did not, such as mfa: validate."),
        own("problem", "text", "Why."),
        own("policy_changes", "bigint", "Settings of the WebAuthn policy that differ from the last probe's."),
        own("calls", "bigint", "Calls made."),
        own("milliseconds", "double", "All of them together."),
        own("left_behind", "bigint", "Passkeys of probes that the canary still has."),
    ),
)


ERASED_USERS: Final = Table(
    name="erased_users",
    apis=(),
    key=("user_hash",),
    meaning="One row per user who was erased (`dlt-authsignal erase`). Names nobody: whoever knows an id can tell"
    " whether it is among them.",
    source="nothing: the pipeline writes it itself",
    columns=(
        own("user_hash", "text", "HMAC-SHA-256 of the user's id, keyed with the salt; hexadecimal."),
        own("salt", "text", "Random; the same in every row of a dataset."),
        own("erased_at", "timestamp", "When the user was first erased."),
    ),
)
