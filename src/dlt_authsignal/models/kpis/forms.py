"""The four forms of a KPI's query, and the SQL that turns each into rows of the shape that all KPIs share.

- `cases`: one row per case, with a measure, a day, `hit` (1 or 0) and dimensions.
- `spells`: one row per time in which something was true, with `starts_on`, `ends_on`, `hits`, `cases` and dimensions.
  The KPI is the sum over the spells that contain the end of a day.
- `durations`: one row per duration, with a day, `seconds` and dimensions. The measures are percentiles.
- `totals`: rows of the result, with numerator and denominator.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

Form = Literal["cases", "spells", "durations", "totals"]

GRAINS: Final = ("all", "month", "week", "day")
PERCENTILES: Final[Mapping[str, float]] = {"p25": 0.25, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
FAR: Final = "date '9999-12-31'"

COLUMNS: Final = (
    "kpi",
    "measure",
    "period_grain",
    "period_start",
    "dimension",
    "dimension_value",
    "numerator",
    "denominator",
    "value",
    "low",
    "high",
    "unit",
    "is_complete",
)
"""The columns that the view of every KPI has."""

SHAPE: Final = (
    "One row per measure, period and slice. `period_grain` is day, week (from Monday), month or all; `period_start` is"
    " null for all. `dimension` and `dimension_value` are `all` in the row over all slices: filter by both, or rows"
    " count twice. `value` is numerator / denominator, seconds, or a count; `low` and `high` are the 95 % interval"
    " (Wilson) of a ratio. `is_complete` is false while part of the period is not loaded."
)
"""What the columns mean."""

Parts = list[tuple[str, str]]
"""Common table expressions: names and queries."""


def parts_of(
    form: Form,
    dimensions: Sequence[str],
    percentiles: Sequence[str],
    warm_up: Mapping[str, int],
    *,
    has_total: bool,
) -> Parts:
    """Return the expressions between `cases`, `spells`, `durations` or `totals` and `result`, which is the last."""
    slices = _slices(dimensions, has_total=has_total)
    if form == "cases":
        return [
            ("grains", listed("period_grain", GRAINS)),
            ("slices", slices),
            ("counted", counted(dimensions)),
            ("result", _of_cases(dimensions)),
        ]
    if form == "durations":
        return [
            ("grains", listed("period_grain", GRAINS)),
            ("slices", slices),
            ("percentiles", listed("measure", percentiles)),
            ("expanded", _of_durations(dimensions, percentiles)),
            ("result", unpivoted(percentiles)),
        ]
    if form == "spells":
        return [
            ("grains", listed("period_grain", GRAINS)),
            ("slices", slices),
            ("digits", listed("digit", range(10))),
            ("days", _DAYS),
            ("changes", _changes(dimensions)),
            ("first_changes", _FIRST_CHANGES),
            ("levels", _LEVELS),
            ("result", _of_levels(warm_up)),
        ]
    return [("result", "select * from totals")]


def listed(name: str, values: Sequence[object] | range) -> str:
    """Return a query of one column with some values."""
    first, *others = (f"'{value}'" if isinstance(value, str) else str(value) for value in values)
    return " union all ".join([f"select {first} as {name}", *(f"select {value}" for value in others)])


def _slices(dimensions: Sequence[str], *, has_total: bool) -> str:
    return listed("dimension", [*(["all"] if has_total else []), *dimensions])


def _value(dimensions: Sequence[str], alias: str) -> str:
    if not dimensions:
        return "'all'"
    cases = " ".join(f"when '{name}' then {alias}.{name}" for name in dimensions)
    return f"case s.dimension {cases} else 'all' end"


def start(day: str) -> str:
    """Return the first day of the period of `g.period_grain` that contains a day; null for all."""
    return (
        f"case g.period_grain when 'day' then {day} when 'week' then week_of({day})"
        f" when 'month' then month_of({day}) end"
    )


def _columns(dimensions: Sequence[str], alias: str = "") -> str:
    return "".join(f", {alias}{name}" for name in dimensions)


def counted(dimensions: Sequence[str]) -> str:
    """Return the query that counts `cases` by measure, day and all dimensions."""
    names = _columns(dimensions)
    return f"select measure, day{names}, sum(hit) as hits, count(*) as cases from cases group by measure, day{names}"


def _of_cases(dimensions: Sequence[str]) -> str:
    return f"""
        select measure, period_grain, period_start, dimension, dimension_value,
            sum(hits) as numerator, sum(cases) as denominator
        from (
            select c.measure, g.period_grain, {start("c.day")} as period_start, s.dimension,
                {_value(dimensions, "c")} as dimension_value, c.hits, c.cases
            from counted as c
            cross join grains as g
            cross join slices as s
        ) as expanded
        group by measure, period_grain, period_start, dimension, dimension_value"""


def _of_durations(dimensions: Sequence[str], percentiles: Sequence[str]) -> str:
    figures = ", ".join(
        f"percentile_cont({PERCENTILES[name]}) within group (order by seconds) as {name}" for name in percentiles
    )
    return f"""
        select period_grain, period_start, dimension, dimension_value, count(*) as cases, {figures}
        from (
            select g.period_grain, {start("d.day")} as period_start, s.dimension,
                {_value(dimensions, "d")} as dimension_value, d.seconds
            from durations as d
            cross join grains as g
            cross join slices as s
        ) as expanded
        group by period_grain, period_start, dimension, dimension_value"""


def unpivoted(percentiles: Sequence[str]) -> str:
    """Return the query of one row per percentile, from `expanded`, which has a column for each."""
    cases = " ".join(f"when '{name}' then e.{name}" for name in percentiles)
    return f"""
        select p.measure, e.period_grain, e.period_start, e.dimension, e.dimension_value,
            case p.measure {cases} end as numerator, e.cases as denominator
        from expanded as e
        cross join percentiles as p"""


_DAYS: Final = """
    select
        day,
        week_of(day) as week_start,
        month_of(day) as month_start,
        max(day) over (partition by week_of(day)) as week_end,
        max(day) over (partition by month_of(day)) as month_end,
        max(day) over () as last_day
    from (
        select day_plus(b.first_day, a.digit + 10 * c.digit + 100 * d.digit + 1000 * e.digit) as day, b.last_day
        from bounds as b
        cross join digits as a
        cross join digits as c
        cross join digits as d
        cross join digits as e
    ) as numbered
    where day <= last_day"""
"""The days of the KPI, at most 10,000."""


def _changes(dimensions: Sequence[str]) -> str:
    names = _columns(dimensions, "s.")
    return f"""
        select measure, day, dimension, dimension_value, sum(hits) as hits, sum(cases) as cases
        from (
            select e.measure, e.day, s.dimension, {_value(dimensions, "e")} as dimension_value, e.hits, e.cases
            from (
                select s.measure, greatest(s.starts_on, b.first_day) as day, s.hits, s.cases{names}
                from spells as s
                cross join bounds as b
                where s.ends_on > s.starts_on and s.ends_on > b.first_day
                union all
                select s.measure, s.ends_on as day, -s.hits, -s.cases{names}
                from spells as s
                cross join bounds as b
                where s.ends_on > s.starts_on and s.ends_on > b.first_day
            ) as e
            cross join slices as s
        ) as expanded
        group by measure, day, dimension, dimension_value"""


_FIRST_CHANGES: Final = """
    select measure, dimension, dimension_value, min(day) as day
    from changes
    group by measure, dimension, dimension_value"""

_LEVELS: Final = """
    select
        f.measure,
        d.day,
        d.week_start,
        d.month_start,
        d.week_end,
        d.month_end,
        d.last_day,
        f.dimension,
        f.dimension_value,
        sum(coalesce(c.hits, 0)) over (
            partition by f.measure, f.dimension, f.dimension_value order by d.day
            rows between unbounded preceding and current row
        ) as hits,
        sum(coalesce(c.cases, 0)) over (
            partition by f.measure, f.dimension, f.dimension_value order by d.day
            rows between unbounded preceding and current row
        ) as cases
    from first_changes as f
    join days as d on d.day >= f.day
    left join changes as c
        on c.measure = f.measure and c.dimension = f.dimension and c.dimension_value = f.dimension_value
        and c.day = d.day"""


def _of_levels(warm_up: Mapping[str, int]) -> str:
    waits = " ".join(f"when '{measure}' then {days}" for measure, days in warm_up.items())
    after = f"l.day >= day_plus(b.first_day, case l.measure {waits} else 0 end)" if waits else "l.day >= b.first_day"
    return f"""
        select l.measure, g.period_grain, {start("l.day")} as period_start, l.dimension, l.dimension_value,
            l.hits as numerator, l.cases as denominator
        from levels as l
        cross join grains as g
        cross join bounds as b
        where {after} and l.day = case g.period_grain
            when 'day' then l.day when 'week' then l.week_end when 'month' then l.month_end else l.last_day end"""
