"""`dlt-authsignal sandbox`."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.sandbox import Sandbox


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f'"{value}" is not an ISO 8601 date or time.') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _not_emulated(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED

        click.echo("The sandbox does not emulate:\n" + "\n".join(f"- {line}" for line in NOT_EMULATED))
        context.exit()


@click.command(short_help="Run a local Authsignal to test against.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=4443, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--users", default=0, show_default=True, type=click.IntRange(0, 1_000_000), help="People to invent.")
@click.option("--days", default=45, show_default=True, type=click.IntRange(1, 3650), help="Days of history for them.")
@click.option(
    "--seed", type=int, help="The same tenant, ids and clock every time. Without it: other people, at the present."
)
@click.option(
    "--now",
    metavar="TIME",
    callback=_moment,
    help="Where the clock starts. Default: the present; 2026-11-02 09:00 with --seed.",
)
@click.option(
    "--listing",
    type=click.Choice(["allowed", "refused"]),
    default="allowed",
    show_default=True,
    help="Whether GET /users answers without a filter; the real API's answer is not documented.",
)
@click.option("--secret", default="sandbox-server-secret", show_default=True, help="Server API secret to accept.")
@click.option(
    "--management-secret",
    default="sandbox-management-secret",
    show_default=True,
    help="Management API secret to accept.",
)
@click.option("--tenant-id", metavar="ID", help="The tenant's id, which the Client API is called with.")
@click.option("--rp-id", default="localhost", show_default=True, help="Domain that passkeys belong to.")
@click.option(
    "--origin",
    "origins",
    metavar="URL",
    multiple=True,
    help="Origin that passkeys are accepted from; may be given again. Default: every one below --rp-id.",
)
@click.option("--json", "as_json", is_flag=True, help="Print URLs and keys as one JSON line.")
@click.option(
    "--not-emulated",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_not_emulated,
    help="List what the sandbox does not do, and exit.",
)
def sandbox(
    host: str,
    port: int,
    users: int,
    days: int,
    seed: int | None,
    now: datetime | None,
    listing: str,
    secret: str,
    management_secret: str,
    tenant_id: str | None,
    rp_id: str,
    origins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a local Authsignal to test against. It keeps its state in memory and forgets it when it stops.

    Point Authsignal's own SDKs, or this pipeline, at the URL it prints. Control it under /_sandbox/.

    \b
        dlt-authsignal sandbox --users 500 --days 45 --seed 7
    """
    try:
        from dlt_authsignal.sandbox.app.serve import address, listen, server
        from dlt_authsignal.sandbox.core.config import SandboxConfig
        from dlt_authsignal.sandbox.sandbox import Sandbox
    except ModuleNotFoundError as missing:
        raise ExtraMissing("The sandbox", "sandbox") from missing
    try:
        config = SandboxConfig(
            api_secret_key=secret,
            management_secret_key=management_secret,
            tenant_id=tenant_id or SandboxConfig.tenant_id,
            relying_party=rp_id,
            expected_origins=origins,
            listing="refused" if listing == "refused" else "allowed",
            users=users,
            days=days,
            seed=seed,
            now=now,
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    try:
        bound = listen(host, port)
    except OSError as error:
        raise ConfigurationError(f"Cannot listen on {host}:{port}: {error.strerror}. Choose another --port.") from None
    state = Sandbox(config)
    click.echo((_as_json if as_json else _for_people)(address(bound), state))
    try:
        server(state).run(sockets=[bound])
    except KeyboardInterrupt:
        click.echo("Sandbox stopped; its tenant is forgotten.", err=True)


def _as_json(url: str, state: "Sandbox") -> str:
    config = state.config
    return json.dumps(
        {
            "url": url,
            "tenantId": config.tenant_id,
            "apiSecretKey": config.api_secret_key,
            "managementSecretKey": config.management_secret_key,
            "controlUrl": _control(url),
        }
    )


def _control(url: str) -> str:
    return url.removesuffix("/v1") + "/_sandbox/"


def _for_people(url: str, state: "Sandbox") -> str:
    secret = state.config.api_secret_key
    counts = ", ".join(f"{count:,} {kind}" for kind, count in state.store.counts().items())
    return "\n".join(
        (
            f"Local Authsignal at {url}   (not the real one; Ctrl-C stops it)",
            f"  tenant   {state.config.tenant_id}",
            f"  keys     server {secret}, management {state.config.management_secret_key}",
            f"  holds    {counts}",
            f"  clock    {state.clock.now():%Y-%m-%d %H:%M} UTC",
            "  sync it  "
            f"SOURCES__AUTHSIGNAL_SOURCE__BASE_URL={url} SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY={secret}"
            " dlt-authsignal sync --pipeline-name sandbox --rate max",
            f"  look     curl -u {secret}: '{url}/users?limit=2'",
            f"  page     {_control(url).replace('127.0.0.1', 'localhost')}   (try a passkey; control it)",
        )
    )
