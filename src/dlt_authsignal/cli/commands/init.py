"""`dlt-authsignal init`."""

import secrets
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.cli import project
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.wording import runnable

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.monitor.key_check import Finding

KEYS: Final = ("api_secret_key", "tenant_id", "token")


@click.command(short_help="Set up this folder: keys, configuration, a script to run.")
@click.option("--region", type=click.Choice(list(REGIONS)), help="Where the tenant lives.")
@click.option("--api-secret-key", metavar="KEY", help="Server API secret; - reads it from standard input.")
@click.option("--tenant-id", metavar="ID", help="The tenant's id.")
@click.option("--token", metavar="TOKEN", help="Short-lived token of one user, from a track call.")
@click.option("--base-url", metavar="URL", help="Full URL instead of the region's, for a proxy or the sandbox.")
@click.option("--pipeline-name", metavar="NAME", help="Name of this project's pipeline, for all commands.")
@click.option("--dataset", metavar="NAME", help="Dataset (schema) of this project, for all commands.")
@click.option("--no-check", is_flag=True, help="Write the files without asking Authsignal whether the keys work.")
@click.option("--force", is_flag=True, help="Replace keys that .dlt/secrets.toml holds already.")
def init(
    region: str | None,
    api_secret_key: str | None,
    tenant_id: str | None,
    token: str | None,
    base_url: str | None,
    pipeline_name: str | None,
    dataset: str | None,
    no_check: bool,
    force: bool,
) -> None:
    """Set up this folder: ask for region and keys, check them, and write

    \b
        .dlt/secrets.toml        the keys, and a new privacy_key; only you can read it, and git ignores it
        .dlt/config.toml         region, and settings in which we differ from dlt: its state stays in this folder
        authsignal_pipeline.py   a script to run and to change

    What is there already stays. Nothing is written if a key does not work. A Server API secret that its region refuses
    is tried in Authsignal's other regions, to name the right one. A key on the command line ends up in your
    shell's history: leave it out and you are asked for it, or give - and pipe it in.
    """
    if region and base_url:
        raise click.UsageError("--region or --base-url, not both: the URL stands in for the region's.")
    if project.CONFIG.parent.exists() and not project.CONFIG.parent.is_dir():
        raise ConfigurationError(f"{project.CONFIG.parent} is a file, and has to be a folder. Move it away.")
    if api_secret_key == "-":  # noqa: S105
        api_secret_key = sys.stdin.readline().strip()
    present = project.settings_in(project.SECRETS)
    asking = sys.stdin.isatty() and not (api_secret_key or token or tenant_id)
    configured = project.settings_in(project.CONFIG)
    names = _names(pipeline_name, dataset)
    if asking and not (region or base_url or configured.get("base_url")):
        known = str(configured.get("region", "us"))
        region = click.prompt("Where does your tenant live?", type=click.Choice(list(REGIONS)), default=known)
    if asking:
        api_secret_key = _asked("Server API secret (portal: Settings, API keys)", present.get("api_secret_key"))
        tenant_id = _asked("Tenant id", present.get("tenant_id"), hidden=False)
    clean_credential = {"api_secret_key": api_secret_key, "tenant_id": tenant_id, "token": token}
    keys = {name: value.strip() for name, value in clean_credential.items() if value and value.strip()}
    _check_clash(keys, present, force=force or asking)
    usable = {**_usable(present), **keys}
    if not usable:
        raise ConfigurationError(
            "No key. Give --api-secret-key (- reads it from standard input), or --tenant-id and --token, or run init"
            " on a terminal, which asks."
        )
    where = _address(region, base_url, configured)
    made = _privacy_key(present)
    found = [] if no_check else _checked(usable, where, asking=asking)
    chosen = {"pipeline_name": pipeline_name, "dataset_name": dataset}
    _write({**keys, **made}, where, {name: value for name, value in chosen.items() if value}, names)
    if made:
        click.echo("privacy_key is what people's data is hashed with. Keep a copy: a new key makes other hashes.")
    _report(found)


def _address(region: str | None, base_url: str | None, configured: Mapping[str, object]) -> dict[str, str | None]:
    """Region or base URL: the last choice takes the other one out, or a key would go where nobody means it to."""
    if region or base_url:
        return {"region": region, "base_url": base_url}
    kept = {name: str(configured[name]) if name in configured else None for name in ("region", "base_url")}
    return kept if any(kept.values()) else {**kept, "region": "us"}


def _asked(question: str, present: object, *, hidden: bool = True) -> str:
    way = "Enter keeps the one there is" if present else "Enter skips it"
    answer: str = click.prompt(f"{question} ({way})", default="", show_default=False, hide_input=hidden)
    return answer


def _usable(present: Mapping[str, object]) -> dict[str, str]:
    from dlt_authsignal.source.config.credentials import clean_credential

    known = {name: clean_credential(name, value) for name, value in present.items() if name in KEYS}
    return {name: value for name, value in known.items() if value}


