"""The tables that you may supply, and whether their columns have the types that the KPIs need."""

from collections.abc import Callable, Mapping
from typing import Any, Final

SIGN_INS: Final = "sign_in_actions"
"""Optional table of the customer with the action codes that count as sign-ins."""

ANY: Final = "any type"
TEXT: Final = "text"
NUMBER: Final = "a number"
TIME: Final = "a time"

SUPPLIED: Final[Mapping[str, Mapping[str, str]]] = {
    SIGN_INS: {"action_code": TEXT},
    "otp_prices": {"channel": TEXT, "country_code": ANY, "price": NUMBER},
    "support_tickets": {"opened_at": TIME},
}
"""The columns that KPIs read of each table, with their types."""

_USES: Final = {ANY: "{0}", TEXT: "lower({0})", NUMBER: "{0} * 1.0", TIME: "utc_day({0})"}
"""What a KPI does with a column of each type. The database refuses it for other types."""


def usable_columns(table: str, runs: Callable[[str], Any]) -> dict[str, str]:
    """Return the columns of an existing table that KPIs can read, with their types.

    Args:
        table: Name of the table.
        runs: Runs a query in DuckDB's dialect. Raises dlt's error if the database refuses it.
    """
    return {name: kind for name, kind in SUPPLIED[table].items() if _is_usable(table, name, kind, runs)}


def _is_usable(table: str, column: str, kind: str, runs: Callable[[str], Any]) -> bool:
    from dlt.common.destination.exceptions import DestinationException

    try:
        runs(f"select {_USES[kind].format(column)} as found from {table} where 1 = 0")
    except DestinationException:
        return False
    return True


def unusable(table: str, columns: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a table that you supplied, for display; nothing for other tables.

    Args:
        table: Name of the table.
        columns: Its usable columns.
    """
    return [
        f"the column {name} in your table {table}" + ("" if kind == ANY else f", as {kind}")
        for name, kind in SUPPLIED.get(table, {}).items()
        if name not in columns
    ]
