"""Databricks, compiled only: every statement of a sync, as dlt would send it, is SQL that Databricks' dialect knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import sync_from

pytestmark = pytest.mark.stand_in


class Nothing:
    """A cursor over no rows."""

    description = ()

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def fetchmany(self, _size: int) -> list[Any]:
        return []

    def iter_arrow(self, chunk_size: int) -> Iterator[Any]:
        return iter(())


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been sent; the driver never connects."""
    from dlt.destinations.impl.databricks.sql_client import DatabricksSqlClient

    sent: list[str] = []

    @contextmanager
    def execute_query(_client: Any, query: str, *_arguments: Any, **_named: Any) -> Iterator[Nothing]:
        sent.append(query.strip())
        yield Nothing()

    def open_connection(client: Any) -> None:
        client._conn = SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(DatabricksSqlClient, "open_connection", open_connection)
    monkeypatch.setattr(DatabricksSqlClient, "execute_query", execute_query)
    values = {"SERVER_HOSTNAME": "h", "HTTP_PATH": "/sql/w", "ACCESS_TOKEN": "t", "CATALOG": "main"}
    for name, value in values.items():
        monkeypatch.setenv(f"DESTINATION__DATABRICKS__CREDENTIALS__{name}", value)
    return sent


def test_databricks_supports_every_statement_of_a_sync(seeded: RunningSandbox, statements: list[str]) -> None:
    sync_from(seeded, destination="databricks")
    for name in ("users", "user_authenticators", "user_actions"):
        mine = [statement for statement in statements if f"`{name}`" in statement]
        kinds = [statement.split()[0] for statement in mine]
        assert {"CREATE", "COPY", "DELETE", "INSERT"} <= set(kinds), name
        assert kinds.index("COPY") < kinds.index("DELETE") < kinds.index("INSERT")
        assert any("FILEFORMAT = PARQUET" in statement for statement in mine)
    files = [statement for statement in statements if statement.startswith(("PUT ", "REMOVE "))]
    assert any(Path(statement.split("'")[1]).suffix == ".parquet" for statement in files)
    for statement in statements:
        if statement not in files:
            parsed = parse_one(statement.replace("%s", "null"), dialect="databricks")
            assert statement.startswith("CREATE VOLUME") or not isinstance(parsed, exp.Command), statement
