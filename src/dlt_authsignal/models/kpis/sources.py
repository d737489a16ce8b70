"""What the base queries read: it depends on which tables and columns are loaded."""

from collections.abc import Callable, Mapping
from typing import Final

from dlt_authsignal.models.events.views import ALL_ACTIONS, all_actions_sql, state_rank
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.tables.all_tables import ALL_TABLES
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.schema.tables.events import (
    ACTION_LOG,
    AUTHENTICATOR_EVENTS,
    CHALLENGE_LOG,
    EVENT_FILES,
    EVENT_TABLES,
)
from dlt_authsignal.schema.tables.server import USER_ACTIONS, USERS

ENROLLED: Final = "enrolled_verification_methods"
"""Column of the methods that the user had enrolled at the time of an event. Its name is assumed."""

EVERYTHING: Final[Stored] = {
    table.name: {column.name: str(column.type) for column in table.columns}
    | ({ENROLLED: "json"} if table is ACTION_LOG else {})
    for table in (*ALL_TABLES.values(), USER_READS)
}
"""All tables and columns that a dataset may have."""

ATTEMPTS: Final = "attempts"
EVERY_EVENT: Final = "every_event"
BASES: Final = frozenset(
    {
        ATTEMPTS,
        "attempt_bounds",
        "authenticator_spells",
        "user_spells",
        "user_bounds",
        "holding_bounds",
        "held_methods",
        "user_methods",
        "active_days",
        "challenge_steps",
        "sent_codes",
        ALL_ACTIONS,
        EVERY_EVENT,
    }
)
"""Base queries: files in `bases/`, which a KPI may read like tables."""

TOKEN_MINUTES: Final = 10
"""Documented lifetime of a challenge's token in minutes, where the tenant's own is not loaded."""

SIGN_IN_ACTIONS: Final = ("signIn", "sign-in", "sign_in", "signin", "logIn", "log-in", "log_in", "login")
"""Action codes that count as sign-ins, where the table `sign_in_actions` does not exist."""

SIGN_INS: Final = "sign_in_actions"
"""Optional table of the customer with the action codes that count as sign-ins."""

