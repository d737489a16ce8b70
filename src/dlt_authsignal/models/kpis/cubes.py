"""The rows of a KPI from its cube, in DuckDB: the same rows that `forms` gives from its cases or durations, sooner.

A view expands each case by all slices and periods, which any database can do. Here each slice is counted alone, so that
only few rows are expanded, and all percentiles of a group are found in one list.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from dlt_authsignal.models.kpis.catalogue import Model
from dlt_authsignal.models.kpis.forms import PERCENTILES, Parts, listed, start, unpivoted

_ALL: Final = "all"


def parts_of_cube(
    model: Model, cube: str, dimensions: Sequence[str], grains: Sequence[str], *, has_total: bool
) -> Parts:
    """Return the expressions up to `result`.

    Args:
        model: A KPI of the form `cases` or `durations`.
        cube: Table of the cube, with the conditions for the rows that count.
        dimensions: Dimensions to split by.
        grains: Periods.
        has_total: Whether to return the total over all slices.
    """
    slices = [*([_ALL] if has_total else []), *dimensions]
    if model.form == "cases":
        return [
            ("grains", listed("period_grain", grains)),
            ("sliced", _union(_counted(cube, name) for name in slices)),
            ("result", _BY_PERIOD.format(start=start("c.day"))),
        ]
    groups = [_found(model.percentiles, cube, name, grain) for grain in grains for name in slices]
    return [
        ("percentiles", listed("measure", model.percentiles)),
        ("expanded", _union(groups)),
        ("result", unpivoted(model.percentiles)),
    ]


_BY_PERIOD: Final = """
    select c.measure, g.period_grain, {start} as period_start, c.dimension, c.dimension_value,
        sum(c.hits) as numerator, sum(c.cases) as denominator
    from sliced as c
    cross join grains as g
    group by all"""

_STARTS: Final = {"day": "day", "week": "week_of(day)", "month": "month_of(day)", "all": "cast(null as date)"}


def _union(queries: Iterable[str]) -> str:
    return " union all ".join(queries)


def _value(dimension: str) -> str:
    return f"'{_ALL}'" if dimension == _ALL else f"cast({dimension} as text)"


def _counted(cube: str, dimension: str) -> str:
    """Return the query that counts the cases of one dimension by day."""
    return f"""
        select cast(measure as text) as measure, day, '{dimension}' as dimension,
            {_value(dimension)} as dimension_value, sum(hits) as hits, sum(cases) as cases
        from {cube}
        group by measure, day{"" if dimension == _ALL else f", {dimension}"}"""


def _found(percentiles: Sequence[str], cube: str, dimension: str, grain: str) -> str:
    """Return the query of the percentiles of one dimension and period, which DuckDB finds together."""
    ranks = ", ".join(str(PERCENTILES[name]) for name in percentiles)
    figures = ", ".join(f"figures[{place}] as {name}" for place, name in enumerate(percentiles, start=1))
    return f"""
        select '{grain}' as period_grain, period_start, '{dimension}' as dimension,
            {_value("value")} as dimension_value, cases, {figures}
        from (
            select {_STARTS[grain]} as period_start, {"'all'" if dimension == _ALL else dimension} as value,
                count(*) as cases, quantile_cont(seconds, [{ranks}]) as figures
            from {cube}
            group by period_start, value
        ) as found"""
