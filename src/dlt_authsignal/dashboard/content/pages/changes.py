"""Configuration changes: what was changed, and what has been different since."""

from collections.abc import Iterator, Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look, no_table
from dlt_authsignal.dashboard.content.cards.marks import label
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.content.text.subjects import CONFIGURATION_NEEDS
from dlt_authsignal.dashboard.figure_text import share
from dlt_authsignal.dashboard.page import Filters, Section, Table
from dlt_authsignal.models.configuration.timeline import Change
from dlt_authsignal.models.configuration.views import Effect
from dlt_authsignal.pipeline.wording import counted

TITLE: Final = "Configuration changes"
INTRO: Final = "What was changed in the configuration, and what has been different since?"

_RATES: Final = (
    ("challenge_and_block_rate", "challenged", "Challenged"),
    ("challenge_and_block_rate", "blocked", "Blocked"),
)
_ENDS: Final = (
    ("challenge_success_rate", "succeeded", "Succeeded"),
    ("drop_off_rate", "abandoned", "Abandoned"),
)
_CHANGED: Final = ("First seen", "Last seen unchanged", "Change", "Action", "Fields")
_CHANGED_UNITS: Final = ("time", "time", "text", "text", "text")
_EFFECTS: Final = (
    "First seen",
    "Change",
    "Action",
    "Measure",
    "Before",
    "After",
    "Difference, points (95 %)",
    "Days",
    "Other changes",
)
_EFFECT_UNITS: Final = ("time", "text", "text", "text", "ratio", "ratio", "text", "text", "count")
_MEASURES: Final = {
    "challenge_rate": "Challenged",
    "block_rate": "Blocked",
    "success_rate": "Succeeded",
    "drop_off_rate": "Abandoned",
    "decided_rate": "Decided by this rule",
}
_MOST: Final = 200
_MOST_FIELDS: Final = 4
_LONGEST: Final = 60


def sections(facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    changes = list(_changes(facts, look.filters))
    return (
        Section(
            title="Changes and rates",
            intro="Did a rate move when the configuration was changed?",
            cards=(
                look.line("Challenged and blocked attempts", _RATES, has_marks=True),
                look.line("How challenges ended", _ENDS, has_marks=True),
            ),
        ),
        Section(
            title="Effects",
            intro="Which rates differ before and after a change by more than chance would explain?",
            cards=(_effects(facts, changes, look.filters),),
        ),
        Section(title="Timeline", intro="What was changed, and when?", cards=(_timeline(facts, changes),)),
    )


def _changes(facts: Facts, filters: Filters) -> Iterator[Change]:
    """Yield the changes of the chosen days and action, newest first."""
    found = facts.timeline.changes if facts.timeline else []
    for change in reversed(found):
        day = change.seen_at.date()
        is_early = filters.since is not None and day < filters.since
        is_late = filters.until is not None and day > filters.until
        concerned = {change.action_code, *(effect.action_code for effect in change.effects)}
        is_other = filters.action is not None and concerned != {None} and filters.action not in concerned
        if not (is_early or is_late or is_other):
            yield change


def _timeline(facts: Facts, changes: Sequence[Change]) -> Table:
    title = "Changes of the configuration"
    if not _is_loaded(facts):
        return no_table(title, _CHANGED, _CHANGED_UNITS, CONFIGURATION_NEEDS)
    first = facts.timeline.first_read_at if facts.timeline else None
    known = (
        f"Changes before the first sync of the configuration, on {wording.day(first.date())}, are unknown."
        if first
        else ""
    )
    rows = tuple(
        (change.seen_at, change.seen_before, label(change), change.action_code or "", _fields(change))
        for change in changes[:_MOST]
    )
    said = f"{len(changes):,} changes were noticed." if len(changes) != 1 else "1 change was noticed."
    return Table(title=title, caption=f"{said} {known}".strip(), columns=_CHANGED, units=_CHANGED_UNITS, rows=rows)


def _is_loaded(facts: Facts) -> bool:
    return facts.timeline is not None and facts.timeline.read_at is not None


def _fields(change: Change) -> str:
    shown = [
        f"{each.field}: {_short(each.before)} → {_short(each.after)}"
        if each.before
        else f"{each.field}: {_short(each.after)}"
        for each in change.fields[:_MOST_FIELDS]
    ]
    more = len(change.fields) - _MOST_FIELDS
    return "; ".join([*shown, *([f"{more} more"] if more > 0 else [])])


def _short(value: str | None) -> str:
    text = "nothing" if value is None else value
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _effects(facts: Facts, changes: Sequence[Change], filters: Filters) -> Table:
    title = "Rates before and after each change"
    if not _is_loaded(facts):
        return no_table(title, _EFFECTS, _EFFECT_UNITS, CONFIGURATION_NEEDS)
    found = [
        (change, effect)
        for change in changes
        for effect in change.effects
        if _is_shown(effect) and filters.action in (None, effect.action_code)
    ]
    found.sort(key=lambda each: -_certain(each[1]))
    caption = _said(*found[0]) if found else "No rate differs by more than chance would explain."
    return Table(
        title=title,
        caption=f"{caption} Something else that happened on the same days may be the cause.",
        columns=_EFFECTS,
        units=_EFFECT_UNITS,
        rows=tuple(_row(change, effect) for change, effect in found[:_MOST]),
    )


def _is_shown(effect: Effect) -> bool:
    return effect.is_enough and effect.measure in _MEASURES and _certain(effect) > 0


def _certain(effect: Effect) -> float:
    return max(effect.difference_low or 0, -(effect.difference_high or 0), 0)


def _row(change: Change, effect: Effect) -> tuple[object, ...]:
    low, high = wording.points(effect.difference_low or 0), wording.points(effect.difference_high or 0)
    return (
        effect.seen_at,
        label(change),
        effect.action_code,
        _MEASURES[effect.measure],
        effect.before_value,
        effect.after_value,
        f"{wording.points(effect.difference or 0)} ({low} to {high})",
        f"{effect.window_days:.1f}",
        effect.other_changes,
    )


def _said(change: Change, effect: Effect) -> str:
    verb = "rose" if (effect.difference or 0) > 0 else "fell"
    return wording.sentence(
        f"the share of {_SHARES[effect.measure]} for the action {effect.action_code} {verb}"
        f" from {share(effect.before_value or 0)} to {share(effect.after_value or 0)}"
        f" after a change that was first seen on {wording.day(effect.seen_at.date())}: {label(change)}",
        f"({counted(effect.other_changes, 'other change')} on the same days)" if effect.other_changes else "",
    )


_SHARES: Final = {
    "challenge_rate": "challenged attempts",
    "block_rate": "blocked attempts",
    "success_rate": "challenges that succeeded",
    "drop_off_rate": "abandoned challenges",
    "decided_rate": "attempts that this rule decided",
}
