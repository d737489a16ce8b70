"""The queries of `all_user_actions` and `event_reconciliation`, in DuckDB's dialect."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from dlt_authsignal.models.dialects import translated
from dlt_authsignal.models.opened import Stored, stored_columns
from dlt_authsignal.schema.columns import Column, Table, own
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.schema.tables.events import ACTION_LOG, AUTHENTICATOR_EVENTS, CHALLENGE_LOG, EVENT_FILES
from dlt_authsignal.schema.tables.server import USER_ACTIONS

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

ALL_ACTIONS: Final = "all_user_actions"
RECONCILIATION: Final = "event_reconciliation"

KEY: Final = USER_ACTIONS.key
COMPARED: Final = ("created_at", "state", "state_updated_at", "verification_method", "ip_address", "country_code")
"""Columns in which the API and the events should agree. `updated_at` also changes for other reasons."""

PERCENTILES: Final[Mapping[str, str]] = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}

STATE_RANKS: Final[Mapping[str, int]] = {
    "CHALLENGE_REQUIRED": 0,
    "REVIEW_REQUIRED": 1,
    "CHALLENGE_FAILED": 2,
    "REVIEW_FAILED": 4,
    "REVIEW_SUCCEEDED": 4,
}
"""Which of two states with the same time is the later one; other states have rank 3."""

_OTHER_RANK: Final = 3
_OF_EVENT: Final = ("event_id", "event_time")


@dataclass(frozen=True, kw_only=True)
class View:
    """One of the two views: its name, what it contains, and its columns."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


_COMPARED_COLUMNS: Final = (
    own("seen_by", "text", "api, event or both."),
    own(
        "comparison",
        "text",
        "equal, different, api only or event only. Or why the two are not compared: before the first event, after the"
        " last event, before the first read, after the last read.",
    ),
    own("differs_in", "text", "Names of the columns that differ, with blanks between them; empty if none does."),
    own("event_id", "text", "Id of the latest event of the attempt; null without events."),
    own("event_time", "timestamp", "When Authsignal created that event."),
    own("events", "bigint", "Number of events of the attempt."),
    own("api_read_at", "timestamp", "When the attempt was read from the API; null if it was not."),
    own("event_received_at", "timestamp", "When that event was received; null without events."),
)
_FIGURES: Final = (
    own(
        "figure",
        "text",
        "A value of `comparison`, different in, lag_p50, lag_p95, lag_p99, duplicates or longest_silence.",
    ),
    own("slice", "text", "Column that differs, or table of events; null for figures about all of them."),
    own("value", "double", "The figure."),
    own("unit", "text", "attempts, seconds or events."),
    own("first_at", "timestamp", "Start of the period that the figure is about."),
    own("last_at", "timestamp", "End of that period."),
)


def _columns_of_both() -> list[Column]:
    """Return the columns of an attempt, of the API first."""
    events = (column for column in ACTION_LOG.columns if column.name not in _OF_EVENT)
    return list({column.name: column for column in (*events, *USER_ACTIONS.columns)}.values())


VIEWS: Final = (
    View(
        name=ALL_ACTIONS,
        meaning="One row per attempt, from `user_actions` and from the latest state in `action_log`. `seen_by` is api,"
        " event or both; `comparison` and `differs_in` say whether the two agree.",
        columns=(*_columns_of_both(), *_COMPARED_COLUMNS),
    ),
    View(
        name=RECONCILIATION,
        meaning="Figures about events: attempts by `comparison`, how late events arrive, copies, the longest silence.",
        columns=_FIGURES,
    ),
)


def view_queries(pipeline: "Pipeline", dataset: str, dialect: str) -> dict[str, str]:
    """Return the query of each view whose tables exist, in the destination's dialect."""
    return {
        name: translated(query, dataset, dialect) for name, query in plain_queries(stored_columns(pipeline)).items()
    }


def plain_queries(stored: Stored) -> dict[str, str]:
    """Return the query of each view whose tables exist, in DuckDB's dialect and with unqualified names of tables."""
    every = {ALL_ACTIONS: all_actions_sql(stored), RECONCILIATION: reconciliation_sql(stored)}
    return {name: query for name, query in every.items() if query is not None}


