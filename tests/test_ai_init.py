"""`dlt-authsignal ai init`: what an assistant should know, where it looks for it, and nothing of others' lost."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dlt_authsignal.assistant.agents import AGENTS
from dlt_authsignal.assistant.install import TOOLKIT
from dlt_authsignal.cli.commands.setup.ai import ai
from tests.helpers import command
from tests.tiers import deep_after

ROOT = Path(__file__).parents[1]
SKILL = {
    "claude": ".claude/skills/authsignal-keys/SKILL.md",
    "cursor": ".cursor/skills/authsignal-keys/SKILL.md",
    "codex": ".agents/skills/authsignal-keys/SKILL.md",
}
RULE = {
    "claude": ".claude/rules/authsignal-conduct.md",
    "cursor": ".cursor/rules/authsignal-conduct.mdc",
    "codex": "AGENTS.md",
}
IGNORE = {"claude": ".claudeignore", "cursor": ".cursorignore", "codex": ".codexignore"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(ai, list(arguments))


def server(agent: str) -> object:
    """The entry that the assistant will read."""
    path = Path(AGENTS[agent].servers)
    read = tomllib.loads if path.suffix == ".toml" else json.loads
    return read(path.read_text())[AGENTS[agent].servers_key]["authsignal"]


def files() -> dict[str, str]:
    return {str(path): path.read_text() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("agent", AGENTS)
def test_ai_init_writes_skills_rules_server_and_ignored_files_for_each_assistant(agent: str) -> None:
    done = run("init", "--agent", agent)
    assert done.exit_code == 0, done.output
    assert Path(SKILL[agent]).read_text().startswith("---\nname: authsignal-keys\n")
    assert "Never read, print or search `.dlt/secrets.toml`" in Path(RULE[agent]).read_text()
    assert server(agent) == {"command": "dlt-authsignal", "args": ["ai", "mcp"]}
    assert ".dlt/secrets.toml" in Path(IGNORE[agent]).read_text().splitlines()
    assert len(list(Path(SKILL[agent]).parents[1].iterdir())) == 8


def test_cursor_and_claude_get_the_rule_in_their_own_format() -> None:
    run("init", "--agent", "claude", "--agent", "cursor")
    assert "\nalwaysApply: true\n" in Path(RULE["cursor"]).read_text()
    assert Path(RULE["claude"]).read_text().startswith("# Authsignal")
    denied = json.loads(Path(".claude/settings.json").read_text())["permissions"]["deny"]
    assert denied == ["Read(./.dlt/secrets.toml)"]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_second_run_changes_nothing(agent: str) -> None:
    assert run("init", "--agent", agent, "--check").exit_code == 1
    assert files() == {}
    run("init", "--agent", agent)
    before = files()
    done = run("init", "--agent", agent)
    assert "Nothing to do" in done.output
    assert files() == before
    assert run("init", "--agent", agent, "--check").exit_code == 0


def test_content_of_other_tools_is_kept() -> None:
    Path(".codex").mkdir()
    Path(".claude").mkdir()
    Path("AGENTS.md").write_text("# Ours\n\nUse tabs.\n")
    Path(".codex/config.toml").write_text('# mine\nmodel = "m"\n\n[mcp_servers.other]\ncommand = "x" # keep\n')
    Path(".mcp.json").write_text('{"mcpServers": {"other": {"command": "x"}}, "more": 1}')
    Path(".claude/settings.json").write_text('{"permissions": {"deny": ["Read(./a)"], "allow": ["b"]}}')
    Path(".claudeignore").write_text("node_modules")
    done = run("init", "--agent", "codex", "--agent", "claude")
    assert "Merged into AGENTS.md" in done.output
    assert Path("AGENTS.md").read_text().startswith("# Ours\n\nUse tabs.\n\n<!-- authsignal: begin -->\n")
    codex = Path(".codex/config.toml").read_text()
    assert codex.startswith('# mine\nmodel = "m"\n')
    assert 'command = "x" # keep' in codex
    assert set(tomllib.loads(codex)["mcp_servers"]) == {"other", "authsignal"}
    claude = json.loads(Path(".mcp.json").read_text())
    assert claude["more"] == 1
    assert set(claude["mcpServers"]) == {"other", "authsignal"}
    permissions = json.loads(Path(".claude/settings.json").read_text())["permissions"]
    assert permissions == {"deny": ["Read(./a)", "Read(./.dlt/secrets.toml)"], "allow": ["b"]}
    assert Path(".claudeignore").read_text().splitlines()[:2] == ["node_modules", ".dlt/secrets.toml"]


@pytest.mark.parametrize("agent", AGENTS)
def test_changed_files_are_named_and_replaced_only_with_force(agent: str) -> None:
    run("init", "--agent", agent)
    ours = files()
    changed = [SKILL[agent], RULE[agent], AGENTS[agent].servers]
    for path in changed:
        text = Path(path).read_text()
        Path(path).write_text(text.replace("Authsignal", "Somebody").replace('"mcp"', '"mcp", "--allow-identifiers"'))
    theirs = files()
    done = run("init", "--agent", agent)
    assert files() == theirs
    assert [path for path in changed if f"Kept {path}: it differs from this version" not in done.output] == []
    stale = run("init", "--agent", agent, "--check")
    assert stale.exit_code == 1
    assert [path for path in changed if f"{agent}: {path} differs from this version." not in stale.output] == []
    run("init", "--agent", agent, "--force")
    assert {path: json.loads(text) if path.endswith(".json") else text for path, text in files().items()} == {
        path: json.loads(text) if path.endswith(".json") else text for path, text in ours.items()
    }


def test_an_invalid_file_is_reported_and_nothing_is_written() -> None:
    Path(".mcp.json").write_text('{"mcpServers": ')
    done = command("ai", "init", "--agent", "claude")
    assert done.returncode == 2
    assert ".mcp.json: The file is not valid JSON" in done.stderr
    assert list(files()) == [".mcp.json"]


def test_the_server_starts_from_a_virtual_environment_inside_the_project(
    workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / ".venv/bin").mkdir(parents=True)
    (workdir / ".venv/bin/dlt-authsignal").touch()
    monkeypatch.setattr(sys, "executable", str(workdir / ".venv/bin/python"))
    run("init", "--agent", "cursor")
    assert server("cursor") == {"command": ".venv/bin/dlt-authsignal", "args": ["ai", "mcp"]}


def dlthub(*arguments: str) -> subprocess.CompletedProcess[str]:
    """dlt's own installer, which comes with dlt."""
    tool = str(Path(sys.executable).with_name("dlthub"))
    env = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false"}
    return subprocess.run(
        [tool, "ai", "toolkit", *arguments], env=env, capture_output=True, text=True, timeout=50, check=False
    )


