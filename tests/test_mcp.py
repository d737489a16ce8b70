"""The MCP server, spoken to over standard input and output by the protocol's own client."""

import json
import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from dlt_authsignal.schema.tables.all_tables import ALL_TABLES as TABLES
from tests.helpers import COMMAND, command
from tests.loaded import Loaded

Calls = list[tuple[str, dict[str, Any]]]

ROOT = Path(__file__).parents[1]


def session(loaded: Loaded, calls: Calls, *options: str, **env: str) -> list[Any]:
    """What the server answers to each call: the value, or the text of the error."""

    async def talk() -> list[Any]:
        parameters = StdioServerParameters(
            command=COMMAND,
            args=["ai", "mcp", *options],
            env={"DLT_DATA_DIR": str(loaded.data_dir), **env},
            cwd=loaded.folder,
        )
        with anyio.fail_after(50):
            async with Client(stdio_client(parameters)) as client:
                return [_plain(await client.call_tool(name, arguments)) for name, arguments in calls]

    return anyio.run(talk)


def _plain(result: Any) -> Any:
    text = "".join(block.text for block in result.content)
    if result.is_error:
        return text
    return result.structured_content.get("result", result.structured_content)


def query(sql: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "query", {"sql": sql, **more}


def test_an_assistant_can_list_explain_and_query_tables(loaded: Loaded) -> None:
    listed, explained, kpi, answered, status, view, attempts = session(
        loaded,
        [
            ("list_tables", {}),
            ("explain_table", {"name": "users"}),
            ("explain_table", {"name": "kpi_mfa_coverage"}),
            query("select is_enrolled, count(*) as people from authsignal_data.users group by all order by all"),
            ("sync_status", {}),
            ("explain_table", {"name": "all_user_actions"}),
            query("select user_id, ip_address, seen_by from all_user_actions where seen_by = 'both' limit 3"),
        ],
    )
    assert {table["name"]: table["rows"] for table in listed["tables"]}["users"] == 40
    assert listed["not_synced"] == []
    assert "kpi_mfa_coverage" in [kpi["name"] for kpi in listed["kpis"]]
    assert "`email` (text): E-mail address. *Masked for assistants.*" in explained
    assert explained.count("```sql") == 3
    assert "where methods >= 2" in kpi
    assert answered["columns"] == ["is_enrolled", "people"]
    assert sum(people for _, people in answered["rows"]) == 40
    assert {table["name"] for table in status["tables"]} == set(TABLES)
    assert [run["outcome"] for run in status["syncs"]] == ["done", "done", "done"]
    assert len(status["loads"]) >= 2
    assert {"all_user_actions", "event_reconciliation"} <= {view["name"] for view in listed["views"]}
    assert "`ip_address` (text): IP address. *Masked for assistants.*" in view
    assert [seen_by for *_, seen_by in attempts["rows"]] == ["both"] * 3
    assert all(cell.startswith("masked:") for *cells, _ in attempts["rows"] for cell in cells)


@pytest.mark.deep
def test_attempts_to_write_to_read_files_and_to_run_endless_queries_fail(loaded: Loaded) -> None:
    secrets = loaded.folder / ".dlt" / "secrets.toml"
    secrets.parent.mkdir(exist_ok=True)
    secrets.write_text('[sources.authsignal_source]\napi_secret_key = "hush-hush"\n')
    before = {path for path in loaded.folder.rglob("*") if "dlt/" not in str(path)}
    attempts = [
        query("drop table users"),
        query("attach 'other.duckdb' as other"),
        query("copy users to 'stolen.csv'"),
        query("select * from read_text('.dlt/secrets.toml')"),
        query(f"select * from '{secrets}'"),
        query("select count(*) from range(1000000000000)"),
        query("select 1", limit=5000),
        ("explain_table", {"name": "../../.dlt/secrets.toml"}),
        ("read_file", {"path": ".dlt/secrets.toml"}),
        query("select count(*) from users"),
    ]
    *refused, last = session(loaded, attempts, "--timeout", "5", SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY="hush-hush")
    assert [type(answer) for answer in refused] == [str] * len(refused)
    assert "hush" not in json.dumps(refused)
    assert "stopped after 5 s" in refused[5]
    assert last["rows"] == [[40]]
    assert {path for path in loaded.folder.rglob("*") if "dlt/" not in str(path)} == before


def test_no_tool_writes_or_returns_a_key(loaded: Loaded) -> None:
    async def tools() -> list[Any]:
        parameters = StdioServerParameters(command=COMMAND, args=["ai", "mcp"], cwd=loaded.folder)
        with anyio.fail_after(50):
            async with Client(stdio_client(parameters)) as client:
                return list((await client.list_tools()).tools)

    found = anyio.run(tools)
    assert {tool.name for tool in found} == {"list_tables", "explain_table", "query", "sync_status"}
    assert all(tool.annotations.read_only_hint for tool in found)


@pytest.mark.deep
def test_identifiers_are_shown_only_on_request(loaded: Loaded) -> None:
    who = [query("select user_id from users order by user_id limit 3")]
    (masked,), (shown,) = session(loaded, who), session(loaded, who, "--allow-identifiers")
    assert all(cell.startswith("masked:") for (cell,) in masked["rows"])
    assert not any(cell.startswith("masked:") for (cell,) in shown["rows"])


@pytest.mark.deep
def test_before_the_first_sync_the_assistant_gets_the_next_step(loaded: Loaded) -> None:
    calls: Calls = [("list_tables", {}), query("select 1")]
    for answer in session(loaded, calls, "--pipeline-name", "never_ran"):
        assert "Run first: dlt-authsignal sync" in answer
    assert not (loaded.data_dir / "pipelines" / "never_ran").exists()


@pytest.fixture
def without_mcp(workdir: Path) -> dict[str, str]:
    """An environment in which the extra is not installed."""
    (workdir / "mcp").mkdir()
    (workdir / "mcp" / "__init__.py").write_text("raise ModuleNotFoundError('No module named mcp', name='mcp')")
    return {"PYTHONPATH": str(workdir) + os.pathsep + os.environ.get("PYTHONPATH", "")}


def test_without_its_extra_the_command_says_what_to_install(without_mcp: dict[str, str]) -> None:
    done = command("ai", "mcp", env=without_mcp)
    assert done.returncode == 2
    assert f"pip install '{ROOT}[assistant]'" in done.stderr  # installed from a folder, it is that folder
