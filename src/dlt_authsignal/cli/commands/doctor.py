"""`dlt-authsignal doctor`."""

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import click

from dlt_authsignal.cli import names
from dlt_authsignal.errors import AuthsignalError, ConfigurationError, CredentialsMissing, ListingRefused

if TYPE_CHECKING:
    from dlt_authsignal.source.config.source_settings import SourceSettings


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was tried. `ok` is None where there is something to know, but nothing to be right or wrong."""

    name: str
    ok: bool | None
    message: str


@dataclass(kw_only=True)
class Checks:
    """What was tried so far: printed line by line, or kept for one JSON object."""

    as_json: bool
    done: list[Check] = field(default_factory=list)

    def add(self, name: str, ok: bool | None, message: str) -> None:
        self.done.append(Check(name=name, ok=ok, message=message))
        if not self.as_json:
            mark = {True: click.style("✓", fg="green"), False: click.style("✗", fg="red"), None: "-"}[ok]
            click.echo(f"{mark} {name}: {message}")

    def print_json(self) -> None:
        ok = all(check.ok is not False for check in self.done)
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in self.done]}, ensure_ascii=False))


@click.command(short_help="Try out keys and destination: what works, and what to do about what does not.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination to try out.")
@click.option(
    "--dataset", metavar="NAME", show_default=names.DATASET, help="Dataset (schema) that the sync loads into."
)
@click.option("--pipeline-name", show_default=names.PIPELINE, help="The pipeline that will sync.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: ok, and checks (name, ok, message).")
def doctor(destination: str, dataset: str | None, pipeline_name: str | None, as_json: bool) -> None:
    """Try out the keys, by reading a little with each, and a destination, as a sync would use it: in a dataset of its
    own that is dropped again.

    Says what works, one line each, and what to do about what does not. Nothing is written to Authsignal. Exits with 2
    if there is no key, or one that does not work.
    """
    checks = Checks(as_json=as_json)
    try:
        _try_all(checks, destination, dataset, pipeline_name)
    except AuthsignalError as error:
        if as_json and all(check.ok is not False for check in checks.done):
            checks.add("doctor", False, str(error))
        raise
    finally:
        if as_json:
            checks.print_json()
    if not as_json:
        given = {"--pipeline-name": pipeline_name, "--dataset": dataset}
        named = "".join(f" {option} {name}" for option, name in given.items() if name)
        click.echo(f"\nNext: dlt-authsignal sync --destination {destination}{named}")


def _try_all(checks: Checks, destination: str, dataset: str | None, pipeline_name: str | None) -> None:
    """Try the keys, then the destination anyway.

    Raises:
        AuthsignalError: The first thing that does not work.
    """
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.pipeline.monitor.destination_check import try_out
    from dlt_authsignal.project.names import pipeline_name_or

    with translate_errors(destination):
        resolved_name = pipeline_name_or(pipeline_name)
    settings = _settings(resolved_name)
    wrong, reads_everybody = _keys(checks, settings)
    _privacy(checks, settings)
    for done in try_out(destination, resolved_name):
        checks.add(destination, True, done)
    if wrong:
        raise wrong
    if reads_everybody:
        _due(checks, destination, resolved_name, dataset)


def _settings(pipeline_name: str) -> "SourceSettings":
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.source.config.resolve import resolved_settings

    with translate_errors("duckdb"):
        return resolved_settings(pipeline_name)


def _due(checks: Checks, destination: str, pipeline_name: str, dataset: str | None) -> None:
    """Says what a sync would have to do now."""
    from dlt_authsignal.cli.report.estimate import estimate
    from dlt_authsignal.pipeline.monitor.forecast import forecast

    try:
        checks.add("sync", True, estimate(*forecast(destination, pipeline_name, dataset)))
    except ListingRefused as refused:
        checks.add("sync", None, str(refused))


def _privacy(checks: Checks, settings: "SourceSettings") -> None:
    """Says what is done to identifiers."""
    from dlt_authsignal.source.privacy.settings import LEFT_OUT, privacy_from

    found = privacy_from(settings)
    chosen = ", ".join(f"{name}: {what}" for name, what in found.columns.items())
    but = f"\n  but for {chosen}" if chosen else ""
    if found.leaves_out:
        checks.add("privacy", None, f"{LEFT_OUT}{but}")
    elif found.mode == "keep":
        checks.add("privacy", None, f"identifiers are loaded in plain text (keep){but}")
    else:
        checks.add("privacy", True, f"identifiers are hashed with privacy_key (pseudonymize){but}")


def _keys(checks: Checks, found: "SourceSettings") -> tuple[ConfigurationError | None, bool]:
    """Print what each key gives access to. Return what is wrong with the others, and whether all users can be
    read."""
    from dlt_authsignal.pipeline.monitor.key_check import check

    checks.add("address", None, f"keys are tried at {found.base.host}")
    if not (found.api_secret_key or found.tenant_id or found.token):
        checks.add("keys", False, "none found: dlt-authsignal init sets them up")
        return CredentialsMissing(blank=found.blank), False
    wrong = []
    for finding in check(found):
        notes = " ".join(finding.notes)
        said = f"{', '.join(finding.tables)}. {notes}" if finding.works else notes
        checks.add(finding.setting, finding.works, said)
        if not finding.works:
            wrong.append(f"{finding.setting} does not work at {found.base.host}: {notes}")
    refused = ConfigurationError(" ".join(wrong)) if wrong else None
    return refused, bool(found.api_secret_key) and not wrong
