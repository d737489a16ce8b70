"""The files in which each coding assistant expects skills, rules, MCP servers and ignored paths."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Format = Literal["json", "toml"]


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The file locations of one assistant, relative to the project.

    Attributes:
        skills: Folder of skills, each a folder with a `SKILL.md`.
        rules: File for rules: a name with `{name}`, or `AGENTS.md`, which is shared with other tools.
        front_matter: Front matter that the assistant requires above a rule.
        servers: File of MCP servers.
        servers_key: Table of the servers in that file.
        ignore: File of paths that the assistant must not read.
        denied: JSON file and the path of its list of denied reads; None if the assistant has no such list.
    """

    skills: str
    rules: str
    front_matter: Callable[[str], str] = lambda _description: ""
    servers: str
    servers_key: str
    ignore: str
    denied: tuple[str, tuple[str, ...]] | None = None

    @property
    def servers_format(self) -> Format:
        return "toml" if self.servers.endswith(".toml") else "json"


AGENTS: Final[dict[str, Agent]] = {
    "claude": Agent(
        skills=".claude/skills",
        rules=".claude/rules/authsignal-{name}.md",
        servers=".mcp.json",
        servers_key="mcpServers",
        ignore=".claudeignore",
        denied=(".claude/settings.json", ("permissions", "deny")),
    ),
    "cursor": Agent(
        skills=".cursor/skills",
        rules=".cursor/rules/authsignal-{name}.mdc",
        front_matter=lambda description: f"---\ndescription: {description}\nalwaysApply: true\n---\n",
        servers=".cursor/mcp.json",
        servers_key="mcpServers",
        ignore=".cursorignore",
    ),
    "codex": Agent(
        skills=".agents/skills",
        rules="AGENTS.md",
        servers=".codex/config.toml",
        servers_key="mcp_servers",
        ignore=".codexignore",
    ),
}
