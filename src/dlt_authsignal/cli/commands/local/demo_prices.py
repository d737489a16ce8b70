"""The table otp_prices of the demo, with invented prices, from which a KPI computes what sent codes cost."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

PRICES: Final = (
    ("SMS", None, 0.05),
    ("SMS", "KM", 0.22),
    ("EMAIL_OTP", None, 0.001),
)
"""Channel, country of the phone number (None: all others) and price. All of them are invented."""


def put_prices(pipeline: "Pipeline") -> None:
    """Create the table, or replace the one of an earlier demo."""
    rows = ", ".join(
        f"('{channel}', {'null' if country is None else repr(country)}, {price})" for channel, country, price in PRICES
    )
    with pipeline.sql_client() as client:
        table = client.make_qualified_table_name("otp_prices")
        prices = f"select * from (values {rows}) as prices (channel, country_code, price)"  # noqa: S608 - our own values
        client.execute_sql(f"create or replace table {table} as {prices}")
