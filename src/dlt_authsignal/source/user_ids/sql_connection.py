"""Run one query on your own database: DuckDB, SQLite, or any database with an SQLAlchemy dialect.

Databases are opened read-only where possible, rows are streamed, and nothing is ever committed.
Messages never contain a password, nor the part of a URL after the question mark.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from dlt_authsignal.errors import ExtraMissing, UserIdsUnreadable

ROWS_AT_ONCE: Final = 1000

_SERVER: Final = re.compile(
    r"(?P<kind>[\w+.-]+)://(?:[^@/?]*@)?(?P<place>(?:\[[^]@/?]*\]|[^]@/?:[]*)(?::\d+)?(?:/[^@?]*)?)(?:\?[^@]*)?"
)
"""An unambiguous URL. In any other, part of the password could be mistaken for the host."""
_PACKAGES: Final = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""Names of pip packages that differ from their modules."""


@dataclass(frozen=True)
class Query:
    """A query and its database.

    Attributes:
        database: A URL, or in a setting the name under which dlt finds the credentials.
        sql: The query.
    """

    database: str = field(repr=False)  # it may contain a password
    sql: str


class Answer(NamedTuple):
    """Names of the columns, and an iterator of rows."""

    columns: list[str]
    rows: Iterable[Any]


ReadRequest = Callable[[str], Answer | None]
"""Runs a query on an open database; returns None for a statement without rows."""


@contextmanager
def asked(query: Query) -> Iterator[Answer]:
    """Run a query; its result is available during the block.

    Raises:
        ExtraMissing: SQLAlchemy is not installed, and the database is neither DuckDB nor SQLite.
        UserIdsUnreadable: The database cannot be reached, or the query returns no result set.
        Exception: The driver's own exception if the query fails. It may quote rows.
    """
    kind = query.database.partition("://")[0].partition("+")[0]
    opened: Callable[[str], AbstractContextManager[ReadRequest]] = {"duckdb": _duckdb, "sqlite": _sqlite}.get(
        kind, _sqlalchemy
    )
    with opened(query.database) as ask:
        answer = ask(query.sql)
        if answer is None:
            raise UserIdsUnreadable(
                f"The query for user ids on {place(query.database)} returns no rows. It must be a SELECT."
            )
        yield answer


def place(url: str) -> str:
    """Return the location of a database without credentials and options."""
    if url.startswith(("duckdb", "sqlite")):
        return str(_file(url) or "DuckDB")
    found = _SERVER.fullmatch(url)
    return f"{found['kind']}://{found['place']}" if found else "a database"


@contextmanager
def _duckdb(url: str) -> Iterator[ReadRequest]:
    import duckdb

    file = _file(url)
    try:
        connection = duckdb.connect(str(file or ":memory:"), read_only=bool(file))
    except duckdb.Error as error:
        fault = _first_line(error)
    else:
        with closing(connection):
            yield lambda sql: _answer(connection.execute(sql))
        return
    raise UserIdsUnreadable(f"DuckDB cannot open the file for user ids: {fault}.")


@contextmanager
def _sqlite(url: str) -> Iterator[ReadRequest]:
    file = _file(url)
    if file is None:
        raise UserIdsUnreadable("The URL of an SQLite database needs a file, as in sqlite:///crm.db?query=….")
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        yield lambda sql: _answer(connection.execute(sql))


def _file(url: str) -> Path | None:
    """Return the file in a DuckDB or SQLite URL; None for a database in memory.

    Raises:
        UserIdsUnreadable: The file does not exist; it must not be created.
    """
    name = url.partition("://")[2].partition("?")[0].removeprefix("/")
    if name in ("", ":memory:"):
        return None
    file = Path(name).expanduser()
    if not file.is_file():
        raise UserIdsUnreadable(f'Cannot read user ids from "{file}": no such file.')
    return file


def _answer(cursor: Any) -> Answer | None:
    return Answer([column[0] for column in cursor.description], _fetched(cursor)) if cursor.description else None


def _fetched(cursor: Any) -> Iterator[Any]:
    while rows := cursor.fetchmany(ROWS_AT_ONCE):
        yield from rows


@contextmanager
def _sqlalchemy(url: str) -> Iterator[ReadRequest]:
    engine = _engine(url)
    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE, "no_parameters": True}
    if engine.dialect.name == "postgresql":
        options["postgresql_readonly"] = True
    with _connected(engine, url) as connection:

        def ask(sql: str) -> Answer | None:
            result = connection.execution_options(**options).exec_driver_sql(sql)
            return Answer(list(result.keys()), result) if result.returns_rows else None

        yield ask


def _engine(url: str) -> Any:
    """Return SQLAlchemy's engine for a URL, without connecting."""
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ModuleNotFoundError:
        raise ExtraMissing("Reading user ids from a database other than DuckDB and SQLite", "sql") from None
    kind, _, rest = url.partition("://")
    fault = (
        "is not valid. Expected a URL such as postgresql://user@host/database."
        " Write @ : / ? in a password as %40 %3A %2F %3F."
    )
    if _SERVER.fullmatch(url):
        try:
            return create_engine(f"{_driven(kind)}://{rest}", poolclass=NullPool, hide_parameters=True)
        except NoSuchModuleError:
            fault = (
                f'begins with "{kind}", but no such SQLAlchemy dialect is installed. Check the spelling or install it.'
            )
        except ModuleNotFoundError as error:
            package = _PACKAGES.get(error.name or "", error.name)
            fault = f"needs the Python module {error.name}. Install it with: pip install {package}"
        except (ArgumentError, TypeError, ValueError):
            pass
    raise UserIdsUnreadable(f"The URL of the database for user ids {fault}")


def _driven(kind: str) -> str:
    """Return the URL scheme with the installed driver, because SQLAlchemy's default driver depends on its version."""
    if kind not in ("postgres", "postgresql"):
        return kind
    installed = next(filter(find_spec, ("psycopg2", "psycopg")), "psycopg2")
    return f"postgresql+{installed}"


@contextmanager
def _connected(engine: Any, url: str) -> Iterator[Any]:
    try:
        connection = engine.connect()
    except Exception as error:  # the driver's own class; it contains no rows, but may quote the URL
        fault = _without(_first_line(getattr(error, "orig", None) or error), engine.url)
    else:
        with connection:
            yield connection
        return
    raise UserIdsUnreadable(
        f"Cannot reach {place(url)} for user ids: {fault}. Check host, port, database, user name and password."
    )


def _without(text: str, url: Any) -> str:
    for secret in (url.password, *url.query.values()):
        if secret:
            text = text.replace(str(secret), "…")
    return text


def _first_line(error: BaseException) -> str:
    return str(error.args[-1] if error.args else error).strip().partition("\n")[0].rstrip(".")
