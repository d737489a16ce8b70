"""The methods that complete challenges, from the numerators of the success rate."""

from collections import defaultdict
from datetime import date
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look, no_chart
from dlt_authsignal.dashboard.content.data.selection import ignored
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.figure_text import share
from dlt_authsignal.dashboard.page import Chart, Point, Series
from dlt_authsignal.models.kpis.catalogue import find_model

_KPI: Final = "challenge_success_rate"
_TITLE: Final = "Successful challenges by method"


def methods_over_time(look: Look) -> Chart:
    """Return the number of successful challenges by method, for each week."""
    model, needs = find_model(_KPI), look.needs(_KPI)
    if needs:
        return no_chart("stack", _TITLE, model, needs)
    counts: dict[str, dict[date, int]] = defaultdict(dict)
    complete: dict[date, bool] = {}
    for row in look.rows(_KPI, ("week",), ("verification_method",), has_total=False):
        if row.period_start and row.numerator:
            counts[row.dimension_value][row.period_start] = int(row.numerator)
            complete[row.period_start] = row.is_complete
    weeks = sorted(complete)
    totals = {week: sum(each.get(week, 0) for each in counts.values()) for week in weeks}
    ordered = sorted(counts, key=lambda name: -sum(counts[name].values()))
    series = tuple(
        Series(
            name=name,
            points=tuple(
                Point(
                    label=week.isoformat(),
                    value=counts[name].get(week, 0),
                    numerator=counts[name].get(week, 0),
                    denominator=totals[week],
                    is_complete=complete[week],
                )
                for week in weeks
            ),
        )
        for name in ordered
    )
    return Chart(
        kind="stack",
        title=_TITLE,
        caption=_said(series),
        series=series,
        unit="count",
        definition=_KPI,
        ignores=ignored(model, look.filters),
    )


def _said(series: tuple[Series, ...]) -> str:
    """Say how the share of the most frequent method developed, over complete weeks."""
    known = [[point for point in each.points if point.is_complete and point.denominator] for each in series]
    passkey = next((place for place, each in enumerate(series) if each.name == "PASSKEY"), 0)
    if not known or not known[passkey]:
        return "No complete week in the selected data."
    first, last = known[passkey][0], known[passkey][-1]
    parts = [
        f"{series[passkey].name} completed {share(_share(point))} of the successful challenges in the week of"
        f" {wording.day(point.label)} ({wording.of(point)})"
        for point in dict.fromkeys((first, last))
    ]
    return wording.sentence("; ".join(parts))


def _share(point: Point) -> float:
    return (point.numerator or 0) / (point.denominator or 1)