_AGENTS: Final = {
    "os": (
        ("Windows", "Windows"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Android", "Android"),
        ("CrOS", "Chrome OS"),
        ("Mac OS X", "Mac OS"),
        ("Linux", "Linux"),
    ),
    "browser": (
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ),
}
"""Words of a user agent in the order in which they are looked for, with what they show. A hashed one shows nothing.

They are for rows that an earlier version loaded, without `user_agent_os` and `user_agent_browser`."""

NO_TEXT: Final = "cast(null as text)"


def made(name: str, stored: Stored) -> str | None:
    """Return the base query of a name that has no file; None if it has one."""
    if name == ALL_ACTIONS:
        return all_actions_sql(stored)
    if name == EVERY_EVENT:
        return " union all ".join(
            f"select '{table}' as table_name, event_time, _read_at from {table}"
            for table in EVENT_TABLES
            if table in stored
        )
    return None


def filled(sql: str, stored: Stored) -> str:
    """Fill in the parts in braces of a query, where it has any."""
    return sql.format(**parts_of(stored)) if "{" in sql else sql


def parts_of(stored: Stored) -> dict[str, str]:
    """Return the text of each part in braces that a base query may have."""
    events = stored.get(AUTHENTICATOR_EVENTS.name, {})
    return {
        "sign_in_actions": _sign_in_actions(stored),
        "token_minutes": _token_minutes(stored),
        "until": _until(stored),
        "reported_from": _REPORTED_FROM if events.keys() >= _KNOWS_DELETED else _NOT_REPORTED,
        "phone_country": _column("phone_number_country", stored.get(CHALLENGE_LOG.name, {})),
        "error_description": _column("error_description", stored.get(CHALLENGE_LOG.name, {})),
        **_of_attempts(stored),
        **_of_authenticators(stored),
    }


def _sign_in_actions(stored: Stored) -> str:
    if SIGN_INS in stored:
        return f"select action_code from {SIGN_INS}"
    return ", ".join(f"'{code}'" for code in SIGN_IN_ACTIONS)


def _of_attempts(stored: Stored) -> dict[str, str]:
    """Return what the attempts are read from: the API, events, or both; and the columns that these have."""
    api, event = stored.get(USER_ACTIONS.name, {}), stored.get(ACTION_LOG.name, {})
    attempts, read_at, reported = USER_ACTIONS.name, "a._read_at", "0"
    if event:
        enrolled = "e.enrolled_verification_methods" if ENROLLED in event else f"{NO_TEXT} as {ENROLLED}"
        attempts = f"""(
            select u.*, {enrolled}
            from {ALL_ACTIONS} as u
            left join {ACTION_LOG.name} as e on e.event_id = u.event_id
        )"""
        read_at = "greatest(coalesce(a.api_read_at, a.event_received_at), coalesce(a.event_received_at, a.api_read_at))"
        reported = "case when a.event_id is null then 0 else 1 end"
    if event and not api:
        attempts, read_at, reported = _LATEST.format(rank=state_rank()), "a._read_at", "1"
    text = "json_text({})".format
    return {
        "attempts": attempts,
        "os": _agent("os", api),
        "browser": _agent("browser", api),
        "ip_address": _column("ip_address", {**api, **event}, "a."),
        "outcome": _column("outcome", event, "a."),
        "read_at": read_at,
        "reported": reported,
        "allowed": _column("allowed_verification_methods", event, "a.", text),
        "enrolled": _column(ENROLLED, event, "a.", text),
        "rules": _column("rules", event, "a.", text),
        "priority_rule_id": _column("priority_rule_id", event, "a."),
    }


_LATEST: Final = """(
    select * from (
        select *, row_number() over (
            partition by user_id, action_code, idempotency_key
            order by state_updated_at desc nulls last, {rank} desc, _read_at desc, event_id desc
        ) as place
        from action_log
    ) as ranked where place = 1
)"""


def _column(name: str, columns: Mapping[str, str], alias: str = "", form: Callable[[str], str] = str) -> str:
    return form(alias + name) if name in columns else NO_TEXT


def _agent(part: str, columns: Mapping[str, str]) -> str:
    """Return the family in the derived column; without one, what the words of a plain user agent show."""
    derived = f"user_agent_{part}"
    words = [f"when a.user_agent like '%{word}%' then '{shown}'" for word, shown in _AGENTS[part]]
    cases = [f"when a.{derived} is not null then a.{derived}"] if derived in columns else []
    cases += words if "user_agent" in columns else []
    return f"case {' '.join(cases)} else 'unknown' end" if cases else "'unknown'"


def _token_minutes(stored: Stored) -> str:
    if "token_duration_in_minutes" not in stored.get("tenant", {}):
        return f"select {TOKEN_MINUTES} as minutes"
    return f"select coalesce(max(token_duration_in_minutes), {TOKEN_MINUTES}) as minutes from tenant"


def _until(stored: Stored) -> str:
    """Return the query of the day before which all attempts are loaded and their challenges are over."""
    if EVENT_FILES.name in stored and ACTION_LOG.name in stored:
        until = "max(received_at)", EVENT_FILES.name
    elif ACTION_LOG.name in stored:
        until = "max(_read_at)", ACTION_LOG.name
    elif "user_actions_read_at" in stored.get(USER_READS.name, {}) and USERS.name in stored:
        until = "min(r.user_actions_read_at)", _READ_USERS
    else:
        until = "min(_read_at)", USER_ACTIONS.name
    return f"select utc_day({until[0]} - interval '15' minute) as until_day from {until[1]}"


_READ_USERS: Final = "user_reads as r join users as u on u.user_id = r.user_id where u.deleted_at is null"


def _of_authenticators(stored: Stored) -> dict[str, str]:
    columns = stored.get("user_authenticators_history", {})
    credential = "webauthn_credential__"

    def known(name: str, type: str = "text") -> str:
        return credential + name if credential + name in columns else f"cast(null as {type})"

    return {
        "provider": known("aaguid_mapping__name"),
        "attachment": known("authenticator_attachment"),
        "device": known("device_id"),
        "backed_up": known("credential_backed_up", "boolean"),
        **(_DELETIONS if AUTHENTICATOR_EVENTS.name in stored else _NO_DELETIONS),
        "never_read": _NEVER_READ if stored.get(AUTHENTICATOR_EVENTS.name, {}).keys() >= _KNOWS_DELETED else "",
        "authenticator_os": known("parsed_user_agent__os__name"),
        "authenticator_browser": known("parsed_user_agent__browser__name"),
    }


_NO_DELETIONS: Final = {"deleted_on": "date '9999-12-31'", "deletions": ""}
_DELETIONS: Final = {
    "deleted_on": "coalesce(utc_day(d.deleted_at), date '9999-12-31')",
    "deletions": """
    left join (
        select user_authenticator_id, max(event_time) as deleted_at
        from authenticator_events
        where event_type = 'authenticator.deleted'
        group by user_authenticator_id
    ) as d on d.user_authenticator_id = v.user_authenticator_id and d.deleted_at >= v.valid_from""",
}

_KNOWS_DELETED: Final = frozenset(
    {"event_type", "event_time", "user_id", "user_authenticator_id", "verification_method", "created_at"}
)
"""Columns of the table of events that tell which authenticators existed until they were deleted."""

_NOT_REPORTED: Final = "select cast(null as date) as first_day"
_REPORTED_FROM: Final = "select day_plus(utc_day(min(event_time)), 1) as first_day from authenticator_events"
"""The first day of which all deletions were reported."""

_NEVER_READ: Final = """
union all
select
    g.user_authenticator_id,
    g.user_id,
    g.verification_method,
    g.created_at,
    g.created_at as verified_at,
    cast(null as timestamptz) as last_verified_at,
    'unknown' as provider,
    'unknown' as os,
    'unknown' as browser,
    'unknown' as attachment,
    g.user_authenticator_id as device,
    cast(null as boolean) as backed_up,
    utc_day(g.created_at) as starts_on,
    utc_day(g.deleted_at) as ends_on,
    0 as is_read
from (
    select
        d.user_authenticator_id,
        min(d.user_id) as user_id,
        min(d.verification_method) as verification_method,
        min(d.created_at) as created_at,
        max(d.event_time) as deleted_at
    from authenticator_events as d
    left join user_authenticators_history as h on h.user_authenticator_id = d.user_authenticator_id
    where d.event_type = 'authenticator.deleted' and h.user_authenticator_id is null and d.created_at is not null
    group by d.user_authenticator_id
) as g
where utc_day(g.deleted_at) > utc_day(g.created_at)"""
