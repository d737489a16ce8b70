"""Tables that the pipeline writes itself: complete reads, user reads, runs, erased users, the dataset's tenant."""

from datetime import datetime
from typing import Any, Final

from dlt_authsignal.schema.columns import Table, own
from dlt_authsignal.schema.run_counters import COUNTERS

TABLE_READS: Final = Table(
    name="table_reads",
    apis=("server", "client"),
    key=("table_name", "user_id"),
    meaning="One row per table that is read as a whole: when it was last read completely. Also one row per user whose"
    " authenticators were read with a token. Rows that a later complete read does not return are marked as deleted.",
    source="no API: the pipeline writes this table",
    columns=(
        own("table_name", "text", "The table."),
        own("user_id", "text", "User whose rows were read; `*` for the whole table.", "user_id"),
        own("read_at", "timestamp", "When it was last read completely."),
    ),
)

WHOLE_TABLE: Final = "*"


def complete(
    table: str, read_at: datetime, *, api: str, tenant_id: str | None, user_id: str = WHOLE_TABLE
) -> dict[str, Any]:
    """Return the row of `table_reads` that records this read."""
    provenance = {"tenant_id": tenant_id, "_api": api, "_read_at": read_at}
    return {"table_name": table, "user_id": user_id, "read_at": read_at, **provenance}


CONFIGURATION_READS: Final = Table(
    name="configuration_reads",
    apis=("management",),
    key=("table_name", "read_at"),
    meaning="One row per configuration table and complete read of it. A change happened between the last read that did"
    " not show it and the first read that did.",
    source="no API: the pipeline writes this table",
    columns=(
        own("table_name", "text", "The table."),
        own("read_at", "timestamp", "When it was read completely."),
    ),
)


USER_READS: Final = Table(
    name="user_reads",
    apis=("server",),
    key=("user_id",),
    meaning="One row per user id: when each part of their data was last read in full. Decides which users the"
    " next sync re-reads.",
    source="no API: the pipeline writes this table",
    columns=(
        own("user_id", "text", "Your own id of the user.", "user_id"),
        own("first_seen_at", "timestamp", "When a user id source first contained the id."),
        own("users_read_at", "timestamp", "When the user record was last read; null if never."),
        own(
            "user_authenticators_read_at", "timestamp", "When the user's authenticators were last read; null if never."
        ),
        own("user_actions_read_at", "timestamp", "When the user's actions were last read; null if never."),
        own("user_devices_read_at", "timestamp", "When the user's devices were last read; null if never."),
        own(
            "action_details_read_at",
            "timestamp",
            "When the details of the user's actions were last read; null if never.",
        ),
        own("listed_hash", "text", "Fingerprint of the user's last entry in the user list; null if never listed."),
        own("privacy_hash", "text", "Fingerprint of the privacy settings under which the user's rows were stored."),
        own("newest_action_at", "timestamp", "When the newest known action last changed, by Authsignal's clock."),
        own("actions_from", "timestamp", "Start of the period for which the next read requests actions."),
        own(
            "actions_complete_from",
            "timestamp",
            "All actions since this time are loaded. If later than first_seen_at, some older actions are lost"
            " permanently.",
        ),
        own("is_known", "bool", "Whether Authsignal returned a user for the id."),
    ),
)


SYNC_RUNS: Final = Table(
    name="sync_runs",
    apis=(),
    key=("run_id",),
    meaning="One row per sync, failed ones included. A run that was killed, or could not reach the destination, is"
    " added by the next one.",
    source="no API: the pipeline writes this table",
    columns=(
        own("run_id", "text", "Random id of the run."),
        own("started_at", "timestamp", "When it started."),
        own("ended_at", "timestamp", "When it ended; null if the run was killed."),
        own("outcome", "text", "done, failed, stopped (Ctrl-C, SIGTERM) or killed."),
        own("error", "text", "Error class, or TablesRefused if only some tables were refused; null if none."),
        own("error_message", "text", "Error message that sync printed; null if none."),
        own("apis", "text", "APIs that were read: server, client, management."),
        *(own(name, "bigint", meaning) for name, meaning in COUNTERS.items()),
        own("seconds", "double", "Duration of the run in seconds."),
        own("errors", "json", "Failed requests by kind (503, 429, timeout, …), including those that a retry fixed."),
        own("rows_new", "bigint", "Rows that were not in the tables before, or were marked as deleted."),
        own("rows_changed", "bigint", "Rows whose values changed at Authsignal."),
        own("rows_deleted", "bigint", "Rows newly marked as deleted."),
        own("oldest_read_at", "timestamp", "Oldest last-read time of any user after the run."),
        own("tables", "json", "By table: rows read, new, changed, deleted, and total."),
        own(
            "drift",
            "json",
            "Schema drift by table: columns added, and values stored in another type or column; null if none.",
        ),
        own("version", "text", "Version of dlt-authsignal."),
    ),
)


