"""Days plus numbers: DuckDB and PostgreSQL add them with `+`, and other dialects do not."""

from typing import Final

import pytest
from sqlglot import exp, parse_one
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from dlt_authsignal.models import Model, all_models, find_model
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.install import view_query
from dlt_authsignal.models.kpis.sources import EVERYTHING
from tests.tiers import deep_except

TYPES: Final = {"text": "varchar", "bool": "boolean", "timestamp": "timestamptz"}
OWN: Final = {
    "support_tickets": {"opened_at": "timestamp"},
    "otp_prices": {"channel": "text", "country_code": "text", "price": "double"},
}
STORED: Final = {
    **{name: {**columns, "_read_at": "timestamp"} for name, columns in EVERYTHING.items()},
    **OWN,
}
SCHEMA: Final[dict[str, object]] = {
    "authsignal_data": {
        table: {name: TYPES.get(kind, kind) for name, kind in columns.items()} for table, columns in STORED.items()
    }
}
ONE_OF_EACH_FORM: Final = [find_model(name) for name in ("stickiness", "active_users", "support_tickets")]


def sums_of_days(text: str, dialect: str) -> list[str]:
    """Return the sums and differences in a query that have a day on one side."""
    tree = qualify(
        parse_one(text, dialect=dialect),
        schema=SCHEMA,
        dialect=dialect,
        validate_qualify_columns=False,
        quote_identifiers=False,
    )
    found = []
    for sum_ in annotate_types(tree, schema=SCHEMA, dialect=dialect).find_all(exp.Add, exp.Sub):
        types = [_type(side) for side in (sum_.this, sum_.expression)]
        assert "UNKNOWN" not in types, sum_.sql(dialect)
        if "DATE" in types:
            found.append(sum_.sql(dialect))
    return found


def _type(side: exp.Expr) -> str:
    if isinstance(side, exp.DateDiff | exp.TsOrDsDiff):  # whose type sqlglot does not know in Redshift
        return "INT"
    return side.type.this.name if side.type else "UNKNOWN"


@pytest.mark.parametrize("model", deep_except(ONE_OF_EACH_FORM, all_models()), ids=lambda model: model.name)
@pytest.mark.parametrize("dialect", ["databricks", "redshift", "bigquery", "snowflake"])
def test_no_model_adds_a_number_to_a_day_in_a_dialect_that_has_a_function_for_it(model: Model, dialect: str) -> None:
    assert sums_of_days(view_query(model, STORED, "authsignal_data", dialect), dialect) == []


def test_a_number_that_is_added_to_a_day_is_found() -> None:
    text = "select cast(min(created_at) as date) + 1 as next from authsignal_data.users"
    assert len(sums_of_days(text, "snowflake")) == 1


def test_days_can_be_added_to_any_expression() -> None:
    written = in_duckdb("select day_plus(coalesce(week_of(a.day), b.day), least(c.days, 7)) as day")
    assert written == (
        "select (coalesce(cast(date_trunc('week', a.day) as date), b.day) + cast(least(c.days, 7) as integer)) as day"
    )
