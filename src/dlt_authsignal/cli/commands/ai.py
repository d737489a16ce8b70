"""`dlt-authsignal ai`."""

import sys
from pathlib import Path

import click

from dlt_authsignal.assistant.agents import AGENTS
from dlt_authsignal.cli import names, project
from dlt_authsignal.errors import ExtraMissing
from dlt_authsignal.pipeline.wording import counted

WORDS = {"missing": "is not there", "partial": "lacks our part", "differs": "is not what this version writes"}


@click.group(short_help="For coding assistants: skills in this folder, an MCP server on the data.")
def ai() -> None:
    """For coding assistants: skills and rules in this folder, and a read-only MCP server on the data."""


@ai.command(short_help="Write skills, rules and the MCP entry where an assistant looks.")
@click.option("--agent", "agents", multiple=True, required=True, type=click.Choice(list(AGENTS)), help="For which.")
@click.option("--check", is_flag=True, help="Write nothing; name what is missing or stale, and exit with 1 if any is.")
@click.option("--force", is_flag=True, help="Replace what is there and is not what this version writes.")
def init(agents: tuple[str, ...], check: bool, force: bool) -> None:
    """Write into this folder what an assistant should know of Authsignal, where it looks for it:

    \b
        skills     recipes: keys, first load, destination, questions, more data, a failed run,
                   schedule, tests
        rules      keys are never read, people stay masked
        MCP        the entry that starts `dlt-authsignal ai mcp`
        ignored    .dlt/secrets.toml and the data

    Files that are shared with others are merged. What differs from ours stays, and is named; --force
    replaces it. Run it again after an upgrade.
    """
    from dlt_authsignal.assistant.install import plan

    pieces = [(agent, piece) for agent in agents for piece in plan(agent, Path.cwd(), launcher(), force=force)]
    stale = [(agent, piece) for agent, piece in pieces if piece.state != "same"]
    if check:
        for agent, piece in stale:
            click.echo(f"{agent}: {piece.path} {WORDS[piece.state]}.")
        click.echo(f"{counted(len(pieces) - len(stale), 'file')} as this version writes them, {len(stale)} not.")
        sys.exit(1 if stale else 0)
    left = [piece.path for _, piece in stale if piece.text is None]
    for _, piece in stale:
        if piece.text is not None:
            project.write(piece.path, piece.text)
            click.echo(f"{'Merged into' if piece.state == 'partial' else 'Wrote'} {piece.path}")
    for path in left:
        click.echo(f"Left {path}: it {WORDS['differs']}. --force replaces it.")
    if not stale:
        click.echo(f"Nothing to do: {counted(len(pieces), 'file')} as this version writes them.")


def launcher() -> str:
    """`dlt-authsignal` as an assistant can start it from this folder, on every machine that has the project."""
    mine = Path(sys.executable).with_name("dlt-authsignal")
    inside = mine.exists() and mine.is_relative_to(Path.cwd())
    return mine.relative_to(Path.cwd()).as_posix() if inside else "dlt-authsignal"


@ai.command()
def toolkit() -> None:
    """Print the folder that dlt's own installer takes, with the same skills and rules.

    \b
        dlthub ai toolkit install authsignal --location "$(dlt-authsignal ai toolkit)" --agent claude
    """
    from dlt_authsignal.assistant.install import TOOLKIT

    click.echo(TOOLKIT)


@ai.command(short_help="Serve the data to an assistant, for reading only.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="The pipeline that loaded it.")
@click.option("--dataset", help="Dataset (schema). Default: the one that the pipeline loads.")
@click.option("--allow-identifiers", is_flag=True, help="Show e-mail addresses, user ids and the like as they are.")
@click.option("--max-rows", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Rows per answer.")
@click.option("--timeout", default=20.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds per query.")
def mcp(pipeline_name: str | None, dataset: str | None, allow_identifiers: bool, max_rows: int, timeout: float) -> None:
    """Serve the data of a pipeline to an assistant, over standard input and output (MCP).

    Four tools: list_tables, explain_table, query, sync_status. Nothing can be written, no file or
    key be read. User ids, addresses and all that may describe a person are masked, unless you
    allow them.

    An assistant starts this itself: `dlt-authsignal ai init` writes the entry.
    """
    try:
        from dlt_authsignal.assistant.server import serve
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The MCP server", "assistant") from missing
    serve(pipeline_name, dataset, allow_identifiers=allow_identifiers, max_rows=max_rows, seconds=timeout)
