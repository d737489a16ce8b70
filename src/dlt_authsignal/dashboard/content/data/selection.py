"""The rows of a KPI for the filters that the reader chose, computed from the cubes by the SQL of the KPI's view."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from dlt_authsignal.dashboard.content.data.cubes import CUBED, Cubes, type_of
from dlt_authsignal.dashboard.page import Filters
from dlt_authsignal.models.kpis.catalogue import Model, find_model
from dlt_authsignal.models.kpis.queries import query_of_cube
from dlt_authsignal.models.values import Kpi
from dlt_authsignal.schema.sql_text import literal, quoted

DIMENSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "action": ("action_code",),
    "method": ("verification_method", "channel"),
    "country": ("country_code",),
}
"""Dimensions that a filter chooses from; a KPI has at most one of them."""

TIMES: Final = ("since", "until")
_NAMES: Final = tuple(name for name in Kpi.__dataclass_fields__ if name != "model")


@dataclass(frozen=True)
class Asked:
    """What is asked of a KPI.

    Attributes:
        kpi: Name of the KPI.
        filters: What the reader chose.
        grains: Periods: all, month, week, day.
        dimensions: Dimensions to split by.
        has_total: Whether to return the total over all slices.
    """

    kpi: str
    filters: Filters
    grains: tuple[str, ...] = ("all",)
    dimensions: tuple[str, ...] = ()
    has_total: bool = True


class Selection:
    """Answers what is asked, and keeps the answers: the cubes do not change.

    Args:
        cubes: The cubes.
    """

    def __init__(self, cubes: Cubes) -> None:
        self.cubes = cubes
        self.rows = lru_cache(maxsize=4096)(self._rows)

    def _rows(self, asked: Asked) -> tuple[Kpi, ...]:
        model = find_model(asked.kpi)
        if model.name not in self.cubes.filled:
            return ()
        sql = _of_cube(model, asked) if model.form in CUBED else _of_result(model, asked)
        found = self.cubes.connection.cursor().execute(f"{sql} order by {_ORDER}").fetchall()
        return tuple(Kpi(model=model, **dict(zip(_NAMES, row, strict=True))) for row in found)

    def bounds(self, name: str) -> tuple[date | None, date | None]:
        """Return the first and the last complete day of a base query with bounds; None without data."""
        if name not in self.cubes.filled:
            return None, None
        text = f"select first_day, last_day from {quoted(name)}"
        first, last = self.cubes.connection.cursor().execute(text).fetchall()[0]
        return first, last


_ORDER: Final = "measure, period_grain, period_start, dimension, denominator desc, numerator desc, dimension_value"


def ignored(model: Model, filters: Filters) -> tuple[str, ...]:
    """Return the chosen filters that a KPI does not have."""
    chosen = [name for name in DIMENSIONS if getattr(filters, name) is not None]
    missing = [name for name in chosen if dimension_of(model, name) is None]
    if model.form == "spells" and len(chosen) - len(missing) > 1:  # its results are split by one dimension at a time
        missing = chosen[1:]
    times = [name for name in TIMES if getattr(filters, name) is not None] if model.form == "totals" else []
    if model.form == "totals":
        missing = chosen
    return (*times, *missing)


def applied(model: Model, filters: Filters) -> Filters:
    """Return the filters that a KPI has, so that others do not let it be computed again."""
    return replace(filters, **dict.fromkeys(ignored(model, filters)))


def dimension_of(model: Model, filter_: str) -> str | None:
    """Return the dimension of a KPI that a filter chooses from."""
    return next((name for name in DIMENSIONS[filter_] if name in model.dimensions), None)


def before(filters: Filters) -> Filters | None:
    """Return the filters for the period of the same length before; None if the reader chose no period."""
    if filters.since is None or filters.until is None:
        return None
    length = filters.until - filters.since + timedelta(days=1)
    return replace(filters, since=filters.since - length, until=filters.since - timedelta(days=1))


def _applied(model: Model, filters: Filters) -> dict[str, str]:
    """Return the chosen values by dimension."""
    without = ignored(model, filters)
    names = {name: dimension_of(model, name) for name in DIMENSIONS if name not in without}
    chosen: dict[str, Any] = {name: getattr(filters, name) for name in names}
    return {str(names[name]): value for name, value in chosen.items() if value is not None}


def _of_cube(model: Model, asked: Asked) -> str:
    wanted = [
        f"{name} = try_cast({literal(value)} as {type_of(model.name, name)})"
        for name, value in _applied(model, asked.filters).items()
    ]
    where = " and ".join([*wanted, *_days("day", asked.filters)]) or "true"
    sql = query_of_cube(
        model,
        f"{quoted(model.name)} where {where}",
        _bounds(model, asked.filters),
        asked.dimensions,
        asked.grains,
        has_total=model.has_total and (asked.has_total or bool(model.share_measures)),
    )
    return f"select {', '.join(_NAMES)} from ({sql}) as k"


def _bounds(model: Model, filters: Filters) -> str:
    """Return the query of the bounds, within the chosen days: a week of which some days are left out is incomplete."""
    complete, until = "complete_from", "until_day"
    if filters.since:
        complete = f"greatest(complete_from, date '{filters.since}')"
    if filters.until:
        until = f"least(until_day, date '{filters.until + timedelta(days=1)}')"
    return f"select first_day, {complete} as complete_from, last_day, {until} as until_day from {quoted(model.bounds)}"


def _days(column: str, filters: Filters) -> list[str]:
    since = [f"{column} >= date '{filters.since}'"] if filters.since else []
    return since + ([f"{column} <= date '{filters.until}'"] if filters.until else [])


def _of_result(model: Model, asked: Asked) -> str:
    """Return the query of the kept results: those of the chosen days, and of the slice that is chosen if there is one.

    The result of `all` is that of the last day.
    """
    applied = _applied(model, asked.filters) if model.form == "spells" else {}
    dimension, value = next(iter(applied.items()), ("all", ""))
    slices = [f"dimension = {literal(name)}" for name in asked.dimensions if not applied]
    if applied:
        slices = [f"dimension = {literal(dimension)} and dimension_value = {literal(value)}"]
    elif asked.has_total:
        slices.append("dimension = 'all'")
    shown = [f"'all' as {name}" if applied and name in ("dimension", "dimension_value") else name for name in _NAMES]
    grains = ", ".join(literal(grain) for grain in asked.grains)
    of_slice = f"({' or '.join(slices) or 'false'})"
    parts = [f"period_grain in ({grains})", of_slice]
    is_dated = model.form == "spells" and bool(asked.filters.since or asked.filters.until)
    if is_dated:
        parts += ["period_grain <> 'all'", *_days("period_start", asked.filters)]
    text = f"select {', '.join(shown)} from {quoted(model.name)} where {' and '.join(parts)}"
    if is_dated and "all" in asked.grains:
        text += f" union all {_last_day(model, shown, of_slice, asked.filters)}"
    return f"select * from ({text}) as k"


def _last_day(model: Model, shown: Sequence[str], of_slice: str, filters: Filters) -> str:
    names = ["'all' as period_grain" if name == "period_grain" else name for name in shown]
    names = ["cast(null as date) as period_start" if name == "period_start" else name for name in names]
    where = " and ".join(["period_grain = 'day'", of_slice, *_days("period_start", filters)])
    last = "period_start = max(period_start) over (partition by measure)"
    return f"select {', '.join(names)} from {quoted(model.name)} where {where} qualify {last}"
