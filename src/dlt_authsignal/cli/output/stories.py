"""Print what happened in the demo's tenant: the stories, as the loaded tables show them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.errors import DOCS

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.models.opened import Ask

Days = tuple[date, date]
Rows = Sequence[tuple[Any, ...]]

_RATES: Final = ("sign-ins with a passkey", "abandoned challenges", "seconds to sign in")
"""Rates of the question rollout, in the order in which they are printed."""


def print_stories(pipeline: "Pipeline", days: Mapping[str, Days]) -> None:
    """Print what happened, by the queries of the six questions.

    Args:
        pipeline: Pipeline that loaded the demo's tenant, with its views and detections.
        days: First and last day of each story that the tenant has.
    """
    from dlt_authsignal.models.opened import opened

    with opened(pipeline) as (ask, _, _):
        for line in _lines(ask, days):
            click.echo(f"   {line}")
    click.echo(f"   Six questions, each answered by one query: {DOCS}/questions.md")


def _lines(ask: "Ask", days: Mapping[str, Days]) -> Iterator[str]:
    from dlt_authsignal.models.detections.catalogue import find_rule
    from dlt_authsignal.models.questions import answer

    if found := days.get("passkey_rollout"):
        yield from _rollout(answer(ask, "rollout", *found), found[0])
    if found := days.get("broken_release"):
        yield from _release(answer(ask, "release", *found), found)
    if found := days.get("sms_attack"):
        yield from _attack(answer(ask, "attack", *found), found)
    if attacks := Counter(rule for rule, _ in {row[:2] for row in answer(ask, "attacks", date.min, date.max)}):
        listed = ", ".join(f"{find_rule(name).title} {count}" for name, count in sorted(attacks.items()))
        yield f"Users who may be under attack: {listed}."


def _rollout(rows: Rows, first: date) -> Iterator[str]:
    rates = {name: (before, after) for name, before, after in rows}
    if any(value is None for pair in rates.values() for value in pair) or len(rates) < 3:
        return
    used, gave_up, seconds = (rates[name] for name in _RATES)
    yield (
        f"{first:%d %B}: sign-ins offer a passkey. Two weeks later {_change(used)} of sign-ins use one,"
        f" {_change(gave_up)} of challenges are abandoned, and a sign-in takes {seconds[1]:.0f} s (before:"
        f" {seconds[0]:.0f} s)."
    )


def _release(rows: Rows, days: Days) -> Iterator[str]:
    if not rows or any(value is None for value in rows[0][1:5]):
        return
    system, before, during, passkey_before, passkey_during, users, attempts = rows[0]
    yield (
        f"{_span(days)}: a release breaks passkeys on {system}. {_change((passkey_before, passkey_during))} of passkey"
        f" attempts succeed there, {_change((before, during))} of challenges are abandoned;"
        f" the passkeys of {users:,} users failed in {attempts:,} attempts."
    )


def _attack(rows: Rows, days: Days) -> Iterator[str]:
    if not rows:
        return
    country, codes, users, valid, cost, action = rows[0]
    total = sum(row[4] or 0 for row in rows)
    share = f", {cost / total:.0%} of all SMS in these days".replace("%", " %") if total else ""
    yield (
        f"{_span(days)}: an SMS attack. {users:,} users of {action} had {codes:,} codes sent to {country}; {valid:,}"
        f" were entered. It cost {cost:,.2f} at invented prices{share}."
    )


def _change(values: tuple[float, float]) -> str:
    before, after = (f"{value:.0%}".replace("%", " %") for value in values)
    return f"{after} (before: {before})"


def _span(days: Days) -> str:
    first, last = days
    return f"{first:%d}–{last:%d %B}" if first.month == last.month else f"{first:%d %B}–{last:%d %B}"
