"""`dlt-authsignal ai`."""

import click

from dlt_authsignal.errors import ExtraMissing


@click.group(short_help="For coding assistants: skills in this folder, an MCP server on the data.")
def ai() -> None:
    """For coding assistants: skills and rules in this folder, and a read-only MCP server on the data."""


@ai.command(short_help="Serve the data to an assistant, for reading only.")
@click.option("--pipeline-name", default="authsignal_pipeline", show_default=True, help="The pipeline that loaded it.")
@click.option("--dataset", help="Dataset (schema). Default: the one that the pipeline loads.")
@click.option("--allow-identifiers", is_flag=True, help="Show e-mail addresses, user ids and the like as they are.")
@click.option("--max-rows", default=1000, show_default=True, type=click.IntRange(1, 100_000), help="Rows per answer.")
@click.option("--timeout", default=20.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds per query.")
def mcp(pipeline_name: str, dataset: str | None, allow_identifiers: bool, max_rows: int, timeout: float) -> None:
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
