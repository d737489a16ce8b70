"""The files that `dlt-authsignal ai init` writes: skills, rules, the MCP server entry, ignored paths.

They come from `toolkit/workbench/authsignal`, the folder that dlt's own installer uses.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from dlt_authsignal.assistant import merge
from dlt_authsignal.assistant.agents import AGENTS, Agent
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.text_files import read_text

TOOLKIT: Final = Path(__file__).parent / "toolkit"
"""The folder for `dlthub ai toolkit install authsignal --location`."""

_TREE: Final = TOOLKIT / "workbench" / "authsignal"
_DENIED: Final = ["Read(./.dlt/secrets.toml)"]

Change = Callable[[str | None], str | None]
"""Function from the present text of a file (None if missing) to its new text (None if it must not be replaced)."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One file to write, and its state.

    Attributes:
        path: The file, relative to the project.
        text: Text to write; None if the file has other content that must not be replaced.
        state: `missing`, `same`, `partial` (the file exists without this package's part) or `differs`.
    """

    path: Path
    text: str | None
    state: str


def plan(agent: str, root: Path, launcher: str, *, force: bool = False) -> list[Piece]:
    """Return all files for the assistant, compared with the files in the project.

    Args:
        agent: Name of the assistant.
        root: Folder of the project.
        launcher: Command that starts `dlt-authsignal` from that folder.
        force: Whether to replace files that differ.

    Raises:
        ConfigurationError: A file to merge into is malformed.
    """
    return [_piece(root, path, change) for path, change in _changes(AGENTS[agent], launcher, force)]


def _piece(root: Path, path: str, change: Change) -> Piece:
    target = root / path
    present = read_text(target) if target.exists() else None
    try:
        text = change(present)
    except ConfigurationError as wrong:
        raise ConfigurationError(f"{path}: {wrong}") from None
    if text is None:
        state = "differs"
    elif present is None:
        state = "missing"
    else:
        state = "same" if text == present else "partial"
    return Piece(path=Path(path), text=text, state=state)


def _changes(agent: Agent, launcher: str, force: bool) -> Iterator[tuple[str, Change]]:
    for file in sorted((_TREE / "skills").rglob("*.md")):
        place = f"{agent.skills}/{file.relative_to(_TREE / 'skills').as_posix()}"
        yield place, partial(merge.whole, ours=file.read_text("utf-8"), force=force)
    for file in sorted((_TREE / "rules").glob("*.md")):
        description, body = _rule(file.read_text("utf-8"))
        if "{name}" in agent.rules:
            ours = agent.front_matter(description) + body
            yield agent.rules.format(name=file.stem), partial(merge.whole, ours=ours, force=force)
        else:
            yield agent.rules, partial(merge.block, ours=body, force=force)
    server = {"command": launcher, "args": ["ai", "mcp"]}
    entry = merge.toml_entry if agent.servers_format == "toml" else merge.json_entry
    yield agent.servers, partial(entry, path=(agent.servers_key, "authsignal"), ours=server, force=force)
    ignored = (_TREE / ".claudeignore").read_text("utf-8").splitlines()
    yield agent.ignore, partial(merge.lines, ours=ignored)
    if agent.denied:
        file_name, path = agent.denied
        yield file_name, partial(merge.json_entry, path=path, ours=_DENIED, force=force)


def _rule(text: str) -> tuple[str, str]:
    """Return the description and body of a rule."""
    _, front, body = text.split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in front.strip().splitlines())
    return fields["description"], body
