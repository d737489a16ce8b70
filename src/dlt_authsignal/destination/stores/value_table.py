"""Send values to a database so that its log does not contain them.

PostgreSQL can log each statement and its parameters (`log_statement`, `log_min_duration_statement`), and shows them in
`pg_stat_activity` and `pg_stat_statements`. It does not log the data of `COPY ... FROM STDIN`.
"""

import itertools
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any, Final

_NUMBERS: Final = itertools.count(1)
_NUL: Final = "\x00"
_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@contextmanager
def condition(sql: Any, column: str, values: Collection[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a condition that a column has one of the values, and the parameters of that condition.

    For PostgreSQL there are no parameters: the values are in a temporary table until the block ends. The role needs the
    right TEMPORARY on the database, which every role has by default.

    Args:
        sql: dlt's SQL client, in a transaction.
        column: Name of the column.
        values: The values.
    """
    name = sql.escape_column_name(column)
    if not _can_copy(sql):
        yield f"{name} IN ({', '.join(['%s'] * len(values))})", tuple(values)
        return
    table = f"dlt_authsignal_values_{next(_NUMBERS)}"
    sql.execute_sql(f"CREATE TEMPORARY TABLE {table} (value text)")
    with sql.native_connection.cursor() as cursor:
        cursor.copy_expert(f"COPY pg_temp.{table} FROM STDIN", StringIO(_lines(values)))
    # as text, because another team's table may have ids of another type
    yield f"CAST({name} AS text) IN (SELECT value FROM pg_temp.{table})", ()
    sql.execute_sql(f"DROP TABLE pg_temp.{table}")  # an error rolls the transaction back, and the table with it


def _can_copy(sql: Any) -> bool:
    return bool(sql.capabilities.sqlglot_dialect == "postgres")  # Redshift has the same driver, but copies from S3 only


def _lines(values: Collection[str]) -> str:
    """Return the values in the text format of COPY. PostgreSQL cannot store NUL, so no row has such a value."""
    return "".join(f"{value.translate(_ESCAPES)}\n" for value in values if _NUL not in value)
