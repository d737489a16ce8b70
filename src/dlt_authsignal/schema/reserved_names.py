"""Column names that no undeclared field may have, and the mark that sets the columns of such fields apart.

Each list names its documentation. A name that is reserved in one destination is avoided in all of them, so that a field
has the same column everywhere.
"""

import re
from typing import Final

LONGEST_NAME: Final = 63
"""Characters of a name in PostgreSQL, the shortest limit of all destinations."""

_POSTGRES: Final = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "oid")
"""System columns (PostgreSQL manual, 5.6). `oid` is one up to version 11 and in Redshift."""

_REDSHIFT: Final = ("deletexid", "insertxid", "rowid")
"""Hidden columns of each Redshift table (STV_TBL_PERM); `rowid` is also a pseudo-column of DuckDB and SQLite."""

_SNOWFLAKE: Final = (
    "constraint",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "case",
    "cast",
    "false",
    "true",
    "try_cast",
    "when",
)
"""Snowflake, "Reserved & limited keywords": names that a column cannot have, or that an expression cannot refer to."""

_DUCKDB_FILES: Final = ("filename", "file_row_number", "file_index")
"""Columns that DuckDB's Parquet reader adds (DuckDB, "Querying Parquet files")."""

RESERVED_NAMES: Final = frozenset({*_POSTGRES, *_REDSHIFT, *_SNOWFLAKE, *_DUCKDB_FILES})
"""Names that a destination reserves.

BigQuery's prefixes (`_TABLE_`, `_FILE_`, `_PARTITION`, `_ROW_TIMESTAMP`, `__ROOT__`, `_COLIDENTIFIER`, `_CHANGE_`),
Delta's and Iceberg's columns (`_metadata`, `_change_type`, `_file`, `_pos`) and dlt's `_dlt_` begin with an underscore,
as no column of an undeclared field does.
"""

_MARKED: Final = re.compile(r"__x[0-9a-f]{8}$")


def marked(name: str, digits: str) -> str:
    """Return a name with a mark of eight hex digits, at most as long as every destination allows."""
    mark = f"__x{digits}"
    return name[: LONGEST_NAME - len(mark)].rstrip("_") + mark


def is_marked(name: str) -> bool:
    """Return whether a name ends like those that `marked` returns."""
    return _MARKED.search(name) is not None
