"""The models' SQL in warehouse dialects, where sqlglot alone would produce unsupported SQL."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

MEDIANS: Final = {"bigquery": "approx_quantiles({}, 1000)[safe_offset(500)]"}
"""Medians by dialect. In BigQuery, PERCENTILE_CONT is a window function only."""


def portable(query: "exp.Expr", dialect: str) -> "exp.Expr":
    """Replace `count(*) filter (where …)` with a count of cases, and the median with one that the dialect supports.

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
    if median := MEDIANS.get(dialect):
        for within in list(query.find_all(exp.WithinGroup)):
            ordered = within.expression.expressions[0].this.sql(dialect=dialect)
            within.replace(parse_one(median.format(ordered), dialect=dialect))
    return query
