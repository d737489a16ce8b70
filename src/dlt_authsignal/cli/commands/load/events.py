"""`dlt-authsignal events`: load, replay, import."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from dlt_authsignal.cli import names, options
from dlt_authsignal.cli.shell import stoppable

STOPPED: Final = "A load that had started is finished by the next load. Files that were not loaded are read again."


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A date, or a date with a time, in ISO 8601. Without a zone it is UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment.

        Raises:
            click.BadParameter: The text is not a date or time.
        """
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is not a date such as 2026-11-01, or a time such as 2026-11-01T09:00Z.', param, ctx)


def _common(command: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object."),
        options.wait_option,
        click.option("--tenant", default="default", show_default=True, help="Name of the tenant in the settings."),
        click.option("--spool", help="Folder or URL of the spool. Default: the setting spool, or the folder spool."),
        click.option("--pipeline-name", show_default=names.PIPELINE, help="Name of the pipeline."),
        click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) to load into."),
        click.option("--destination", default="duckdb", show_default=True, help="dlt destination to load into."),
    ):
        command = option(command)
    return command


@click.group(short_help="Load, replay or import events.")
def events() -> None:
    """Load the events that `dlt-authsignal receive` stored in the spool, replay them, or import archives."""


@events.command(short_help="Load new events from the spool into the tables.")
@_common
@click.option(
    "--accept-new-key",
    is_flag=True,
    help="Confirm, once, that api_secret_key is a new key of the same tenant that replaced the old one.",
)
def load(as_json: bool, accept_new_key: bool, **chosen: Any) -> None:
    """Load new events from the spool into the tables.

    Reads the files of the spool that the dataset does not have yet, and merges their events by id, so that an event
    that was delivered several times is stored once. If `spool_retention` is set, loaded files older than it are
    deleted.
    """
    from dlt_authsignal.cli.output.events.loads import print_events

    with stoppable(STOPPED):
        from dlt_authsignal.pipeline.events.load import load_events

        report = load_events(_pipeline(chosen), accept_new_key=accept_new_key, **_settings(chosen))
    print_events(report, as_json=as_json)


@events.command(short_help="Load again the events that were received in a period.")
@_common
@click.option(
    "--from",
    "start",
    type=Moment(),
    required=True,
    help="Start of the period: a date or time, inclusive. UTC without a zone.",
)
@click.option("--to", "end", type=Moment(), help="End of the period: a date or time, exclusive. Default: no end.")
def replay(start: datetime, end: datetime | None, as_json: bool, **chosen: Any) -> None:
    """Load again the events that were received in a period.

    Use it when rows were lost or damaged in the database. Running it several times gives the same tables.
    """
    from dlt_authsignal.cli.output.events.loads import print_events

    with stoppable(STOPPED):
        from dlt_authsignal.pipeline.events.replay import replay_events

        report = replay_events(_pipeline(chosen), start, end, **_settings(chosen))
    print_events(report, as_json=as_json)


@events.command("import", short_help="Write events from archives into the spool.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--spool", help="Folder or URL of the spool. Default: the setting spool, or the folder spool.")
@click.option("--tenant", default="default", show_default=True, help="Name of the tenant in the settings.")
@click.option("--pipeline-name", show_default=names.PIPELINE, help="Name of the pipeline whose settings are used.")
@click.option(
    "--received-at", type=Moment(), help="Time at which the events count as received. Default: the time in each event."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def import_(
    files: tuple[Path, ...],
    spool: str | None,
    tenant: str,
    pipeline_name: str | None,
    received_at: datetime | None,
    as_json: bool,
) -> None:
    """Write events from archives into the spool. `events load` then loads them.

    FILES are JSON lines, optionally compressed with gzip. Each line is an event as Authsignal sends it, or the body of
    a delivery: {"records": […]}. Identifiers are protected as in the receiver. Signatures are not checked, so import
    only archives that you trust. Importing a file again adds nothing.
    """
    from dlt_authsignal.cli.output.events.loads import print_import

    with stoppable("Events that were read are in the spool. Import the file again: no event is added twice."):
        from dlt_authsignal.pipeline.events.archive import import_events
        from dlt_authsignal.project.names import pipeline_name_or
        from dlt_authsignal.source.config.event_settings import resolved_event_settings
        from dlt_authsignal.source.config.resolve import resolved_settings
        from dlt_authsignal.source.events.shaper import EventShaper
        from dlt_authsignal.source.privacy.settings import privacy_from
        from dlt_authsignal.spool import open_spool

        source = resolved_settings(pipeline_name_or(pipeline_name))
        settings = resolved_event_settings(pipeline_name, source, **({"spool": spool} if spool else {}))
        chosen = settings.tenant(tenant)
        shape = EventShaper(privacy_from(source), tenant_id=chosen.tenant_id)
        opened = open_spool(settings.spool)
        done = import_events(opened, chosen.name, files, shape, received_at)
    print_import(done, opened.url, as_json=as_json)


def _pipeline(chosen: Mapping[str, Any]) -> Any:
    from dlt_authsignal.pipeline.attach import make_pipeline

    return make_pipeline(**{name: chosen[name] for name in ("destination", "dataset", "pipeline_name")})


def _settings(chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {"tenant": chosen["tenant"]} | ({"spool": chosen["spool"]} if chosen["spool"] else {})
