"""Puts the query of a KPI together: the queries that it is based on, its own, its form, and the columns of all KPIs."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.events.views import ALL_ACTIONS, columns_of_all_actions, only
from dlt_authsignal.models.kpis.catalogue import Model
from dlt_authsignal.models.kpis.cubes import parts_of_cube
from dlt_authsignal.models.kpis.forms import COLUMNS, Parts, counted, parts_of
from dlt_authsignal.models.kpis.sources import ATTEMPTS, BASES, EVERYTHING, filled, made
from dlt_authsignal.models.opened import Stored

_TABLE: Final = re.compile(r"\b(?:from|join)\s+([a-z_]+)")
_WORD: Final = re.compile(r"\w+")
_Z: Final = "1.959963984540054"
"""Of a 95 % interval."""

_Z2: Final = "3.8414588206941254"


def query(model: Model, stored: Stored, *, has_bases: bool = True) -> str:
    """Return the query of a KPI in DuckDB's dialect with the macros of `dialects`, on unqualified tables.

    Args:
        model: The KPI. Its tables must exist.
        stored: Types of the columns of each existing table.
        has_bases: Whether the query contains the base queries. Otherwise they have to exist as tables.
    """
    parts = _loaded(model, stored, has_bases=has_bases)
    parts += parts_of(model.form, model.dimensions, model.percentiles, model.warm_up, has_total=model.has_total)
    return _with(parts, _final(model))


def base_queries(models: Sequence[Model], stored: Stored) -> Parts:
    """Return the base queries that some KPIs read, in an order in which each comes after those that it reads."""
    texts = [filled(model.sql, stored) for model in models]
    found = dict(bases_of([*texts, *(f"select * from {model.bounds}" for model in models if model.bounds)], stored))
    if ALL_ACTIONS in found:  # of its many columns only those that the others name
        words = {word for text in (*texts, found.get(ATTEMPTS, "")) for word in _WORD.findall(text)}
        used = [column for column in columns_of_all_actions(stored) if column in words]
        found[ALL_ACTIONS] = only(used, found[ALL_ACTIONS])
    return list(found.items())


def cube_query(model: Model, stored: Stored, *, has_bases: bool = True) -> str:
    """Return the query of what the KPI is computed from, of the form `cases` or `durations`, with all dimensions.

    `cases` are counted by day and dimensions, as `hits` and `cases`. `durations` are its own rows.
    """
    parts, names = _loaded(model, stored, has_bases=has_bases), ", ".join(("day", *model.dimensions))
    if model.form == "cases":
        return _with(parts, counted(model.dimensions))
    return _with(parts, f"select {names}, seconds from durations")


def bounds_query(model: Model, stored: Stored, *, has_bases: bool = True) -> str:
    """Return the query of the days that are loaded for a KPI that has bounds."""
    text = f"select first_day, {_COMPLETE.get(model.bounds, 'first_day')} as complete_from, last_day, until_day"
    text = f"{text} from {model.bounds}"
    return _with(bases_of([text], stored) if has_bases else [], text)


def query_of_cube(
    model: Model, cube: str, bounds: str, dimensions: Sequence[str], grains: Sequence[str], *, has_total: bool = True
) -> str:
    """Return the query of a KPI from its cube and bounds, for some slices and periods, in DuckDB's dialect.

    Args:
        model: A KPI of the form `cases` or `durations`.
        cube: Table of the cube, with the conditions for the rows that count.
        bounds: Query of its bounds.
        dimensions: Dimensions to split by.
        grains: Periods.
        has_total: Whether to return the total over all slices.
    """
    parts = [("bounds", bounds), *parts_of_cube(model, cube, dimensions, grains, has_total=has_total)]
    return in_duckdb(_with(parts, _final(model)))


_COMPLETE: Final = {"attempt_bounds": "complete_from"}


def _loaded(model: Model, stored: Stored, *, has_bases: bool) -> Parts:
    """Return the base queries, the KPI's own and its bounds."""
    bounds = [("bounds", f"select * from {model.bounds}")] if model.bounds else []
    own = [(model.form, filled(model.sql, stored)), *bounds]
    return [*(bases_of([text for _, text in own], stored) if has_bases else []), *own]