def _privacy_key(present: Mapping[str, object]) -> dict[str, str]:
    """A new key, unless there is one already, here or wherever else dlt finds it, or none is needed."""
    from dlt_authsignal.source.config.credentials import clean_credential
    from dlt_authsignal.source.config.resolve import resolved_settings
    from dlt_authsignal.source.privacy.settings import privacy_from

    found = resolved_settings(base_url=None)  # whether the address there is contradicts the region is not asked here
    if clean_credential("privacy_key", present.get("privacy_key")) or not privacy_from(found).leaves_out:
        return {}
    return {"privacy_key": secrets.token_hex(32)}


def _check_clash(keys: Mapping[str, str], present: Mapping[str, object], *, force: bool) -> None:
    usable = _usable(present)
    clashing = [name for name, value in keys.items() if usable.get(name, value) != value]
    if clashing and not force:
        raise ConfigurationError(
            f"{project.SECRETS} holds another {' and '.join(clashing)}. --force replaces it; nothing was written."
        )


def _checked(keys: Mapping[str, str], where: dict[str, str | None], *, asking: bool) -> "list[Finding]":
    """What the keys unlock; a region that is not theirs is corrected in `where` if the user agrees."""
    click.echo("Checking …", err=True)
    found = _look(keys, where)
    if any(not finding.works and finding.setting == "api_secret_key" for finding in found) and not where["base_url"]:
        where["region"] = _home(keys["api_secret_key"], where["region"] or "us", asking=asking)
        found = _look(keys, where)
    refused = [f"{finding.setting}: {' '.join(finding.notes)}" for finding in found if not finding.works]
    if refused:
        raise ConfigurationError(f"{' '.join(refused)} Nothing was written; --no-check writes without asking.")
    return found


def _look(keys: Mapping[str, str], where: Mapping[str, str | None]) -> "list[Finding]":
    from dlt_authsignal.pipeline.monitor.key_check import check
    from dlt_authsignal.source.config.resolve import resolved_settings

    nothing = dict.fromkeys(KEYS)  # None, or dlt would look for them
    clean_credential: dict[str, Any] = {
        **nothing,
        **keys,
        "region": where["region"] or "us",
        "base_url": where["base_url"],
    }
    return check(resolved_settings(**clean_credential))


def _home(api_secret_key: str, region: str, *, asking: bool) -> str:
    """The region that takes the key; the one given if none does."""
    from dlt_authsignal.pipeline.monitor.key_check import region_of

    home = region_of(api_secret_key)
    if home is None:
        return region
    told = f"This key is of region {home}, not {region}."
    if not (asking and click.confirm(f"{told} Use {home}?", default=True)):
        raise ConfigurationError(f"{told} Run init again with --region {home}; nothing was written.")
    return home


def _names(pipeline_name: str | None, dataset: str | None) -> tuple[str, str]:
    """Names of the pipeline and the dataset, once it is sure that a sync can use them here."""
    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
    from dlt_authsignal.project.pipelines import check_is_usable

    with translate_errors("duckdb"):
        name = pipeline_name_or(pipeline_name)
        check_is_usable(name, "duckdb")
        return name, dataset_name_or(dataset)


def _state(pipeline_name: str) -> project.Tables:
    """The setting with which dlt alone finds the pipeline's state; nothing where it finds it already."""
    from dlt_authsignal.project.settings import SETTING
    from dlt_authsignal.project.working_folder import IN_PROJECT, working_folder

    if working_folder(pipeline_name).is_configured:
        return {}
    return {("pipelines", pipeline_name): {SETTING: IN_PROJECT}}


def _write(
    keys: Mapping[str, str], where: Mapping[str, str | None], chosen: Mapping[str, str], names: tuple[str, str]
) -> None:
    """Writes what is new, and says what that was. git ignores the keys before they are there."""
    private, config, script = project.SECRETS, project.CONFIG, project.SCRIPT
    settings: project.Tables = {project.SECTION: {**where, **chosen}}
    if project.write(project.IGNORE, project.with_lines(project.IGNORE, project.IGNORED)):
        click.echo(f"Wrote {project.IGNORE}: git ignores the keys and the data.")
    if keys and project.write(private, project.merged(private, {project.SECTION: keys}), private=True):
        click.echo(f"Wrote {private}: {', '.join(keys)}. Only you can read it.")
    if project.write(config, project.merged(config, settings, {**project.DEFAULTS, **_state(names[0])})):
        written = ", ".join(f"{name} {value}" for name, value in settings[project.SECTION].items() if value)
        click.echo(f"Wrote {config}: {written}.")
    if not script.exists():
        project.write(script, project.script(*names))
        click.echo(f"Wrote {script}.")
    elif script.read_text("utf-8") != project.script(*names):
        click.echo(f"Left {script} as it is: it is there already, and not ours.")
    if project.is_tracked(private):
        click.secho(f"git has {private} in the repository. Take it out: git rm --cached {private}", fg="red", err=True)


def _report(found: "Sequence[Finding]") -> None:
    """What each key unlocks, and what to type next."""
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
    readable = not found or any(finding.setting != "tenant_id" for finding in found)
    console.print("\nNext:")
    if readable:
        lists = all(finding.lists for finding in found)
        console.print(f"   {runnable('dlt-authsignal')} sync{'' if lists else ' --users-from ids.csv'}")
        if lists:  # the script reads every user that the tenant lists
            console.print(f"   {runnable('python')} {project.SCRIPT}")
    else:
        console.print("   A tenant id alone loads nobody's data: run init again with --api-secret-key.")
