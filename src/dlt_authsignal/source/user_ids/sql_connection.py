"""Asking a database of the user's own one query: DuckDB, SQLite, or whatever SQLAlchemy has a dialect for.

They are opened read-only where that can be asked for, answers come as they are read, and nothing is ever committed.
Messages never hold a password, nor what a URL has behind its question mark.
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
"""A URL that can be read in one way only: of any other, a part of the password might pass for the host."""
_PACKAGES: Final = {"psycopg2": "psycopg2-binary", "MySQLdb": "mysqlclient"}
"""What pip calls a module of another name."""


@dataclass(frozen=True)
class Query:
    """A query, and the database that it is asked of.

    Attributes:
        database: A URL; or, as a setting has it, the name under which dlt has the credentials.
        sql: The query.
    """

    database: str = field(repr=False)  # it may hold a password
    sql: str


class Answer(NamedTuple):
    """Names of the columns, and the rows as they come."""

    columns: list[str]
    rows: Iterable[Any]


ReadRequest = Callable[[str], Answer | None]
"""Asks a query of an open database; None for one that gives no rows."""


@contextmanager
def asked(query: Query) -> Iterator[Answer]:
    """The answer to a query, for as long as the block lasts.

    Raises:
        ExtraMissing: SQLAlchemy is not installed, and the database is neither DuckDB nor SQLite.
        UserIdsUnreadable: The database cannot be reached, or the query is none that gives rows.
        Exception: The driver's own, when it refuses the query or fails to go on; it may quote rows.
    """
    kind = query.database.partition("://")[0].partition("+")[0]
    opened: Callable[[str], AbstractContextManager[ReadRequest]] = {"duckdb": _duckdb, "sqlite": _sqlite}.get(
        kind, _sqlalchemy
    )
    with opened(query.database) as ask:
        answer = ask(query.sql)
        if answer is None:
            raise UserIdsUnreadable(
                f"The query for user ids on {place(query.database)} gives no rows: it has to select."
            )
        yield answer


def place(url: str) -> str:
    """Where a database is, without credentials and options."""
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
    """The file that a URL of DuckDB or SQLite names; None for a database in memory.

    Raises:
        UserIdsUnreadable: There is no such file, and one must not be made.
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
    """SQLAlchemy's engine for a URL; nothing is reached yet."""
    try:
        from sqlalchemy import create_engine
        from sqlalchemy.exc import ArgumentError, NoSuchModuleError
        from sqlalchemy.pool import NullPool
    except ModuleNotFoundError:
        raise ExtraMissing("Reading user ids from a database other than DuckDB and SQLite", "sql") from None
    kind, _, rest = url.partition("://")
    fault = (
        "is not understood: expected something like postgresql://user@host/database."
        " Write @ : / ? in a password as %40 %3A %2F %3F."
    )
    if _SERVER.fullmatch(url):
        try:
            return create_engine(f"{_driven(kind)}://{rest}", poolclass=NullPool, hide_parameters=True)
        except NoSuchModuleError:
            fault = f'begins with "{kind}", for which SQLAlchemy has no dialect: check the spelling, or install one.'
        except ModuleNotFoundError as error:
            package = _PACKAGES.get(error.name or "", error.name)
            fault = f"needs the Python module {error.name}. Install it with: pip install {package}"
        except (ArgumentError, TypeError, ValueError):
            pass
    raise UserIdsUnreadable(f"The URL of the database for user ids {fault}")


def _driven(kind: str) -> str:
    """The driver that is installed, where SQLAlchemy's versions differ in the one they assume."""
    if kind not in ("postgres", "postgresql"):
        return kind
    installed = next(filter(find_spec, ("psycopg2", "psycopg")), "psycopg2")
    return f"postgresql+{installed}"


@contextmanager
def _connected(engine: Any, url: str) -> Iterator[Any]:
    try:
        connection = engine.connect()
    except Exception as error:  # the driver's own kind; no row has been read, but the URL may be quoted
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
