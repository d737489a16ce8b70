"""Random SQL that tries to get more than an assistant may, from all functions, settings and pragmas of DuckDB."""

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

import duckdb

WAITS = frozenset({"pg_sleep", "sleep_ms"})
STATEMENTS = (
    "explain {select}",
    "explain analyze {select}",
    "describe {select}",
    "summarize {select}",
    "from ({select}) using sample 3 rows",
    "with a as ({select}) select * from a",
    "with recursive a as ({select} union {select}) select * from a",
    "select count(*) from ({select}) group by all",
    "pivot ({select}) on 1 using count(*)",
    "prepare p as {select}",
    "execute p",
    "create or replace view v as {select}",
    "create or replace table t as {select}",
    "create or replace temp macro m(a) as ({expression})",
    "create or replace temp macro m(a) as table {select}",
    "select m(1), * from m(1)",
    "create or replace type kind as enum ({select})",
    "copy ({select}) to {text}",
    "copy users from {text}",
    "copy from database memory to x",
    "export database {text}",
    "import database {text}",
    "attach {text} as again",
    "detach {name}",
    "use {name}",
    "checkpoint",
    "show all tables",
    "show {name}",
    "describe {name}",
    "summarize {name}",
    "from {name}",
    "from {text}",
    "install {text}",
    "load {text}",
    "call {call}",
    "pragma {pragma}",
    "pragma {pragma}({text})",
    "pragma {setting}",
    "set {setting} = {text}",
    "set variable a = {expression}",
    "reset {setting}",
    "select current_setting('{setting}')",
    "select getvariable({text})",
    "select getvariable('mask_key')",
    "select json_serialize_plan('select getvariable(''mask_key'')', optimize := true)",
    "select json_serialize_plan('select min(email), max(email) from users', optimize := true)",
    "from duckdb_variables()",
    "from query('select * from users')",
    "from json_execute_serialized_sql(json_serialize_sql('select email from users'))",
    "create secret s (type s3, key_id {text})",
    "insert into users select * from users",
    "update users set locale = {expression}",
    "delete from users",
    "comment on table users is {text}",
    "begin",
    "rollback",
    "{select}; {select}",
)


Functions = dict[str, list[list[str | None]]]
"""The parameter types of each form of a function, by name."""


@dataclass
class Queries:
    """A source of random queries.

    Attributes:
        random: Decides.
        columns: Columns to put into calls.
        names: Names of tables, views, schemas and databases.
        texts: Texts to put into calls, such as SQL and paths.
    """

    random: Random
    columns: list[str]
    names: list[str]
    texts: list[str]

    def __post_init__(self) -> None:
        with duckdb.connect() as connection:
            found = connection.execute(
                "select distinct function_name, function_type, parameter_types from duckdb_functions() order by all"
            ).fetchall()
            settings = connection.execute("select name from duckdb_settings() order by 1").fetchall()
        known = [(name, kind, types or []) for name, kind, types in found if name not in WAITS]
        self.functions = _by_name((n, types) for n, kind, types in known if kind in ("scalar", "aggregate", "macro"))
        self.table_functions = _by_name((n, types) for n, kind, types in known if kind in ("table", "table_macro"))
        self.pragmas = sorted({name for name, kind, _ in known if kind == "pragma"})
        self.settings = [name for (name,) in settings]

    def query(self) -> str:
        kind = self.random.random()
        if kind < 0.6:
            return self._select()
        return self.random.choice(STATEMENTS).format(
            select=self._select(),
            expression=self._expression(2),
            call=self._call(self.table_functions, 1),
            pragma=self.random.choice(self.pragmas),
            setting=self.random.choice(self.settings),
            name=self.random.choice(self.names),
            text=self._text(),
        )

    def _select(self) -> str:
        if self.random.random() < 0.25:
            return f"select * from {self._call(self.table_functions, 1)}"
        table = self.random.choice(["users", "user_authenticators"])
        return f"select {self._expression(3)} from {table}"

    def _call(self, functions: Functions, depth: int) -> str:
        name = self.random.choice(list(functions))
        arguments = [self._argument(kind, depth - 1) for kind in self.random.choice(functions[name])]
        if not name.replace("_", "").isalnum():
            return f"({f' {name} '.join(arguments)})"
        return f"{name}({', '.join(arguments)})"

    def _argument(self, kind: str | None, depth: int) -> str:
        """Return an expression, most often of that type."""
        kind = kind or "ANY"
        if self.random.random() < 0.2:
            return self._expression(depth)
        if kind.endswith("[]"):
            return f"[{self._expression(0)}]"
        if "INT" in kind or kind in ("DOUBLE", "FLOAT") or kind.startswith("DECIMAL"):
            return self.random.choice(["0", "1", "2", "7"])
        if kind == "LAMBDA":
            return "a -> a"
        if kind in ("BLOB", "JSON", "TIMESTAMP", "DATE", "BOOLEAN"):
            return f"try_cast({self._expression(0)} as {kind})"
        return self._expression(depth)

    def _expression(self, depth: int) -> str:
        kind = self.random.random()
        if depth > 0 and kind < 0.6:
            return self._call(self.functions, depth)
        if kind < 0.8:
            return self.random.choice(self.columns)
        return self._text() if kind < 0.93 else self.random.choice(["0", "1", "2", "-1", "null", "true", "[1, 2]"])

    def _text(self) -> str:
        text = self.random.choice(self.texts).replace("'", "''")
        return f"'{text}'"


def _by_name(known: Iterable[tuple[str, list[str | None]]]) -> Functions:
    found: Functions = {}
    for name, types in known:
        found.setdefault(name, []).append(types)
    return found
