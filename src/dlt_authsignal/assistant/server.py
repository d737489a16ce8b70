"""The MCP server: an assistant may look at the data, and do nothing else. Speaks over standard input and output."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Annotated, Any, Final, TypeVar

import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from dlt_authsignal.assistant.database import Database, locate
from dlt_authsignal.assistant.dictionary import ABOUT, RULES, table_page
from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.models import all_models
from dlt_authsignal.schema.history_tables import TABLES_AND_HISTORIES as _ALL

INSTRUCTIONS: Final = "\n".join(
    (
        ABOUT,
        "Begin with list_tables, read explain_table before you query a table, then query in DuckDB's SQL.",
        *(f"- {rule}" for rule in RULES),
        '- Values such as "masked:3f5a…" stand for people, devices and addresses: equal values are equal, so that'
        " joining and counting them is right. They cannot be turned back.",
        "- Nothing here writes, reads files or tells keys. Do not read .dlt/secrets.toml by other means either.",
    )
)
_LOOKING: Final = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)

T = TypeVar("T")
Sql = Annotated[str, Field(description="One SELECT in DuckDB's SQL. Tables need no schema in front.")]
Name = Annotated[str, Field(description="A table, such as users, or a KPI, such as kpi_mfa_coverage.")]


def serve(pipeline_name: str, dataset: str | None, *, allow_identifiers: bool, max_rows: int, seconds: float) -> None:
    """Serves one pipeline's data until standard input ends."""

    @cache
    def database() -> Database:  # found at the first question: dlt takes a second to import
        path, found = locate(pipeline_name, dataset)
        return Database(path=path, dataset=found, allow_identifiers=allow_identifiers, seconds=seconds)

    server(database, max_rows=max_rows).run("stdio")


def server(database: Callable[[], Database], *, max_rows: int = 1000) -> MCPServer[Any]:
    """The server and its four tools."""
    mcp: MCPServer[Any] = MCPServer(
        "authsignal", version=version("dlt-authsignal"), instructions=INSTRUCTIONS, log_level="WARNING"
    )

    @mcp.tool(annotations=_LOOKING)
    async def list_tables() -> dict[str, Any]:
        """The tables and KPI views that are there, what each is about, and how many rows it has."""
        found = await _in_thread(lambda: database().overview())
        present = {table["name"]: table["rows"] for table in found["tables"]}
        return {
            "tables": [{"name": name, "rows": rows, "about": _ALL[name].meaning} for name, rows in present.items()],
            "not_synced": [name for name in _ALL if name not in present],
            "kpis": [{"name": model.view, "about": model.question} for model in all_models()],
        }

    @mcp.tool(annotations=_LOOKING)
    async def explain_table(name: Name) -> str:
        """What a table holds: its key, each column's meaning, three questions with SQL that runs. Or a KPI's SQL."""
        return await _in_thread(lambda: table_page(name))

    @mcp.tool(annotations=_LOOKING)
    async def query(
        sql: Sql, limit: Annotated[int, Field(description="Rows to return at most.", ge=1, le=max_rows)] = 100
    ) -> dict[str, Any]:
        """Run one SELECT and return its columns and rows. `more` is true when rows were left out."""
        return await _in_thread(lambda: database().query(sql, limit))

    @mcp.tool(annotations=_LOOKING)
    async def sync_status() -> dict[str, Any]:
        """When each table was last read from Authsignal, its rows, and how the last syncs ended."""
        found = await _in_thread(lambda: database().overview())
        tables = [{key: table[key] for key in ("name", "rows", "last_read")} for table in found["tables"]]
        return {"tables": tables, "syncs": found["syncs"], "loads": found["loads"]}

    return mcp


async def _in_thread(call: Callable[[], T]) -> T:
    """Our own errors reach the assistant in words; others as a crash, without them."""
    try:
        return await anyio.to_thread.run_sync(call)
    except AuthsignalError as error:
        raise ToolError(str(error)) from None
