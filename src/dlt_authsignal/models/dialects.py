"""The models' SQL in warehouse dialects, where sqlglot alone would produce unsupported SQL.

The models are written in DuckDB's dialect with seven macros: `utc_day(time)` is the day in UTC, `week_of(day)` its
Monday, `month_of(day)` the first of its month, `day_plus(day, days)` the day so many days later, `unix_ms(time)` the
milliseconds since 1970, `json_text(column)` the text of a JSON column, and `json_string(column)` a text as a string of
JSON. Not all dialects add a number to a day, so models never write `day + 1`.
"""

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

PERCENTILES: Final = {"bigquery": "approx_quantiles({ordered}, 1000)[safe_offset({place})]"}
"""Percentiles by dialect. In BigQuery, PERCENTILE_CONT is a window function only."""

_ESCAPED: Final = (
    "chr(34) || replace(replace({0}, chr(92), chr(92) || chr(92)), chr(34), chr(92) || chr(34)) || chr(34)"
)
"""A string of JSON where no function makes one of a text: without escapes for line breaks."""

MACROS: Final = {
    "duckdb": {
        "utc_day": "cast(make_timestamp(epoch_us({0})) as date)",
        "week_of": "cast(date_trunc('week', {0}) as date)",
        "month_of": "cast(date_trunc('month', {0}) as date)",
        "day_plus": "({0} + cast({1} as integer))",
        "json_text": "cast({0} as text)",
        "json_string": "cast(to_json({0}) as text)",
        "unix_ms": "epoch_ms({0})",
    },
    "bigquery": {
        "utc_day": "date({0})",
        "week_of": "date_trunc({0}, isoweek)",
        "month_of": "date_trunc({0}, month)",
        "day_plus": "date_add({0}, interval {1} day)",
        "json_text": "to_json_string({0})",
        "json_string": "to_json_string({0})",
        "unix_ms": "unix_millis({0})",
    },
    "snowflake": {
        "utc_day": "cast(convert_timezone('UTC', {0}) as date)",
        "week_of": "dateadd('day', 1 - dayofweekiso({0}), {0})",
        "month_of": "cast(date_trunc('month', {0}) as date)",
        "day_plus": "dateadd('day', {1}, {0})",
        "json_text": "to_json({0})",
        "json_string": "to_json(to_variant({0}))",
        "unix_ms": "date_part(epoch_millisecond, {0})",
    },
    "databricks": {
        "utc_day": "cast(to_utc_timestamp({0}, current_timezone()) as date)",
        "week_of": "cast(date_trunc('week', {0}) as date)",
        "month_of": "cast(date_trunc('month', {0}) as date)",
        "day_plus": "date_add({0}, cast({1} as int))",
        "json_text": "cast({0} as string)",
        "json_string": _ESCAPED,
        "unix_ms": "unix_millis({0})",
    },
}
"""What the macros stand for, by dialect; the others are like PostgreSQL."""

_POSTGRES: Final = {
    "utc_day": "cast({0} at time zone 'UTC' as date)",
    "week_of": "cast(date_trunc('week', {0}) as date)",
    "month_of": "cast(date_trunc('month', {0}) as date)",
    "day_plus": "({0} + cast({1} as integer))",
    "json_text": "cast({0} as text)",
    "json_string": "cast(to_json({0}) as text)",
    "unix_ms": "cast(floor(extract(epoch from {0}) * 1000) as bigint)",
}
_REDSHIFT: Final = _POSTGRES | {"json_string": _ESCAPED, "day_plus": "cast(dateadd(day, {1}, {0}) as date)"}
_TABLE: Final = re.compile(r"(\b(?:from|join)\s+)([a-z_]+)\b")
_MACRO: Final = re.compile(r"\b(utc_day|week_of|month_of|day_plus|json_text|json_string|unix_ms)\(")


def in_duckdb(query: str) -> str:
    """Return a query with its macros written out, without sqlglot, which takes long to import."""
    while found := _MACRO.search(query):
        arguments, end = _arguments(query, found.end())
        written = MACROS["duckdb"][found[1]].format(*arguments)
        query = query[: found.start()] + written + query[end:]
    return query


def _arguments(query: str, start: int) -> tuple[list[str], int]:
    """Return the arguments of a macro, whose first one starts there, and the place after its closing bracket."""
    arguments, depth, end = [], 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(query[end], 0)
        if not depth or (depth == 1 and query[end] == ","):
            arguments.append(query[start:end].strip())
            start = end + 1
        end += 1
    return arguments, end


def qualified(query: str, dataset: str, tables: Collection[str]) -> str:
    """Return a query with the dataset before the names of some tables, where they follow FROM or JOIN."""
    return _TABLE.sub(lambda found: f"{found[1]}{dataset}.{found[2]}" if found[2] in tables else found[0], query)


def translated(query: str, dataset: str | None, dialect: str) -> str:
    """Return a query in the destination's dialect, with the dataset before the name of each table."""
    from sqlglot import exp, parse_one

    tree = parse_one(query, dialect="duckdb")
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if dataset and table.name not in named:
            table.set("db", exp.to_identifier(dataset))
    return portable(tree, dialect).sql(dialect=dialect)


def portable(query: "exp.Expr", dialect: str) -> "exp.Expr":
    """Replace `count(*) filter (where …)` with a count of cases, macros, and percentiles, by what the dialect supports.

    In PostgreSQL, differences of times are taken from the times themselves: sqlglot would cast them to the local time,
    in which a day with a clock change has 23 or 25 hours.
    """
    from sqlglot import exp, parse_one

    for node in list(query.find_all(exp.Filter)):
        case = exp.Case().when(node.expression.this, exp.Literal.number(1))
        node.replace(exp.Count(this=case, big_int=True))
    if dialect == "postgres":
        for between in list(query.find_all(exp.DateDiff)):
            apart = exp.Paren(this=exp.Sub(this=between.this, expression=between.expression))
            if between.text("unit").upper() == "DAY":  # of dates, which PostgreSQL subtracts as whole days
                between.replace(apart)
                continue
            seconds = exp.Extract(this=exp.var("epoch"), expression=apart)
            between.replace(exp.Floor(this=exp.Mul(this=seconds, expression=exp.Literal.number(1000))))
    if dialect == "bigquery":
        for ordered in query.find_all(exp.Ordered):  # it has no NULLS LAST here, and the models order by no nulls
            if not ordered.args.get("desc") and ordered.find_ancestor(exp.Window):
                ordered.set("nulls_first", True)
    if percentile := PERCENTILES.get(dialect):
        for within in list(query.find_all(exp.WithinGroup)):
            ordered = within.expression.expressions[0].this.sql(dialect=dialect)
            place = round(1000 * float(within.this.this.name))
            within.replace(parse_one(percentile.format(ordered=ordered, place=place), dialect=dialect))
    return _without_macros(query, dialect)


def _without_macros(query: "exp.Expr", dialect: str) -> "exp.Expr":
    from sqlglot import exp, parse_one

    macros = MACROS.get(dialect, _REDSHIFT if dialect == "redshift" else _POSTGRES)
    inner_first = reversed([each for each in query.find_all(exp.Anonymous) if each.name.lower() in macros])
    for found in inner_first:
        arguments = {
            f"placed_{place}": each if isinstance(each, exp.Column | exp.Literal) else exp.Paren(this=each)
            for place, each in enumerate(found.expressions)
        }
        written = parse_one(macros[found.name.lower()].format(*arguments), dialect=dialect)
        for place in [column for column in written.find_all(exp.Column) if column.name in arguments]:
            place.replace(arguments[place.name].copy())
        found.replace(written)
    return query
