"""fakesnow as a Snowflake to load into, with what dlt needs beyond: COPY INTO, descriptions of DDL, batches."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

CREDENTIALS = {
    "host": "account",
    "database": "WAREHOUSE",
    "username": "LOADER",
    "password": "loader",
    "warehouse": "LOADING",
    "role": "LOADER_ROLE",
}


@dataclass
class Snowflake:
    """A Snowflake in this process, gone with the test."""

    destination: str = "snowflake"

    @property
    def env(self) -> Mapping[str, str]:
        return {f"DESTINATION__SNOWFLAKE__CREDENTIALS__{name.upper()}": value for name, value in CREDENTIALS.items()}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        import snowflake.connector

        with snowflake.connector.connect(database="WAREHOUSE", schema="AUTHSIGNAL_DATA") as connection:
            found: list[tuple[Any, ...]] = connection.cursor().execute(query).fetchall()
            return found


@contextmanager
def snowflake_stand_in() -> Iterator[Snowflake]:
    """A new Snowflake."""
    import fakesnow
    from fakesnow.cursor import FakeSnowflakeCursor as Cursor

    execute, describe = Cursor.execute, Cursor.description.fget
    put: dict[str, str] = {}

    def run(cursor: Any, command: str, params: Any = None, *args: Any, **kwargs: Any) -> Any:
        if uploaded := re.match(r"PUT 'file://(.+?)' '(.+?)'", command):
            put[f"{uploaded[2]}/{uploaded[1].rsplit('/', maxsplit=1)[1]}"] = uploaded[1]
            return execute(cursor, "select 1")
        if copied := re.match(r"COPY INTO\s+(\S+)\s+FROM '(.+?)'", command.strip()):
            _copy(cursor, copied[1], put[copied[2]])
            return execute(cursor, "select 1")
        for statement in _single(command):
            execute(cursor, statement, params, *args, **kwargs)
        return cursor

    def description(cursor: Any) -> Any:
        try:
            return describe(cursor)
        except Exception:  # DuckDB describes no DDL
            return None

    def batches(cursor: Any) -> Iterator[Any]:
        if cursor._arrow_table.num_rows:
            yield cursor._arrow_table

    with (
        fakesnow.patch(create_schema_on_connect=False),
        patch.object(Cursor, "execute", run),
        patch.object(Cursor, "description", property(description)),
        patch.object(Cursor, "fetch_arrow_batches", batches, create=True),
    ):
        yield Snowflake()


def _single(command: str) -> list[str]:
    """`ALTER TABLE` of several columns as several of one, as DuckDB wants it, and without clustering."""
    if not command.lstrip().upper().startswith("ALTER TABLE"):
        return [command]
    from sqlglot import exp, parse_one

    single = []
    for statement in command.split(";\n"):
        alter = parse_one(statement.rstrip("; \n"), dialect="snowflake")
        if isinstance(alter, exp.Alter) and "CLUSTERING KEY" not in statement:
            single += [
                exp.Alter(this=alter.this.copy(), kind="TABLE", actions=[action.copy()]).sql(dialect="snowflake")
                for action in alter.args["actions"]
            ]
    return single


def _copy(cursor: Any, table: str, path: str) -> None:
    """JSON lines into a table, matched by column name."""
    place = table.replace('"', "")
    database = cursor._conn.database
    qualified = ".".join(f'"{part}"' for part in ([database, *place.split(".")])[-3:])
    connection = cursor._duck_conn
    columns = connection.execute(f"DESCRIBE {qualified}").fetchall()
    types = ", ".join(f"'{name.lower()}': '{kind}'" for name, kind, *_ in columns)
    connection.execute(
        f"INSERT INTO {qualified} BY NAME SELECT * FROM read_json('{path}',"
        f" format='newline_delimited', columns={{{types}}}, maximum_object_size=100000000)"
    )
