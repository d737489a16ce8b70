"""`dlt-authsignal sandbox`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.cli.commands.local.sandbox_recordings import (
    compare,
    record_option,
    recording_to,
    repeatable,
    replay,
)
from dlt_authsignal.cli.commands.local.sandbox_tls import tls_options, written
from dlt_authsignal.cli.output import sandbox as output
from dlt_authsignal.errors import ConfigurationError, ExtraMissing

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.core.config import SandboxConfig
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture
    from dlt_authsignal.sandbox.sandbox import Sandbox
    from dlt_authsignal.sandbox.webhooks.history import Sent


DEFAULT_USERS: Final = 100
"""Enough to look at, with every verification method among them, and ready in less than 10 ms."""


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f'"{value}" is not an ISO 8601 date or time. Example: 2026-11-02T09:00.') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _fixed_codes(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.rpartition("=") for value in values]
    for address, separator, code in pairs:
        if not (address and separator and code):
            raise click.BadParameter("Write an address and its code, such as ann@example.com=123456.")
    return {address: code for address, _, code in pairs}


def _not_emulated(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED

        click.echo("The sandbox does not emulate:\n" + "\n".join(f"- {line}" for line in NOT_EMULATED))
        context.exit()


def _fixture_schema(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from dlt_authsignal.sandbox.fixtures.form.schema import fixture_schema

        click.echo(json.dumps(fixture_schema(), indent=2))
        context.exit()


@click.group(invoke_without_command=True, short_help="Run a local Authsignal to test against.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. With 0.0.0.0 or ::, other machines can reach and control the sandbox.",
)
@click.option(
    "--port",
    default=4443,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on. 0 chooses a free port.",
)
@click.option(
    "--users",
    type=click.IntRange(0, 1_000_000),
    help=f"Number of users to invent.  [default: {DEFAULT_USERS}]",
)
@click.option("--empty", is_flag=True, help="Start without users, as most tests require. The same as --users 0.")
@click.option(
    "--tenants",
    type=click.IntRange(1, 100),
    help="Number of tenants at this URL, each with its own keys, users, clock and control routes. The key decides which"
    " one responds. --fixture can name them.  [default: 1]",
)
@click.option(
    "--fixture",
    metavar="FILE",
    help="Start with the tenant in this YAML or JSON file: users, authenticators, actions, rules, keys."
    " Without --users, no other users are invented.",
)
@click.option(
    "--state",
    metavar="FILE",
    help="Save the state in this file when the sandbox stops, and start from it if it exists."
    " Then --fixture, --users, --empty and --tenants have no effect. Default: the state is lost.",
)
@click.option(
    "--days",
    default=45,
    show_default=True,
    type=click.IntRange(1, 3650),
    help="Days of actions to invent for these users.",
)
@click.option(
    "--seed",
    type=int,
    help="Start with the same users, ids and clock every time. Default: different users at each start.",
)
@click.option(
    "--now",
    metavar="TIME",
    callback=_moment,
    help="Start of the sandbox's clock, in ISO 8601. Default: the present, or 2026-11-02 09:00 UTC with --seed.",
)
@click.option(
    "--stories/--no-stories",
    default=True,
    show_default=True,
    help="Whether these users have stories: a rollout of passkeys in week 2, a broken release in week 4, an SMS attack"
    " in week 5, and attacks on a few users at the end.",
)
@click.option(
    "--listing",
    type=click.Choice(["allowed", "refused"]),
    default="allowed",
    show_default=True,
    help="Whether GET /users without a filter lists all users. Authsignal does not document whether its API does.",
)
@click.option("--secret", default="sandbox-server-secret", show_default=True, help="Accepted Server API secret key.")
@click.option(
    "--management-secret",
    default="sandbox-management-secret",
    show_default=True,
    help="Accepted Management API secret key.",
)
@click.option(
    "--tenant-id",
    metavar="ID",
    help="Tenant id, with which the Client API is called. Default: a fixed id, which is printed.",
)
@click.option(
    "--rp-id", default="localhost", show_default=True, help="Domain of the passkeys (the WebAuthn relying party id)."
)
@click.option(
    "--origin",
    "origins",
    metavar="URL",
    multiple=True,
    help="Origin from which passkeys are accepted. Repeatable. Default: every origin at or below --rp-id.",
)
@click.option(
    "--pages-url",
    metavar="URL",
    help="URL at which your browser reaches the sandbox, if track is called with another one, as in a container. "
    "The url in track's response leads there. Default: the URL of the call, with localhost for a loopback address.",
)
@click.option(
    "--fixed-code",
    "fixed_codes",
    metavar="ADDRESS=CODE",
    multiple=True,
    callback=_fixed_codes,
    help="Always send this code to this e-mail address or phone number. Repeatable. Default: random codes.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="HOST",
    multiple=True,
    help="Also answer requests for this host name or address. Repeatable. Default: localhost and --host.",
)
@click.option(
    "--allow-webhooks-to",
    "allowed_webhook_hosts",
    metavar="HOST",
    multiple=True,
    help="Also send webhooks to this host name or address. Repeatable. Default: to this machine only.",
)
@click.option(
    "--events-to",
    metavar="URL",
    help="Send webhooks to this receiver: the log and authenticator events of the last"
    f" {ACTION_WINDOW_DAYS} days now, and later events as they happen. With several tenants: those of the first one."
    " Default: no webhooks.",
)
@tls_options
@record_option
@click.option("--json", "as_json", is_flag=True, help="Print the URLs and keys as one line of JSON.")
@click.option(
    "--fixture-schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_fixture_schema,
    help="Print the JSON Schema of fixtures, for your editor, and exit.",
)
@click.option(
    "--not-emulated",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_not_emulated,
    help="List what the sandbox does not emulate, and exit.",
)
@click.pass_context
def sandbox(
    context: click.Context,
    /,
    host: str,
    port: int,
    state: str | None,
    events_to: str | None,
    tls: bool,
    tls_ca: Path | None,
    record: Path | None,
    as_json: bool,
    **tenant: Any,
) -> None:
    """Run a local Authsignal to test against. Without --state, all data is in memory and is lost when it stops.

    Use the printed URL in Authsignal's SDKs or in `dlt-authsignal sync`. Routes under /_sandbox/ control the sandbox.

    \b
        dlt-authsignal sandbox --users 500 --days 45 --seed 7
    """
    if context.invoked_subcommand:
        return
    try:
        from dlt_authsignal.sandbox.app.serving.saving import saved_at_exit
        from dlt_authsignal.sandbox.app.serving.serve import address, certificate_for, listen, server
        from dlt_authsignal.sandbox.tenants.tenants import Tenants
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The sandbox", "sandbox") from missing
    try:
        config = _config(**tenant, has_state=state is not None and Path(state).exists(), is_recorded=record is not None)
        tenants = Tenants.start(config, state)
        started = tenants.first
        if events_to:
            _send_events(started, events_to)
        others = tuple(one.config for one in tenants.sandboxes[1:])
        certificate = certificate_for(config, host, *others) if tls or tls_ca else None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    try:
        bound = listen(host, port)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
        ) from None
    _warn_if_reachable(host)
    url = address(bound, "https" if certificate else "http")
    trust = written(certificate, tls_ca) if certificate else None
    recorder = recording_to(tenants, record) if record else None
    click.echo(
        output.as_json(url, tenants.sandboxes, trust) if as_json else output.banner(url, tenants.sandboxes, trust)
    )
    try:
        with saved_at_exit(started):
            server(started, host, certificate, recorder, tenants).run(sockets=[bound])
    except KeyboardInterrupt:
        data = "is deleted" if state is None else f"is in {state}"
        click.echo(f"Sandbox stopped. Its data {data}.", err=True)


def _config(
    *,
    users: int | None,
    empty: bool,
    tenants: int | None,
    fixture: str | None,
    has_state: bool,
    is_recorded: bool,
    seed: int | None,
    now: datetime | None,
    secret: str,
    management_secret: str,
    tenant_id: str | None,
    rp_id: str,
    origins: tuple[str, ...],
    **others: Any,
) -> "SandboxConfig":
    """Return the configuration that the options describe. Options that are not named here have the names of its fields.

    Raises:
        ConfigurationError: Options contradict each other.
        ValueError: A value cannot be used.
    """
    from dlt_authsignal.sandbox.core.config import SandboxConfig

    if empty and users:
        raise ConfigurationError(f"--empty and --users {users} contradict each other. Pass only one of them.")
    if is_recorded:
        seed, now = repeatable(seed, now)
    return SandboxConfig(
        api_secret_key=secret,
        management_secret_key=management_secret,
        tenant_id=tenant_id or SandboxConfig.tenant_id,
        relying_party=rp_id,
        expected_origins=origins,
        users=_users(users, empty=empty or bool(fixture)),
        tenants=tenants or 1,
        fixture=_read(fixture) if fixture and not has_state else None,
        seed=seed,
        now=now,
        **others,
    )


def _read(fixture: str) -> "Fixture":
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture

    return Fixture.read(fixture)


def _send_events(state: "Sandbox", url: str) -> None:
    """Send webhooks to that URL from now on, and the past as soon as the sandbox is served."""
    state.webhooks.configure(log_events_url=url, authenticator_events_url=url)
    state.history.when_served = _report_sent


def _report_sent(sent: "Sent") -> None:
    if sent.failed:
        click.echo(
            f"The receiver accepted {sent.events:,} events, then no more ({sent.failed}). Check that it runs at the"
            ' URL of --events-to. To send the past again: POST /_sandbox/webhooks with {"send_history": true}.',
            err=True,
        )
        return
    click.echo(
        f"Sent {sent.events:,} events of the last {ACTION_WINDOW_DAYS} days in {sent.deliveries:,} deliveries.",
        err=True,
    )


def _warn_if_reachable(host: str) -> None:
    """Warn that other machines can reach the sandbox, unless it listens on a loopback address only."""
    from dlt_authsignal.sandbox.core.hosts import is_loopback, plain_host

    if is_loopback(plain_host(host) or ""):
        return
    click.echo(
        f"Warning: with --host {host}, other machines can reach this sandbox. They can read all of its data, change it "
        "under /_sandbox/, and need no key for that. Use --host 127.0.0.1 unless they must reach it.",
        err=True,
    )


def _users(users: int | None, *, empty: bool) -> int:
    """Return the number of users to invent. A sandbox that is to be empty, or has a fixture, gets none by default."""
    if users is not None:
        return users
    return 0 if empty else DEFAULT_USERS


sandbox.add_command(replay)
sandbox.add_command(compare)
