"""`dlt-authsignal init`."""

import secrets
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.cli import project
from dlt_authsignal.cli.commands.setup.init_events import set_up_events
from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.pipeline.wording import runnable

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.monitor.key_check import Finding

STANDARD_INPUT: Final = "-"
KEYS: Final = ("api_secret_key", "management_secret_key", "tenant_id", "token")


@click.command(short_help="Set up this folder: keys, configuration and a script.")
@click.option("--region", type=click.Choice(list(REGIONS)), help="Region of the tenant.")
@click.option("--api-secret-key", metavar="KEY", help="Server API secret; - reads it from standard input.")
@click.option(
    "--management-secret-key",
    metavar="KEY",
    help="Management API secret, for the tenant's configuration; - reads it from standard input.",
)
@click.option("--tenant-id", metavar="ID", help="The tenant's id.")
@click.option("--token", metavar="TOKEN", help="Short-lived token of one user, from a track call.")
@click.option("--base-url", metavar="URL", help="Full URL instead of the region's, for a proxy or the sandbox.")
@click.option("--pipeline-name", metavar="NAME", help="Name of this project's pipeline, for all commands.")
@click.option("--dataset", metavar="NAME", help="Dataset (schema) of this project, for all commands.")
@click.option(
    "--events",
    is_flag=True,
    help="Set up the receiver of events: make the secret path of the webhook, and print the URL to enter in"
    " Authsignal's portal. In a folder that is set up already, nothing else changes.",
)
@click.option("--no-check", is_flag=True, help="Write the files without checking the keys at Authsignal.")
@click.option("--force", is_flag=True, help="Replace existing keys in .dlt/secrets.toml.")
def init(
    region: str | None,
    api_secret_key: str | None,
    management_secret_key: str | None,
    tenant_id: str | None,
    token: str | None,
    base_url: str | None,
    pipeline_name: str | None,
    dataset: str | None,
    events: bool,
    no_check: bool,
    force: bool,
) -> None:
    """Set up this folder: ask for region and keys, check them, and write

    \b
        .dlt/secrets.toml        the keys, and a new privacy_key; only you can read it, and git ignores it
        .dlt/config.toml         the region, and settings that keep dlt's state in this folder
        authsignal_pipeline.py   a script to run and change

    Existing content is kept. Nothing is written if a key does not work. If a region refuses a Server API secret, init
    tries the other regions and reports the right one. A key on the command line is saved in your shell's history:
    leave it out and init asks for it, or pass - and pipe the key in.
    """
    if region and base_url:
        raise click.UsageError("Pass --region or --base-url, not both: the URL replaces the region's URL.")
    if project.CONFIG.parent.exists() and not project.CONFIG.parent.is_dir():
        raise ConfigurationError(
            f"{project.CONFIG.parent} is a file, but must be a folder. Nothing was written. Move the file."
        )
    given = {
        "api_secret_key": api_secret_key,
        "management_secret_key": management_secret_key,
        "tenant_id": tenant_id,
        "token": token,
    }
    present = project.settings_in(project.SECRETS)
    if events and not any((region, base_url, pipeline_name, dataset, *given.values())):
        set_up_events()
        return
    asking = sys.stdin.isatty() and not any(given.values())
    configured = project.settings_in(project.CONFIG)
    names = _names(pipeline_name, dataset)
    if asking and not (region or base_url or configured.get("base_url")):
        known = str(configured.get("region", "us"))
        region = click.prompt("Which region is your tenant in?", type=click.Choice(list(REGIONS)), default=known)
    read = _asked_keys(present) if asking else _piped(given)
    keys = {name: value.strip() for name, value in read.items() if value and value.strip()}
    _check_clash(keys, present, force=force or asking)
    usable = {**_usable(present), **keys}
    if not usable:
        raise ConfigurationError(
            "No key was given. Nothing was written. Pass --api-secret-key (- reads it from standard input), or"
            " --tenant-id and --token, or run init on a terminal, where it asks for keys."
        )
    where = _address(region, base_url, configured)
    made = _privacy_key(present, where)
    found = [] if no_check else _checked(usable, where, asking=asking)
    chosen = {"pipeline_name": pipeline_name, "dataset_name": dataset}
    _write({**keys, **made}, where, {name: value for name, value in chosen.items() if value}, names)
    if made:
        click.echo("privacy_key hashes personal identifiers. Keep a copy: another key gives different hashes.")
    _report(found, where)
    if events:
        set_up_events()


