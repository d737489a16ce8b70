"""What the base queries read: it depends on which tables and columns are loaded."""

from typing import Final

from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.bookkeeping_tables import USER_READS
from dlt_authsignal.schema.event_tables import EVENT_FILES, EVENT_TABLES
from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES

EVERYTHING: Final[Stored] = {
    table.name: {column.name: str(column.type) for column in table.columns}
    for table in (*TABLES_AND_HISTORIES.values(), *EVENT_TABLES.values(), EVENT_FILES, USER_READS)
}
"""All tables and columns that a dataset may have."""

ATTEMPTS: Final = "attempts"
BASES: Final = frozenset(
    {
        ATTEMPTS,
        "attempt_bounds",
        "authenticator_spells",
        "user_spells",
        "user_bounds",
        "held_methods",
        "user_methods",
        "active_days",
    }
)
"""Base queries: files in `bases/`, which a KPI may read like tables."""

TOKEN_MINUTES: Final = 10
"""Documented lifetime of a challenge's token in minutes, where the tenant's own is not loaded."""

SIGN_IN_ACTIONS: Final = ("signIn", "sign-in", "sign_in", "signin", "logIn", "log-in", "log_in", "login")
"""Action codes that count as sign-ins."""

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
"""Words of a user agent in the order in which they are looked for, with what they show. A hashed one shows nothing."""

_NO_TEXT: Final = "cast(null as text)"


def filled(sql: str, stored: Stored) -> str:
    """Fill in the parts in braces of a query, where it has any."""
    return sql.format(**_parts(stored)) if "{" in sql else sql


def _parts(stored: Stored) -> dict[str, str]:
    return {
        "sign_in_actions": ", ".join(f"'{code}'" for code in SIGN_IN_ACTIONS),
        **_of_attempts(stored),
        **_of_authenticators(stored),
    }


def _of_attempts(stored: Stored) -> dict[str, str]:
    columns = stored.get("user_actions", {})
    agent = "a.user_agent" if "user_agent" in columns else None
    return {
        "attempts": "user_actions",
        "os": _agent("os", agent),
        "browser": _agent("browser", agent),
        "outcome": _NO_TEXT,
        "read_at": "a._read_at",
        "allowed": _NO_TEXT,
        "enrolled": _NO_TEXT,
        "rules": _NO_TEXT,
        "priority_rule_id": _NO_TEXT,
        "token_minutes": _token_minutes(stored),
        "until": _until(stored),
    }


def _agent(part: str, agent: str | None) -> str:
    if agent is None:
        return "'unknown'"
    words = " ".join(f"when {agent} like '%{word}%' then '{shown}'" for word, shown in _AGENTS[part])
    return f"case {words} else 'unknown' end"


def _token_minutes(stored: Stored) -> str:
    if "token_duration_in_minutes" not in stored.get("tenant", {}):
        return f"select {TOKEN_MINUTES} as minutes"
    return f"select coalesce(max(token_duration_in_minutes), {TOKEN_MINUTES}) as minutes from tenant"


def _until(stored: Stored) -> str:
    """Return the query of the day before which all attempts are loaded and their challenges are over."""
    if "user_actions_read_at" in stored.get("user_reads", {}) and "users" in stored:
        return (
            "select utc_day(min(r.user_actions_read_at) - interval '15' minute) as until_day"
            " from user_reads as r join users as u on u.user_id = r.user_id where u.deleted_at is null"
        )
    return "select utc_day(min(_read_at) - interval '15' minute) as until_day from user_actions"


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
        "deleted_on": "date '9999-12-31'",
        "deletions": "",
        "authenticator_os": known("parsed_user_agent__os__name"),
        "authenticator_browser": known("parsed_user_agent__browser__name"),
    }
