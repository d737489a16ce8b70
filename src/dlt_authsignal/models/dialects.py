"""The models' SQL in warehouse dialects, where sqlglot alone would produce unsupported SQL."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

PERCENTILES: Final = {"bigquery": "approx_quantiles({ordered}, 1000)[safe_offset({place})]"}
"""Percentiles by dialect. In BigQuery, PERCENTILE_CONT is a window function only."""


def translated(query: str, dataset: str, dialect: str) -> str:
    """Return a query in the destination's dialect, with the dataset before the name of each table."""
    from sqlglot import exp, parse_one

    tree = parse_one(query, dialect="duckdb")
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in named:
            table.set("db", exp.to_identifier(dataset))
    return portable(tree, dialect).sql(dialect=dialect)


def portable(query: "exp.Expr", dialect: str) -> "exp.Expr":
    """Replace `count(*) filter (where …)` with a count of cases, and percentiles with those that the dialect supports.

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
            seconds = exp.Extract(this=exp.var("epoch"), expression=apart)
            between.replace(exp.Floor(this=exp.Mul(this=seconds, expression=exp.Literal.number(1000))))
    if percentile := PERCENTILES.get(dialect):
        for within in list(query.find_all(exp.WithinGroup)):
            ordered = within.expression.expressions[0].this.sql(dialect=dialect)
            place = round(1000 * float(within.this.this.name))
            within.replace(parse_one(percentile.format(ordered=ordered, place=place), dialect=dialect))
    return query
