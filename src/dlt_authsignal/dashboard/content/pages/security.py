"""Security: attacks that were detected, challenges and blocks, and what the rules do."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look, no_table
from dlt_authsignal.dashboard.content.data.facts import Detection, Facts
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.content.text.subjects import DETECTIONS_NEED, advice
from dlt_authsignal.dashboard.page import Chart, Filters, Point, Section, Series, Table
from dlt_authsignal.models.detections.catalogue import all_rules
from dlt_authsignal.pipeline.wording import counted

TITLE: Final = "Security"
INTRO: Final = "Which attacks were detected, and do challenges and blocks stop them?"

_BY_RULE: Final = ("Rule", "Detections", "Events", "First seen", "Last seen", "Severity")
_BY_RULE_UNITS: Final = ("text", "count", "count", "time", "time", "text")
_RULE_COLUMNS: Final = ("Rule", "Fired", "Decided", "Succeeded", "Failed", "Abandoned")
_RULE_UNITS: Final = ("text", "ratio", "ratio", "ratio", "ratio", "ratio")
_RATES: Final = (
    ("challenge_and_block_rate", "challenged", "Challenged"),
    ("challenge_and_block_rate", "blocked", "Blocked"),
)
_SLICES: Final = ("action_code", "country_code", "rule")
_MOST_RULES: Final = 50


def sections(facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    return (
        Section(
            title="Detections",
            intro="Which attacks were detected, and when?",
            cards=(_by_week(facts, look.filters), _by_rule(facts, look.filters)),
        ),
        Section(
            title="Challenges and blocks",
            intro="What share of attempts is challenged or blocked?",
            cards=(
                look.number("challenge_and_block_rate", "challenged", "Attempts that were challenged"),
                look.number("challenge_and_block_rate", "blocked", "Attempts that were blocked"),
                look.line(
                    "Challenged and blocked attempts over time",
                    _RATES,
                    has_marks=True,
                    caption=look.finding("challenge_and_block_rate", "blocked", _SLICES) or None,
                ),
                look.bars("Blocked attempts by country", "challenge_and_block_rate", "blocked", "country_code"),
                _rules(look),
            ),
        ),
        Section(
            title="Weak spots",
            intro="Which users could be phished, and how often are accounts recovered?",
            cards=(
                look.number(
                    "phishing_resistant_coverage",
                    "passkey or security key",
                    "Users with a phishing-resistant method",
                    better="up",
                ),
                look.number(
                    "phishing_resistant_coverage", "only SMS or e-mail", "Users with only SMS or e-mail", better="down"
                ),
                look.number("mfa_coverage", "one or more", "Users with a verified method", better="up"),
                look.number("recoveries", "recoveries", "Recoveries per user and year", better="down"),
            ),
        ),
    )


def _chosen(facts: Facts, filters: Filters) -> list[Detection]:
    since, until = filters.since or date.min, filters.until or date.max
    return [each for each in facts.detections or () if since <= each.day <= until]


def _by_week(facts: Facts, filters: Filters) -> Chart:
    """Return the number of detections by rule, for each week."""
    title = "Detections by week"
    if facts.detections is None:
        return Chart(kind="stack", title=title, caption="", series=(), unit="count", needs=DETECTIONS_NEED)
    found = _chosen(facts, filters)
    counts = Counter((each.rule, _monday(each.day)) for each in found)
    weeks = _weeks([week for _, week in counts])
    rules = [rule for rule, _ in Counter(each.rule for each in found).most_common()]
    series = tuple(
        Series(
            name=_title(rule),
            points=tuple(Point(label=week.isoformat(), value=counts[rule, week]) for week in weeks),
        )
        for rule in rules
    )
    return Chart(
        kind="stack",
        title=title,
        caption=_said(counts) + _not_looked_for(facts),
        series=series,
        unit="count",
        ignores=_ignored(filters),
    )


def _said(counts: "Counter[tuple[str, date]]") -> str:
    if not counts:
        return "No attack was detected in the selected data."
    (rule, week), most = counts.most_common(1)[0]
    total = sum(counts.values())
    return (
        f"{counted(total, 'detection')}. The most in one week: {most:,} of {_title(rule)}"
        f" in the week of {wording.day(week)}."
    )


def _not_looked_for(facts: Facts) -> str:
    """Say which rules cannot be computed, and what to load: without that, no detection does not mean no attack."""
    if not facts.unavailable:
        return ""
    needs = [each for found in facts.unavailable.values() for each in found]
    return f" Not available: {wording.listed([_title(rule) for rule in facts.unavailable])}. {advice(needs)}"


def _title(rule: str) -> str:
    """Return the title of a rule; the name of one that this version does not know."""
    return next((each.title for each in all_rules() if each.name == rule), rule)


def _by_rule(facts: Facts, filters: Filters) -> Table:
    title = "Detections by rule"
    if facts.detections is None:
        return no_table(title, _BY_RULE, _BY_RULE_UNITS, DETECTIONS_NEED)
    found = _chosen(facts, filters)
    rows: list[tuple[object, ...]] = []
    for rule, count in Counter(each.rule for each in found).most_common():
        of_rule = [each for each in found if each.rule == rule]
        rows.append(
            (
                _title(rule),
                count,
                sum(each.event_count for each in of_rule),
                min(each.first_seen for each in of_rule),
                max(each.last_seen for each in of_rule),
                wording.listed(sorted({each.severity for each in of_rule})),
            )
        )
    caption = "The table detections lists the users and phone numbers; this page does not show them."
    return Table(title=title, caption=caption, columns=_BY_RULE, units=_BY_RULE_UNITS, rows=tuple(rows))


def _rules(look: Look) -> Table:
    """Return how often each rule fires, and how its challenges end."""
    title, needs = "What each rule does", look.needs("rule_effectiveness")
    if needs:
        return no_table(title, _RULE_COLUMNS, _RULE_UNITS, needs, "rule_effectiveness")
    by_rule: dict[str, dict[str, float | None]] = {}
    for row in look.rows("rule_effectiveness", ("all",), ("rule",)):
        by_rule.setdefault(row.dimension_value, {})[row.measure] = row.value
    ordered = sorted(by_rule, key=lambda rule: -(by_rule[rule].get("fired") or 0))[:_MOST_RULES]
    silent = [rule for rule in ordered if not by_rule[rule].get("fired")]
    measures = ("fired", "decided", "succeeded", "failed", "abandoned")
    return Table(
        title=title,
        caption=f"Never fired: {wording.listed(silent)}." if silent else "Every rule fired at least once.",
        columns=_RULE_COLUMNS,
        units=_RULE_UNITS,
        rows=tuple((rule, *(by_rule[rule].get(measure) for measure in measures)) for rule in ordered),
        definition="rule_effectiveness",
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _weeks(found: Sequence[date]) -> list[date]:
    """Return all weeks from the first to the last."""
    if not found:
        return []
    first, last = min(found), max(found)
    return [first + timedelta(days=7 * place) for place in range((last - first).days // 7 + 1)]


def _ignored(filters: Filters) -> tuple[str, ...]:
    return tuple(name for name in ("action", "method", "country") if getattr(filters, name) is not None)
