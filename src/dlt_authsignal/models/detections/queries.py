"""Puts the query of a rule together: the base queries that it reads, its own, and the grouping of events."""

from collections.abc import Mapping
from typing import Final

from dlt_authsignal.models.detections.catalogue import Rule, Value
from dlt_authsignal.models.kpis.queries import bases_of
from dlt_authsignal.models.kpis.sources import parts_of
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.schema.sql_text import literal
from dlt_authsignal.schema.tables.events import AUTHENTICATOR_EVENTS
from dlt_authsignal.schema.tables.server import USER_AUTHENTICATORS

COLUMNS: Final = ("subject", "first_event", "first_seen", "last_seen", "event_count")
"""Columns of every rule's query. Those of the evidence follow."""

KNOWN_STEPS: Final = tuple(
    f"{channel}_{step}"
    for channel in ("SMS", "WHATSAPP")
    for step in (
        "SENT",
        "DELIVERED",
        "NOT_DELIVERED",
        "CODE_VALID",
        "CODE_INVALID_OR_EXPIRED",
        "MAX_ATTEMPTS_EXCEEDED",
        "RATE_LIMIT_EXCEEDED",
        "SEND_DOWNSTREAM_FAILED",
    )
)
"""Published types of events of codes that are sent to phones."""

_WINDOWS: Final = """windows as (
    select * from (
        select subject, seen_at, hit, lead(seen_at, {count} - 1) over (partition by subject order by seen_at, hit)
            as reached_at
        from hits
    ) as counted
    where date_diff('millisecond', seen_at, reached_at) <= {minutes} * 60000
),
"""
"""Each event that begins a window with enough events, and the time of the last one that is needed."""

_ISLANDS: Final = """starts as (
    select
        *,
        case when date_diff('millisecond', max(reached_at) over (
            partition by subject order by seen_at, hit rows between unbounded preceding and 1 preceding
        ), seen_at) <= {minutes} * 60000 then 0 else 1 end as is_start
    from windows
),
islands as (
    select
        *,
        sum(is_start) over (partition by subject order by seen_at, hit rows between unbounded preceding and current row)
            as island
    from starts
),
firsts as (
    select subject, island, min(seen_at) as first_seen, max(reached_at) as last_seen
    from islands
    group by subject, island
),
episodes as (
    select f.subject, f.first_seen, f.last_seen, min(i.hit) as first_event
    from firsts as f
    join islands as i on i.subject = f.subject and i.island = f.island and i.seen_at = f.first_seen
    group by f.subject, f.island, f.first_seen, f.last_seen
)"""
"""Windows of one subject that overlap, or are not further apart than a window is long, are one episode."""

_API_ENROLMENTS: Final = """
    select user_authenticator_id, user_id, verification_method as method, created_at as enrolled_at
    from user_authenticators where verified_at is not null"""
_EVENT_ENROLMENTS: Final = """
    select user_authenticator_id, user_id, verification_method as method,
        coalesce(created_at, event_time) as enrolled_at
    from authenticator_events where event_type = 'authenticator.created'"""
_API_PHONES: Final = """
    select phone_number, user_id, created_at as enrolled_at, phone_number_country as phone_country
    from user_authenticators
    where phone_number is not null and deleted_at is null and verified_at is not null{not_deleted}"""
_EVENT_PHONES: Final = """
    select phone_number, user_id, coalesce(created_at, event_time) as enrolled_at,
        phone_number_country as phone_country
    from authenticator_events
    where event_type = 'authenticator.created' and phone_number is not null{not_deleted}{not_read}"""
_NOT_DELETED: Final = """ and user_authenticator_id not in (
        select user_authenticator_id from authenticator_events
        where event_type = 'authenticator.deleted' and user_authenticator_id is not null
    )"""
_NOT_READ: Final = """ and user_authenticator_id not in (
        select user_authenticator_id from user_authenticators where deleted_at is not null
    )"""


def query(rule: Rule, kind: str, thresholds: Mapping[str, Value], stored: Stored) -> str:
    """Return the query of a rule in DuckDB's dialect with the macros of `dialects`, on unqualified tables.

    Args:
        rule: The rule. Its tables must exist.
        kind: Kind of subject.
        thresholds: Their values.
        stored: Types of the columns of each existing table.
    """
    shown = ", ".join((*COLUMNS, *rule.evidence))
    found = _on_bases(_filled(rule.sql, rule, kind, thresholds, stored), "found", stored)
    return f"{found}\nselect {shown} from found where subject is not null"


def blind_query(rule: Rule, kind: str, thresholds: Mapping[str, Value], stored: Stored) -> str:
    """Return the query that says with 1 that the tables do not hold what the rule looks at."""
    found = _on_bases(_filled(rule.blind, rule, kind, thresholds, stored), "sight", stored)
    return f"{found}\nselect is_blind from sight"


def _on_bases(text: str, name: str, stored: Stored) -> str:
    parts = [*bases_of([text], stored), (name, text)]
    return "with " + ",\n".join(f"{each} as ({query})" for each, query in parts)


def _filled(text: str, rule: Rule, kind: str, thresholds: Mapping[str, Value], stored: Stored) -> str:
    values = {name: _written(value) for name, value in thresholds.items()}
    if rule.count:
        values["count"] = values[rule.count[kind]]
    parts = parts_of(stored) | values | _of_rule(rule, thresholds, stored) | {"subject": rule.subjects[kind]}
    parts["islands"] = _ISLANDS.format(**{"minutes": "0", **values})
    parts["episodes"] = (_WINDOWS.format(**values) if rule.count else "") + parts["islands"]
    return text.format(**parts)


def _written(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ", ".join(map(literal, value or ("",)))
    return str(value)


def _of_rule(rule: Rule, thresholds: Mapping[str, Value], stored: Stored) -> dict[str, str]:
    api, events = (table.name in stored for table in (USER_AUTHENTICATORS, AUTHENTICATOR_EVENTS))
    push_type, digits = thresholds.get("push_type"), thresholds.get("prefix_digits", 0)
    deleted = _NOT_DELETED if events else ""
    enrolled = [_API_ENROLMENTS] * api + [_EVENT_ENROLMENTS] * events
    phones = [_API_PHONES.format(not_deleted=deleted)] * api
    phones += [_EVENT_PHONES.format(not_deleted=deleted, not_read=_NOT_READ if api else "")] * events
    return {
        "is_push": f"challenge_type = {literal(push_type)}" if push_type else "1 = 1",
        "one_push": "event_id" if push_type else "verification_method",
        "place": _place(digits) if isinstance(digits, int) and digits else "phone_number_country",
        "known_steps": ", ".join(map(literal, KNOWN_STEPS)),
        "enrolled": " union all ".join(enrolled),
        "phones": " union all ".join(phones),
        "phone_table": USER_AUTHENTICATORS.name if api else AUTHENTICATOR_EVENTS.name,
        "is_counted": "state in ('ALLOW', 'CHALLENGE_SUCCEEDED')" if thresholds.get("only_successful") else "1 = 1",
        "ignored_pairs": _pairs(thresholds.get("ignored_pairs")),
    }


def _place(digits: int) -> str:
    return f"case when left(phone_number, 1) = '+' then left(phone_number, {digits + 1}) else phone_number_country end"


def _pairs(value: Value | None) -> str:
    """Return pairs of countries, each with its countries sorted by name."""
    pairs = value if isinstance(value, tuple) else ()
    return _written(tuple("-".join(sorted(pair.upper().split("-"))) for pair in pairs))