def _with(parts: Parts, final: str) -> str:
    if not parts:
        return final
    with_ = ",\n".join(f"{name} as ({text})" for name, text in parts)
    return f"with {with_}\n{final}"


def explained(model: Model) -> str:
    """Return the KPI's own query and the base queries that it reads, over all tables and columns that it may use."""
    own = filled(model.sql, EVERYTHING)
    bases = ",\n".join(f"{name} as (\n{text}\n)" for name, text in bases_of([own], EVERYTHING))
    return in_duckdb(f"with {bases},\n{model.form} as (\n{own}\n)\nselect * from {model.form}" if bases else own)


def bases_of(texts: Sequence[str], stored: Stored) -> Parts:
    """Return the base queries that some queries read, in an order in which each comes after those that it reads."""
    found: dict[str, str] = {}

    def add(text: str) -> None:
        for name in _TABLE.findall(text):
            if name in BASES and name not in found:
                base = made(name, stored) or filled(_base(name), stored)
                add(base)
                found[name] = base

    for text in texts:
        add(text)
    return list(found.items())


@cache
def _base(name: str) -> str:
    text = files("dlt_authsignal.models.kpis").joinpath("bases", f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.strip().split("\n") if not line.startswith("--"))


def _final(model: Model) -> str:
    """Return the query of the columns that all KPIs have, from `result`."""
    is_duration = model.form == "durations"
    count = "double precision" if model.form == "totals" else "bigint"
    shown = {
        "kpi": f"'{model.name}'",
        "numerator": "cast(null as bigint)" if is_duration else f"cast(numerator as {count})",
        "denominator": "cast(denominator as bigint)",
        "low": f"case when unit = 'ratio' then {_wilson('-')} end",
        "high": f"case when unit = 'ratio' then {_wilson('+')} end",
        "is_complete": _is_complete(model),
    }
    listed = ", ".join(f"{shown[name]} as {name}" if name in shown else name for name in COLUMNS)
    bounds = "\ncross join bounds as b" if model.bounds else ""
    return f"""select {listed}
from (
    select *, case when unit in ('count', 'seconds') then numerator else numerator / nullif(denominator, 0) end as value
    from (
        select measure, period_grain, period_start, dimension, dimension_value,
            cast(numerator as double precision) as numerator,
            {_denominator(model)} as denominator, {_unit(model)} as unit
        from result
    ) as units
) as k{bounds}
where unit = 'count' or denominator > 0"""


def _denominator(model: Model) -> str:
    """Return the denominator: of a share, the total of all slices; a count has none."""
    if model.unit == "count":
        return "cast(null as bigint)"
    if not model.share_measures:
        return "denominator"
    total = (
        "max(case when dimension = 'all' then numerator end) over (partition by measure, period_grain, period_start)"
    )
    names = ", ".join(f"'{name}'" for name in model.share_measures)
    return f"case when measure in ({names}) then {total} else denominator end"


def _unit(model: Model) -> str:
    if not model.units:
        return f"'{model.unit}'"
    cases = " ".join(f"when '{measure}' then '{unit}'" for measure, unit in model.units.items())
    return f"case measure {cases} else '{model.unit}' end"


def _is_complete(model: Model) -> str:
    """Return the condition that all of a period is known: it begins and ends within the days that are loaded."""
    if not model.bounds:
        return "true"
    end = (
        "case period_grain when 'day' then day_plus(period_start, 1) when 'week' then day_plus(period_start, 7)"
        " else month_of(day_plus(period_start, 31)) end"
    )
    begins = "" if model.form == "spells" else " and period_start >= b.complete_from"
    return f"coalesce({end} <= b.until_day{begins}, true)"


def _wilson(sign: str) -> str:
    """Return a bound of the Wilson interval. A numerator above the denominator is not a share, and has no spread."""
    spread = f"greatest({_Z2} + 4 * numerator * (1 - least(value, 1)), 0)"
    return f"(2 * numerator + {_Z2} {sign} {_Z} * sqrt({spread})) / (2 * (denominator + {_Z2}))"