@pytest.mark.parametrize("agent", deep_after(1, AGENTS))
def test_dlts_own_installer_accepts_the_same_folder(agent: str) -> None:
    place = command("ai", "toolkit").stdout.strip()
    assert place == str(TOOLKIT)
    done = dlthub("install", "authsignal", "--strict", "--location", place, "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr
    theirs = files()
    assert theirs[SKILL[agent]] == (TOOLKIT / "workbench/authsignal/skills/authsignal-keys/SKILL.md").read_text()
    assert theirs[IGNORE[agent]].splitlines()[0] == ".dlt/secrets.toml"
    entry = server(agent)
    assert isinstance(entry, dict)
    assert (entry["command"], entry["args"]) == ("dlt-authsignal", ["ai", "mcp"])
    if agent == "codex":
        assert "`authsignal-conduct`" in theirs["AGENTS.md"]
    else:
        assert "Never read, print or search" in theirs[RULE[agent]]
    stale = run("init", "--agent", agent, "--check").output
    assert "SKILL.md" not in stale


def test_the_assistants_page_lists_the_files_of_each_assistant() -> None:
    page = (ROOT / "docs" / "assistants.md").read_text("utf-8")
    for agent in AGENTS.values():
        rules = agent.rules.format(name="conduct")
        places = [agent.skills, rules, agent.servers, agent.ignore, *([agent.denied[0]] if agent.denied else [])]
        assert [place for place in places if f"`{place}" not in page] == []


def test_the_toolkit_has_the_version_of_the_package() -> None:
    plugin = json.loads((TOOLKIT / "workbench/authsignal/.claude-plugin/plugin.json").read_text())
    assert plugin["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
