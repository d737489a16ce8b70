"""User ids from a database query, written as `DATABASE?query=SQL`."""

import re
from collections.abc import Generator
from typing import Final
from urllib.parse import unquote_plus

from dlt_authsignal.destination.quoted_values import without_values
from dlt_authsignal.errors import ConfigurationError, UserIdsUnreadable
from dlt_authsignal.source.user_ids.candidate import Candidate, NotAnId, as_id, id_column, no_column
from dlt_authsignal.source.user_ids.id_set import SeenKeys
from dlt_authsignal.source.user_ids.sql_connection import Query, asked, place

MOST_REPEATED: Final = 10_000_000
"""Rows in a row without a new id, after which a query is taken for one that never ends."""

ONCE: Final = "select distinct …"

_SPLIT: Final = re.compile(r"(?P<database>.*?)[?&]query=(?P<sql>.*)", re.DOTALL)
_ONE_NAME_QUOTED: Final = re.compile(r"""[^"'`]*["'`](?P<name>\w+)["'`][^"'`]*""")


def is_query(source: str) -> bool:
    """Return whether a user id source is a database query, not a file."""
    return "://" in source or _SPLIT.fullmatch(source) is not None


def parse(source: str) -> Query:
    """Split `DATABASE?query=SQL`. The SQL extends to the end; it is percent-decoded if it has no space.

    Raises:
        UserIdsUnreadable: The query is missing.
    """
    found = _SPLIT.fullmatch(source)
    sql = found["sql"].strip() if found else ""
    if not found or not sql:
        raise UserIdsUnreadable(
            "The database URL has no query. Append one, as in"
            ' "postgresql://reader@host/crm?query=select id from users", in quotes on a command line.'
        )
    return Query(found["database"], (sql if re.search(r"\s", sql) else unquote_plus(sql)).strip().rstrip(";"))


def from_query(query: Query, column: str | None = None) -> Generator[Candidate]:
    """Yield the ids of a query in their order and exactly as they stand, each once, without NULL and blank ones.

    Args:
        query: Database URL and SQL.
        column: Id column; default the only column, else `user_id`, `userId` or `id`.

    Raises:
        ExtraMissing: SQLAlchemy is not installed, and the database is neither DuckDB nor SQLite.
        UserIdsUnreadable: Driver, connection, table or id column is missing, no row has an id, or the query seems to
            return the same ids for ever.
    """
    position, latest, fault = 0, 0, ""
    seen = SeenKeys()
    try:
        with asked(query) as (columns, rows):
            index = _index(columns, column)
            for position, row in enumerate(rows, start=1):
                user_id = as_id(row[index])
                if user_id and seen.add(user_id):
                    latest = position
                    yield Candidate(user_id=user_id, id_source="query", position=position)
                elif position - latest >= MOST_REPEATED:
                    fault = (
                        f"returned {MOST_REPEATED:,} rows in a row without a new user id. Select each id once: {ONCE}."
                    )
                    break
    except ConfigurationError:
        raise
    except NotAnId as kind:
        fault = f"returned a value of type {kind} in row {position}. User ids must be text, whole numbers or UUIDs."
    except Exception as error:  # a driver's own class, which may quote a row
        fault = f"failed: {_described(error, query.sql)}. Check the query."
    if position and not latest and not fault:
        fault = f"returned {position:,} rows without any user id. Check the query."
    if fault:  # outside of `except`, so that the error is not chained to the driver's
        raise UserIdsUnreadable(f"The query for user ids on {place(query.database)} {fault}")


def _index(columns: list[str], column: str | None) -> int:
    index = 0 if len(columns) == 1 else id_column(columns, column)
    if index is None:
        raise UserIdsUnreadable(
            f"The query for user ids returns {len(columns)} columns and {no_column(columns, column)}"
        )
    return index


def _described(error: Exception, sql: str) -> str:
    """Return a database's error message without values. It quotes a word only if the word is part of the query."""
    cause = getattr(error, "orig", None) or error
    text = str(cause.args[-1] if cause.args else cause).strip()
    first = text.partition("\n")[0].rstrip(".")
    quoted = _ONE_NAME_QUOTED.fullmatch(first)
    if quoted and re.search(rf"\b{quoted['name']}\b", sql):
        return first
    return without_values(text)
