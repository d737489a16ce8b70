"""`dlt-authsignal probe`."""

import json
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.cli import names, options
from dlt_authsignal.cli.shell import stoppable
from dlt_authsignal.errors import ProbeFailed
from dlt_authsignal.pipeline.wording import counted, place

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.probe.policy_drift import Change
    from dlt_authsignal.pipeline.probe.run import ProbeReport

STOPPED: Final = "The passkey of this probe was removed. If that failed, the next probe removes it."
_FLOWS: Final = {"enrol": "enrol", "mfa": "MFA", "sign_in": "sign-in", "clean_up": "clean up"}


@click.command(short_help="Test passkeys with a canary user: register, sign in, remove.")
@click.option("--user", "user_id", metavar="ID", help="Id of the canary user, used only by the probe.")
@click.option("--action", default="probe", show_default=True, help="Action code of the canary user's attempts.")
@click.option("--destination", default="duckdb", show_default=True, help="dlt destination to load into.")
@click.option("--dataset", show_default=names.DATASET, help="Dataset (schema) in the destination.")
@click.option("--pipeline-name", default="authsignal_probe", show_default=True, help="Name of the dlt pipeline.")
@click.option("--region", type=click.Choice(["us", "au", "eu", "ca"]), help="Region of the tenant.")
@click.option(
    "--origin",
    metavar="URL",
    help="Origin of your web app. Default: https:// and the relying party id, or http://localhost.",
)
@click.option(
    "--timeout", type=click.FloatRange(0, 300, min_open=True), help="Seconds to wait for one response. Default: 60."
)
@click.option("--allow-writes", is_flag=True, help="Allow the probe to write to a host that is not this machine.")
@click.option(
    "--leave-passkey",
    is_flag=True,
    help="Leave the passkey enrolled. Required with a token alone, which cannot remove it.",
)
@click.option(
    "--accept-new-key", is_flag=True, default=None, help="Confirm once that the key is a new one of the same tenant."
)
@options.wait_option
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def probe(as_json: bool, **arguments: Any) -> None:
    """Test passkeys with a canary user: register a software passkey, sign in with it twice (MFA and sign-in), and
    remove it. Loads a row for the probe and the six tables of dltHub's Authsignal page, and compares the WebAuthn
    policy with that of the previous probe.

    Exits with 1 if a step fails, the policy changed, or the passkey could not be removed. From cron:

    \b
        * * * * * cd /srv/authsignal && .venv/bin/dlt-authsignal probe --user canary --allow-writes --json

    The probe changes only the canary user. It refuses a user who may be a real person: with an e-mail address, a name,
    an authenticator that no probe created, or attempts of another action. Each probe tracks two actions, which
    Authsignal may count.
    """
    from dlt_authsignal.cli.output.sync.notice import noticed
    from dlt_authsignal.pipeline.probe import run as engine

    with stoppable(STOPPED, patient=True), noticed("probe"):
        report = engine.probe(**{name: value for name, value in arguments.items() if value is not None})
        if as_json:
            click.echo(json.dumps(asdict(report), default=lambda moment: moment.isoformat()))
        else:
            _print(report)
        if found := alarms(report, may_leave_passkey=arguments["leave_passkey"]):
            raise ProbeFailed("\n".join(found))


def alarms(report: "ProbeReport", *, may_leave_passkey: bool = False) -> list[str]:
    """Return one line for each problem found."""
    failed = [step for step in report.steps if step.problem]
    lines = [f"Passkeys fail at {report.host}: {_FLOWS[step.flow]}, {step.name}: {step.problem}" for step in failed]
    if report.changes:
        lines.append(f"The WebAuthn policy changed since {_last(report)}: {'; '.join(map(_change, report.changes))}.")
    if report.left_behind and not may_leave_passkey:
        lines.append(f"{counted(report.left_behind, 'passkey')} of the canary user could not be removed.")
    return lines


def _change(change: "Change") -> str:
    way = "MFA" if change.authenticated_with == "token" else "sign-in"
    where = "new passkeys" if change.ceremony == "passkey_register_options" else way
    return f"{change.setting} of {where} was {change.before}, is {change.now}"


def _last(report: "ProbeReport") -> str:
    moment = report.compared_with
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "the last probe"


def _print(report: "ProbeReport") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    table = Table("", "step", box=None, pad_edge=False, header_style="bold")
    for heading in ("ms", "status"):
        table.add_column(heading, justify="right")
    table.add_column("")
    flow = ""
    for step in report.steps:
        label = "" if step.flow == flow else _FLOWS[step.flow]
        mark = "[red]failed[/]" if step.problem else "[green]ok[/]"
        status = "-" if step.status is None else str(step.status)
        table.add_row(label, step.name, f"{step.milliseconds:,.1f}", status, mark)
        flow = step.flow
    console.print(table)
    console.print()
    for line in _summary(report):
        console.print(line)


def _summary(report: "ProbeReport") -> list[str]:
    spent = sum(step.milliseconds for step in report.steps) / 1000
    lines = []
    if report.works:
        lines.append(f"Passkeys work at {report.host}: {counted(len(report.steps), 'call')} in {spent:,.2f} s.")
    if report.removed_before:
        lines.append(f"Removed {counted(report.removed_before, 'passkey')} left by an interrupted probe.")
    if report.policy:
        policy = report.policy
        said = (
            f"{policy['rp_id']}, user verification {policy['user_verification']}, algorithms"
            f" {', '.join(map(str, policy['algorithms'] or ()))}, timeout {(policy['timeout_ms'] or 0) / 1000:g} s,"
            f" attestation {policy['attestation']}"
        )
        since = f"unchanged since {_last(report)}" if report.compared_with else "read for the first time"
        lines.append(f"Policy{' CHANGED' if report.changes else f', {since}'}: {said}.")
    lines.append(f"Loaded into {place(report.destination, report.location)}, dataset {report.dataset}.")
    return [*lines, *report.notes]
