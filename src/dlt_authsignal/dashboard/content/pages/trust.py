"""Data trust: how recent and complete the data is, and whether its sources agree."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dlt_authsignal.dashboard.content.cards.look import Look, no_table
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.content.header import NO_SYNC
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.page import Section, Table
from dlt_authsignal.pipeline.wording import counted

TITLE: Final = "Data trust"
INTRO: Final = "Can these figures be trusted?"

_RUNS: Final = (
    "Started",
    "Result",
    "Users read",
    "New rows",
    "Changed rows",
    "Deleted rows",
    "Failed requests",
    "Seconds",
)
_RUN_UNITS: Final = ("time", "text", "count", "count", "count", "count", "count", "seconds")
_TABLES: Final = ("Table", "Rows", "Marked as deleted", "Newest read", "Oldest read")
_TABLE_UNITS: Final = ("text", "count", "count", "time", "time")
_LAG: Final = (("event_lag", "p50", "Median"), ("event_lag", "p95", "95th percentile"))
_COUNTS: Final = ("users_read", "rows_new", "rows_changed", "rows_deleted")


def sections(facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    return (
        Section(
            title="Freshness",
            intro="How recent is the data, and how many users have not been read lately?",
            cards=(
                look.number("users_not_read", "in 1 day", "Users not read for more than a day", better="down"),
                look.number("users_not_read", "in 7 days", "Users not read for more than 7 days", better="down"),
                look.number(
                    "users_not_read",
                    "in 25 days",
                    "Users not read for more than 25 days",
                    better="down",
                    note=_losses(facts),
                ),
                look.number("event_lag", "p95", "Time until an event arrives, 95th percentile", better="down"),
                look.line("Time until events arrive", _LAG),
            ),
        ),
        Section(
            title="Agreement",
            intro="Do the API and the events report the same attempts?",
            cards=(
                look.bars("Attempts, by comparison of API and events", "attempts_seen", "attempts", "comparison"),
                look.number("event_quality", "copies", "Duplicate events", better="down"),
                look.number("event_quality", "of an unknown type", "Events of an unknown type", better="down"),
                look.number(
                    "event_quality", "steps of an unknown type", "Challenge steps of an unknown type", better="down"
                ),
            ),
        ),
        Section(
            title="Syncs and tables",
            intro="Did the last syncs succeed, and what is loaded?",
            cards=(_runs(facts), _tables(facts)),
        ),
    )


def _losses(facts: Facts) -> str:
    """Say which actions are lost or soon will be."""
    if facts.status is None:
        return ""
    users = facts.status.users
    if users.with_hole:
        return f"Some actions of {counted(users.with_hole, 'user')} may be lost: they were once read too late."
    if users.past_horizon:
        return f"Actions of {counted(users.past_horizon, 'user')} are being lost: Authsignal returns only 30 days."
    return "No actions have been lost so far." if users.oldest_read else ""


def _runs(facts: Facts) -> Table:
    title, found = "Last syncs", facts.status
    if found is None or not found.runs:
        return no_table(title, _RUNS, _RUN_UNITS, NO_SYNC)
    caption = f"The last {len(found.runs)} syncs: {_failures(found.failures)}"
    return Table(
        title=title,
        caption=caption if len(found.runs) > 1 else f"One sync: {_failures(found.failures)}",
        columns=_RUNS,
        units=_RUN_UNITS,
        rows=tuple(_run(run) for run in found.runs),
    )


def _failures(count: int) -> str:
    return f"{counted(count, 'failure')} since the last success." if count else "the last one succeeded."


def _run(run: Mapping[str, Any]) -> tuple[object, ...]:
    failed = sum(run["errors"].values())
    return (run["started_at"], run["outcome"], *(run[name] or 0 for name in _COUNTS), failed, run["seconds"])


def _tables(facts: Facts) -> Table:
    title, found = "Tables", facts.status
    if found is None or not found.tables:
        return no_table(title, _TABLES, _TABLE_UNITS, NO_SYNC)
    rows = tuple(
        (name, table.rows, table.deleted, table.newest_read, table.oldest_read) for name, table in found.tables.items()
    )
    return Table(title=title, caption=wording.sentence(_oldest(facts)), columns=_TABLES, units=_TABLE_UNITS, rows=rows)


def _oldest(facts: Facts) -> str:
    status = facts.status
    if status is None or status.users.oldest_read is None:
        return "no user has been read"
    return f"the user who has waited longest was last read on {wording.day(status.users.oldest_read.date())}"
