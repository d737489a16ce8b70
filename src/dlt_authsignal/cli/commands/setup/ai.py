"""`dlt-authsignal ai`."""

import sys
from pathlib import Path

import click

from dlt_authsignal.assistant.agents import AGENTS
from dlt_authsignal.cli import names, options, project
from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.pipeline.wording import counted

WORDS = {"missing": "is missing", "partial": "has no part for Authsignal", "differs": "differs from this version"}


@click.group(short_help="Set up coding assistants: skills in this folder, an MCP server for the data.")
def ai() -> None:
    """Set up coding assistants: skills and rules in this folder, and a read-only MCP server for the data."""


@ai.command(short_help="Write skills, rules and the MCP entry for an assistant.")
@click.option(
    "--agent",
    "agents",
    multiple=True,
    required=True,
    type=click.Choice(list(AGENTS)),
    help="The assistant. Repeatable.",
)
@click.option(
    "--check", is_flag=True, help="Write nothing. List missing and outdated files; exit with 1 if there are any."
)
@click.option("--force", is_flag=True, help="Replace files that differ from this version.")
def init(agents: tuple[str, ...], check: bool, force: bool) -> None:
    """Write files for coding assistants into this folder:

    \b
        skills     instructions: keys, first load, destination, queries, more data, failed runs,
                   schedule, tests
        rules      never read keys, keep users masked
        MCP        an entry that starts `dlt-authsignal ai mcp`
        ignored    .dlt/secrets.toml and the data

    Files that are shared with other tools are merged. Files that differ from this version are kept and
    listed; --force replaces them. Run this command again after an upgrade.
    """
    from dlt_authsignal.assistant.install import plan

    pieces = [(agent, piece) for agent in agents for piece in plan(agent, Path.cwd(), launcher(), force=force)]
    stale = [(agent, piece) for agent, piece in pieces if piece.state != "same"]
    if check:
        for agent, piece in stale:
            click.echo(f"{agent}: {piece.path} {WORDS[piece.state]}.")
        click.echo(f"{counted(len(pieces) - len(stale), 'file')} up to date, {len(stale)} not.")
        sys.exit(1 if stale else 0)
    left = [piece.path for _, piece in stale if piece.text is None]
    for _, piece in stale:
        if piece.text is not None:
            project.write(piece.path, piece.text)
            click.echo(f"{'Merged into' if piece.state == 'partial' else 'Wrote'} {piece.path}")
    for path in left:
        click.echo(f"Kept {path}: it {WORDS['differs']}. Pass --force to replace it.")
    if not stale:
        click.echo(f"Nothing to do: {counted(len(pieces), 'file')} up to date.")


def launcher() -> str:
    """Return a command that starts `dlt-authsignal` from this folder, on any machine with the project."""
    mine = Path(sys.executable).with_name("dlt-authsignal")
    try:
        inside = mine.exists() and mine.is_relative_to(Path.cwd())
    except OSError:  # a path that this account may not read
        inside = False
    return mine.relative_to(Path.cwd()).as_posix() if inside else "dlt-authsignal"


@ai.command()
def toolkit() -> None:
    """Print the folder with the same skills and rules, for dlt's own installer.

    \b
        dlthub ai toolkit install authsignal --location "$(dlt-authsignal ai toolkit)" --agent claude
    """
    from dlt_authsignal.assistant.install import TOOLKIT

    click.echo(TOOLKIT)


@ai.command(short_help="Serve the data to an assistant, read-only.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Pipeline that loaded the data.")
@click.option("--dataset", help="Dataset (schema). Default: the dataset of the pipeline.")
@click.option("--allow-identifiers", is_flag=True, help="Show e-mail addresses, user ids and similar values unmasked.")
@click.option(
    "--max-rows", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Maximum rows per query."
)
@click.option(
    "--timeout", default=20.0, show_default=True, type=click.FloatRange(1, 3600), help="Maximum seconds per query."
)
@options.wait_option
def mcp(pipeline_name: str | None, dataset: str | None, allow_identifiers: bool, max_rows: int, timeout: float) -> None:
    """Serve the data of a pipeline to an assistant, over standard input and output (MCP).

    It has four tools: list_tables, explain_table, query and sync_status. None of them can write, or read
    files or keys. User ids, addresses and other values that may describe a person are masked, unless
    you pass --allow-identifiers.

    An assistant starts this command itself: `dlt-authsignal ai init` writes the entry for it.
    """
    try:
        from dlt_authsignal.assistant.server import serve
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The MCP server", "assistant") from missing
    serve(pipeline_name, dataset, allow_identifiers=allow_identifiers, max_rows=max_rows, seconds=timeout)