def _address(region: str | None, base_url: str | None, configured: Mapping[str, object]) -> dict[str, str | None]:
    """Return the region or the base URL: setting one removes the other, so that keys are sent only to the new one."""
    if region or base_url:
        return {"region": region, "base_url": base_url}
    kept = {name: str(configured[name]) if name in configured else None for name in ("region", "base_url")}
    return kept if any(kept.values()) else {**kept, "region": "us"}


def _asked_keys(present: Mapping[str, object]) -> dict[str, str]:
    """Ask for the keys on the terminal."""
    return {
        "api_secret_key": _asked("Server API secret (portal: Settings, API keys)", present.get("api_secret_key")),
        "management_secret_key": _asked(
            "Management API secret, to load rules and settings; optional", present.get("management_secret_key")
        ),
        "tenant_id": _asked("Tenant id", present.get("tenant_id"), hidden=False),
    }


def _piped(given: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the keys with the one that is `-` read from standard input.

    Raises:
        UsageError: More than one is `-`.
    """
    piped = [name for name, value in given.items() if value == STANDARD_INPUT]
    if len(piped) > 1:
        raise click.UsageError(f"Only one key can be read from standard input, not {' and '.join(piped)}.")
    return dict(given) | {name: sys.stdin.readline().removeprefix("\ufeff") for name in piped}


def _asked(question: str, present: object, *, hidden: bool = True) -> str:
    way = "Enter keeps the existing one" if present else "Enter skips it"
    answer: str = click.prompt(f"{question} ({way})", default="", show_default=False, hide_input=hidden)
    return answer


def _usable(present: Mapping[str, object]) -> dict[str, str]:
    from dlt_authsignal.source.config.credentials import clean_credential

    known = {name: clean_credential(name, value) for name, value in present.items() if name in KEYS}
    return {name: value for name, value in known.items() if value}


def _privacy_key(present: Mapping[str, object], where: Mapping[str, str | None]) -> dict[str, str]:
    """Return a new privacy key, unless dlt finds one or none is needed."""
    from dlt_authsignal.source.config.credentials import clean_credential
    from dlt_authsignal.source.config.resolve import resolved_settings
    from dlt_authsignal.source.privacy.settings import privacy_from

    if clean_credential("privacy_key", present.get("privacy_key")):
        return {}
    if not privacy_from(resolved_settings(**where)).leaves_out:
        return {}
    return {"privacy_key": secrets.token_hex(32)}


def _check_clash(keys: Mapping[str, str], present: Mapping[str, object], *, force: bool) -> None:
    usable = _usable(present)
    clashing = [name for name, value in keys.items() if usable.get(name, value) != value]
    if clashing and not force:
        raise ConfigurationError(
            f"{project.SECRETS} already has a different {' and '.join(clashing)}. Nothing was written. Pass --force"
            " to replace it."
        )


def _checked(keys: Mapping[str, str], where: dict[str, str | None], *, asking: bool) -> "list[Finding]":
    """Check the keys and return the results; correct a wrong region in `where` if the user agrees."""
    click.echo("Checking …", err=True)
    found = _look(keys, where)
    if any(not finding.works and finding.setting == "api_secret_key" for finding in found) and not where["base_url"]:
        where["region"] = _home(keys["api_secret_key"], where["region"] or "us", asking=asking)
        found = _look(keys, where)
    refused = [f"{finding.setting}: {' '.join(finding.notes)} {finding.fix}" for finding in found if not finding.works]
    if refused:
        raise ConfigurationError(f"{' '.join(refused)} Nothing was written. Pass --no-check to write without checking.")
    return found


def _look(keys: Mapping[str, str], where: Mapping[str, str | None]) -> "list[Finding]":
    from dlt_authsignal.pipeline.monitor.key_check import check
    from dlt_authsignal.source.config.resolve import resolved_settings

    nothing = dict.fromkeys(KEYS)  # None, or dlt would look for them
    clean_credential: dict[str, Any] = {**nothing, **keys, **where}
    return check(resolved_settings(**clean_credential))


def _home(api_secret_key: str, region: str, *, asking: bool) -> str:
    """Return the region that accepts the key; the given one if none does."""
    from dlt_authsignal.pipeline.monitor.key_check import region_of

    home = region_of(api_secret_key)
    if home is None:
        return region
    mismatch = f"This key belongs to region {home}, not {region}."
    if not (asking and click.confirm(f"{mismatch} Use {home}?", default=True)):
        raise ConfigurationError(f"{mismatch} Nothing was written. Run init again with --region {home}.")
    return home


def _names(pipeline_name: str | None, dataset: str | None) -> tuple[str, str]:
    """Return the names of the pipeline and the dataset, after checking that a sync can use them here."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
    from dlt_authsignal.project.pipelines import check_is_usable

    with translate_errors("duckdb"):
        name = pipeline_name_or(pipeline_name)
        check_is_usable(name, "duckdb")
        return name, dataset_name_or(dataset)


def _state(pipeline_name: str) -> project.Tables:
    """Return the setting with which plain dlt finds the pipeline's state; empty if it finds the state already."""
    from dlt_authsignal.project.settings import SETTING
    from dlt_authsignal.project.working_folder import IN_PROJECT, working_folder

    if working_folder(pipeline_name).is_configured:
        return {}
    return {("pipelines", pipeline_name): {SETTING: IN_PROJECT}}


def _write(
    keys: Mapping[str, str], where: Mapping[str, str | None], chosen: Mapping[str, str], names: tuple[str, str]
) -> None:
    """Write what is new, and print what was written. git ignores the keys before they are written."""
    private, config, script = project.SECRETS, project.CONFIG, project.SCRIPT
    settings: project.Tables = {project.SECTION: {**where, **chosen}}
    if project.write(project.IGNORE, project.with_lines(project.IGNORE, project.IGNORED)):
        click.echo(f"Wrote {project.IGNORE}: git ignores the keys and the data.")
    was_exposed = project.is_exposed(private)
    if keys and project.write(private, project.merged(private, {project.SECTION: keys}), private=True):
        click.echo(f"Wrote {private}: {', '.join(keys)}. Only you can read it.")
    if project.write(config, project.merged(config, settings, {**project.DEFAULTS, **_state(names[0])})):
        written = ", ".join(f"{name} {value}" for name, value in settings[project.SECTION].items() if value)
        click.echo(f"Wrote {config}: {written}.")
    if not script.exists():
        project.write(script, project.script(*names))
        click.echo(f"Wrote {script}.")
    elif script.read_bytes().replace(b"\r\n", b"\n") != project.script(*names).encode():
        click.echo(f"Did not change {script}: it exists, and differs from the script that init writes.")
    if project.is_exposed(private):
        click.secho(f"Other accounts can read {private}. Run: chmod go= {private}", fg="red", err=True)
    elif was_exposed:
        click.secho(f"Other accounts could read {private} until now. Replace its keys if they may have.", err=True)
    if project.is_tracked(private):
        click.secho(f"{private} is in the git repository. Remove it: git rm --cached {private}", fg="red", err=True)


def _report(found: "Sequence[Finding]", where: Mapping[str, str | None]) -> None:
    """Print what each key gives access to, and the next commands."""
    from rich.console import Console
    from rich.table import Table

    table = Table("key", "", "loads", box=None, pad_edge=False, header_style="bold")
    for finding in found:
        table.add_row(finding.setting, "works", ", ".join(finding.tables))
        for note in finding.notes:
            table.add_row("", "", note)
    console = Console(highlight=False)
    if found:
        console.print()
        console.print(table)
    console.print("\nNext:")
    for line in _next(found, where):
        console.print(f"   {line}", soft_wrap=True, markup=False)  # a wrapped command cannot be copied


def _next(found: "Sequence[Finding]", where: Mapping[str, str | None]) -> list[str]:
    """Return the commands that work with these keys."""
    script, command = f"{runnable('python')} {project.SCRIPT}", f"{runnable('dlt-authsignal')} sync"
    if found and all(finding.setting == "tenant_id" for finding in found):
        return ["A tenant id alone gives access to no users: run init again with --api-secret-key."]
    if all(finding.lists_users for finding in found) or _has_other_ids(where):
        return [command, script]
    return [
        f"{command} --users-from ids.csv   (a file of user ids: this tenant does not list its users)",
        'For later syncs and the script, write users_from = "ids.csv" under [sources.authsignal_source] in'
        f" {project.CONFIG}. Other sources of user ids: {DOCS}/user-ids.md",
    ]


def _has_other_ids(where: Mapping[str, str | None]) -> bool:
    """Whether the project's settings name a source of user ids already."""
    from dlt_authsignal.source.config.resolve import resolved_settings

    return bool(resolved_settings(**where).users_from)
