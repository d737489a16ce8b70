"""Print the timeline of configuration changes."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.pipeline.wording import counted

if TYPE_CHECKING:
    from dlt_authsignal.models.configuration.timeline import Change, FieldValue, Timeline
    from dlt_authsignal.models.configuration.views import Effect

_KINDS: Final = {
    "tenant": "Tenant settings",
    "action_configurations": "Action code",
    "rules": "Rule",
    "authenticator_configurations": "Verification method",
    "custom_data_points": "Custom data point",
    "value_lists": "Value list",
    "theme": "Theme",
}
_MEASURES: Final = {
    "attempts": "attempts a day",
    "challenge_rate": "challenged",
    "block_rate": "blocked",
    "success_rate": "succeeded",
    "drop_off_rate": "dropped off",
    "decided_rate": "decided by this rule",
}
"""Measures in the order in which they are printed, with their names."""

_IN_TITLE: Final = frozenset({"name", "action_code", "alias", "verification_method"})
"""Fields that the title of an added object shows."""

_LONGEST: Final = 90
_TOO_FEW: Final = "too few attempts to say"
_INDENT: Final = "  "
_CAVEAT: Final = (
    "An effect is a difference between the days before and after, by action code. Something else that happened on those"
    " days may be the cause. succeeded and dropped off are shares of the challenged attempts."
)


def print_changes(found: "Timeline", last: int, *, brief: bool = False) -> None:
    """Print the newest changes, oldest first; if brief, only those measures that clearly differ."""
    shown = found.changes[-last:]
    click.echo(f"{_summary(found, len(shown))}\n")
    for change in shown:
        for line in _lines(change, brief=brief):
            click.echo(line)
        click.echo()
    if any(change.effects for change in shown):
        click.echo(_CAVEAT)


def print_main_changes(found: "Timeline") -> None:
    """Print for each action the first change with a clear effect: what differs, without the fields that changed.

    Later changes of the same action often show the effect of the first one.
    """
    total = counted(len(found.changes), "change")
    click.echo(
        f"{total} {_SINCE.format(_minute(found.first_read_at))}. The first change of each action with a clear effect:\n"
    )
    known: set[str] = set()
    for change in found.changes:
        codes = {effect.action_code for effect in change.effects if _is_clear(effect)}
        if codes - known:
            known |= codes
            for line in _lines(change, brief=True, with_fields=False):
                click.echo(line)
    click.echo(_CAVEAT)


_SINCE: Final = "since {}, when the configuration was first read"


def _summary(found: "Timeline", shown: int) -> str:
    total = len(found.changes)
    first = _SINCE.format(_minute(found.first_read_at))
    read = f"It was last read at {_minute(found.read_at)}."
    if not total:
        return f"No changes {first}. {read}"
    only = f" These are the last {shown}." if shown < total else ""
    return f"{counted(total, 'change')} {first}. {read}{only}"


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "unknown"


def _lines(change: "Change", *, brief: bool, with_fields: bool = True) -> Iterator[str]:
    start = f"{change.seen_before:%Y-%m-%d %H:%M}" if change.seen_before else "before"
    yield click.style(f"{start} – {_minute(change.seen_at)}", bold=True)
    yield f"{_INDENT}{_title(change)}"
    for value in change.fields if with_fields else ():
        if value.field in _IN_TITLE and value.before is None:
            continue
        yield f"{_INDENT * 2}{_difference(value)}"
    for _, effects in groupby(change.effects, key=lambda effect: effect.action_code):
        yield from _effects({effect.measure: effect for effect in effects}, brief=brief)


def _title(change: "Change") -> str:
    kind = _KINDS.get(change.configuration, change.configuration)
    name = f" {change.object_name}" if change.object_name and change.configuration not in ("tenant", "theme") else ""
    of = f" of {change.action_code}" if change.action_code and change.configuration == "rules" else ""
    plural = change.configuration == "tenant"
    return f"{kind}{name}{of} {'were' if plural else 'was'} {change.change}"


def _difference(value: "FieldValue") -> str:
    if value.before is None or value.after is None:
        return f"{value.field}: {_short(value.after if value.before is None else value.before)}"
    lists = _parsed(value.before), _parsed(value.after)
    if all(isinstance(each, list) for each in lists):
        return f"{value.field}: {_listed(*lists)}"
    return f"{value.field}: {_short(value.before)} → {_short(value.after)}"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _listed(before: list[Any], after: list[Any]) -> str:
    """Return what was added to a list and removed from it."""
    added = [f"+ {_short(str(item))}" for item in after if item not in before]
    removed = [f"- {_short(str(item))}" for item in before if item not in after]
    return ", ".join([*removed, *added]) or "another order"


def _short(text: str | None) -> str:
    said = " ".join((text or "").split())
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"


def _effects(effects: "dict[str, Effect]", *, brief: bool) -> Iterator[str]:
    first = next(iter(effects.values()))
    windows = f"{_INDENT}{first.action_code}, {first.window_days:.1f} days before and after:"
    wanted = [name for name in _MEASURES if name in effects and (not brief or _is_clear(effects[name]))]
    if not wanted:
        yield f"{windows} no clear difference"
        return
    yield windows
    rows = [(_MEASURES[name], *_cells(effects[name])) for name in wanted]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for label, before, after, difference in rows:
        yield f"{_INDENT * 2}{label:<{widths[0]}}  {before:>{widths[1]}}  {after:>{widths[2]}}  {difference}"
    if first.other_changes:
        others = counted(first.other_changes, "other change")
        yield f"{_INDENT * 2}{others} of this action happened on these days and may be the cause."


def _cells(effect: "Effect") -> tuple[str, str, str]:
    if effect.measure == "attempts":
        return _rate(effect.before_value), _rate(effect.after_value), _judged(effect, "{:+,.1f}", 1)
    before = _share(effect.before_value, effect.before_numerator, effect.before_denominator)
    after = _share(effect.after_value, effect.after_numerator, effect.after_denominator)
    return before, after, _judged(effect, "{:+.1f}", 100, " points")


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _share(value: float | None, numerator: float, denominator: float) -> str:
    return f"{'-' if value is None else f'{value:.1%}'.replace('%', ' %')} ({numerator:,.0f} of {denominator:,.0f})"


def _is_clear(effect: "Effect") -> bool:
    return _judged(effect, "{}", 1).endswith(("higher", "lower"))


def _judged(effect: "Effect", form: str, factor: float, unit: str = "") -> str:
    """Return the difference with its interval, and whether it is clear."""
    low, high = effect.difference_low, effect.difference_high
    if effect.difference is None or low is None or high is None or not effect.is_enough:
        return _TOO_FEW
    said, *bounds = (form.format(value * factor) for value in (effect.difference, low, high))
    word = "higher" if low > 0 else "lower" if high < 0 else "no clear difference"
    return f"{said}{unit} (95 %: {bounds[0]} to {bounds[1]}): {word}"