def all_actions_sql(stored: Stored) -> str | None:
    """Return the query of `all_user_actions`; None if one of its two tables does not exist."""
    if not stored.keys() >= {USER_ACTIONS.name, ACTION_LOG.name}:
        return None
    api, event = (_columns(stored, table) for table in (USER_ACTIONS, ACTION_LOG))
    shared = [name for name in api if name in event]
    others = [name for name in (*api, *event) if name not in shared]
    has_reads = "user_actions_read_at" in stored.get(USER_READS.name, {})
    return _text("all_user_actions").format(
        rank=state_rank(),
        values=",\n        ".join(
            [f"a.{name} as a_{name}, e.{name} as e_{name}" for name in shared]
            + [f"{'a' if name in api else 'e'}.{name} as {name}" for name in others]
            + ["coalesce(a.created_at, e.created_at) as created_at"]
        ),
        differences=_differences([name for name in COMPARED if name in shared]),
        chosen=",\n    ".join([*(_chosen(name) for name in shared), *(f"j.{name}" for name in others)]),
        reads=f"left join {USER_READS.name} as r on r.user_id = j.user_id" if has_reads else "",
        not_read_since="coalesce(r.user_actions_read_at < j.event_received_at, true)" if has_reads else "false",
    )


def reconciliation_sql(stored: Stored) -> str | None:
    """Return the query of `event_reconciliation`; None without tables of events."""
    parts = []
    attempts = all_actions_sql(stored)
    if attempts:
        parts = [_BY_COMPARISON, *(_BY_FIELD.format(field=field) for field in COMPARED)]
    tables = [table.name for table in (ACTION_LOG, CHALLENGE_LOG, AUTHENTICATOR_EVENTS) if table.name in stored]
    for table in tables:
        for name, percentile in PERCENTILES.items():
            parts.append(_text("lag").format(name=name, percentile=percentile, table=table))
    if EVENT_FILES.name in stored:
        parts += [_text("duplicates").format(table=table) for table in tables]
        parts.append(_text("silence"))
    if not parts:
        return None
    found = " union all ".join(f"select * from ({part}) as part_{place}" for place, part in enumerate(parts))
    if not attempts:
        return found
    return f"with {ALL_ACTIONS} as ({only(('created_at', 'comparison', 'differs_in'), attempts)}) {found}"


def only(columns: Iterable[str], query: str) -> str:
    """Return a query with some of its columns: databases store all columns of a query that is read several times."""
    return f"select {', '.join(columns)} from ({query}) as every_column"


def columns_of_all_actions(stored: Stored) -> list[str]:
    """Return the columns that `all_user_actions` has."""
    held = [*KEY, *_columns(stored, USER_ACTIONS), *_columns(stored, ACTION_LOG), *(c.name for c in _COMPARED_COLUMNS)]
    return list(dict.fromkeys(held))


_BY_COMPARISON: Final = f"""
select comparison as figure, cast(null as text) as slice, cast(count(*) as double precision) as value,
    'attempts' as unit, min(created_at) as first_at, max(created_at) as last_at
from {ALL_ACTIONS} group by comparison"""

_BY_FIELD: Final = f"""
select 'different in' as figure, '{{field}}' as slice, cast(count(*) as double precision) as value,
    'attempts' as unit, min(created_at) as first_at, max(created_at) as last_at
from {ALL_ACTIONS} where comparison = 'different' and concat(' ', differs_in, ' ') like '% {{field}} %'"""


def _columns(stored: Stored, table: Table) -> list[str]:
    """Return the declared columns of a table that exist, without its key and those of the event itself."""
    skipped = {*KEY, *_OF_EVENT}
    return [column.name for column in table.columns if column.name not in skipped and column.name in stored[table.name]]


def state_rank() -> str:
    """Return the SQL of the rank of a state, among states with the same time."""
    cases = " ".join(f"when '{state}' then {rank}" for state, rank in STATE_RANKS.items())
    return f"case state {cases} else {_OTHER_RANK} end"


def _differences(columns: list[str]) -> str:
    """Return the names of the columns that differ, with blanks between them; empty if none does, or without both."""
    parts = " || ".join(
        f"case when a.{name} = e.{name} or (a.{name} is null and e.{name} is null) then '' else '{name} ' end"
        for name in columns
    )
    return f"case when a.user_id is null or e.event_id is null then '' else trim({parts}) end as differs_in"


def _chosen(name: str) -> str:
    """Return the value of the source with the later state, or of the only one that has a value."""
    return (
        f"case when j.is_from_event = 1 then coalesce(j.e_{name}, j.a_{name})"
        f" else coalesce(j.a_{name}, j.e_{name}) end as {name}"
    )


@cache
def _text(name: str) -> str:
    lines = files("dlt_authsignal.models.events").joinpath(f"{name}.sql").read_text(encoding="utf-8").split("\n")
    return "\n".join(line for line in lines if not line.startswith("--")).strip()
