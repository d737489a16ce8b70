"""The models' SQL in the dialects of warehouses, where sqlglot leaves what they do not know."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlglot import exp

MEDIANS: Final = {"bigquery": "approx_quantiles({}, 1000)[safe_offset(500)]"}
"""BigQuery's PERCENTILE_CONT is a window function only."""


def portable(query: "exp.Expr", dialect: str) -> "exp.Expr":
    """`count(*) filter (where …)` as a count of cases, which every dialect knows, and a median that this one knows."""
    from sqlglot import exp, parse_one

    for node in list(query.find_all(exp.Filter)):
        case = exp.Case().when(node.expression.this, exp.Literal.number(1))
        node.replace(exp.Count(this=case, big_int=True))
    if median := MEDIANS.get(dialect):
        for within in list(query.find_all(exp.WithinGroup)):
            ordered = within.expression.expressions[0].this.sql(dialect=dialect)
            within.replace(parse_one(median.format(ordered), dialect=dialect))
    return query