PROBE_RUNS: Final = Table(
    name="probe_runs",
    apis=(),
    key=("probe_id",),
    meaning="One row per probe run, failed ones included.",
    source="no API: the probe writes this table",
    columns=(
        own("probe_id", "text", "Random id of the probe run."),
        own("probed_at", "timestamp", "When it started."),
        own("host", "text", "Host and port of the API that was probed."),
        own("works", "bool", "Whether every step succeeded."),
        own("failed_step", "text", "First step that failed, such as mfa: validate."),
        own("problem", "text", "Why it failed."),
        own("policy_changes", "bigint", "WebAuthn policy settings that differ from the previous probe."),
        own("calls", "bigint", "Number of API calls."),
        own("milliseconds", "double", "Total duration of all calls."),
        own("left_behind", "bigint", "Passkeys of probes that the canary user still has."),
    ),
)


ERASED_USERS: Final = Table(
    name="erased_users",
    apis=(),
    key=("user_hash",),
    meaning="One row (tombstone) per user erased with `dlt-authsignal erase`. It contains no user id: you can"
    " only check"
    " whether an id that you already have was erased.",
    source="no API: the pipeline writes this table",
    columns=(
        own("user_hash", "text", "HMAC-SHA-256 of the user's id, keyed with the salt; hexadecimal."),
        own("salt", "text", "Random salt, the same in every row of a dataset."),
        own("erased_at", "timestamp", "When the user was first erased."),
    ),
)


DATASET_TENANT: Final = Table(
    name="dataset_tenant",
    apis=("server", "client"),
    key=("identifier",),
    meaning="What identifies the tenant of this dataset: one row per key that loaded it, and one per tenant id that"
    " Authsignal returned. A sync with the key of another tenant is refused.",
    source="no API: the pipeline writes this table",
    columns=(
        own(
            "identifier",
            "text",
            "The tenant id; or the fingerprint of a key and its region: 16 bytes of scrypt with the salt, hexadecimal."
            " It does not reveal the key.",
        ),
        own("kind", "text", "key or tenant_id."),
        own("salt", "text", "Random salt of the fingerprints, the same for all of them; null for tenant ids."),
        own("first_used_at", "timestamp", "When the key or the tenant first loaded this dataset."),
    ),
)

DETECTIONS: Final = Table(
    name="detections",
    apis=(),
    key=("detection_id",),
    meaning="One row per attack signal that `dlt-authsignal alerts` found. A row is kept when its events are no longer"
    " found, for example under other thresholds.",
    source="no API: the pipeline writes this table",
    columns=(
        own("detection_id", "text", "Hash of rule, subject and first event. Alerts carry it too."),
        own("rule", "text", "Name of the rule."),
        own("severity", "text", "low, medium, high or critical."),
        own("subject_kind", "text", "user_id, phone_number, phone_country or ip_address."),
        own("subject", "text", "User, number, country or IP address that the rule found.", "user_id"),
        own("first_seen", "timestamp", "Time of the first event."),
        own("last_seen", "timestamp", "Time of the last event."),
        own("event_count", "bigint", "Number of events; the rule says of what."),
        own("evidence", "json", "Counts that explain the detection, by name."),
        own("thresholds", "json", "Settings of the rule when it last found the detection."),
        own("detected_at", "timestamp", "When the rule first found it."),
        own("sent_at", "timestamp", "When a receiver accepted the alert; null until then."),
    ),
)

OWN_TABLES: Final = (
    USER_READS,
    TABLE_READS,
    CONFIGURATION_READS,
    DATASET_TENANT,
    ERASED_USERS,
    SYNC_RUNS,
    PROBE_RUNS,
    DETECTIONS,
)
"""The tables that the pipeline writes itself."""
