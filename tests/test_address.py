"""Region and base URL: the address of a tenant, and settings that contradict each other."""

from pathlib import Path

import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.source_settings import SourceSettings
from tests.helpers import SECRET, at, command
from tests.tiers import deep_after

ONE_TABLE = ("sync", "--tables", "tenant_authenticators", "--json")
SECTION = "[sources.authsignal_source]\n"
PREFIX = "SOURCES__AUTHSIGNAL_SOURCE__"


def configured(config: str = "", secrets: str = "") -> None:
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt/config.toml").write_text(SECTION + config)
    Path(".dlt/secrets.toml").write_text(SECTION + f'api_secret_key = "{SECRET}"\n{secrets}')


CONTRADICTIONS = {
    "an option beside a file": ('base_url = "{url}"\n', "", ("--region", "eu"), {}),
    "both in one file": ('base_url = "{url}"\nregion = "eu"\n', "", (), {}),
    "in two files": ('base_url = "{url}"\n', 'region = "eu"\n', (), {}),
    "a URL in the environment beside a file": ('region = "eu"\n', "", (), {"BASE_URL": "{url}"}),
    "a region in the environment beside a file": ('base_url = "{url}"\n', "", (), {"REGION": "eu"}),
    "an option beside the environment": ("", "", ("--region", "eu"), {"BASE_URL": "{url}"}),
    "the default region": ('base_url = "{url}"\n', "", ("--region", "us"), {}),
}


@pytest.mark.parametrize("case", deep_after(2, CONTRADICTIONS))
def test_a_region_that_contradicts_base_url_is_refused(empty: RunningSandbox, workdir: Path, case: str) -> None:
    config, secrets, options, variables = CONTRADICTIONS[case]
    configured(config.format(url=empty.url), secrets)
    env = {PREFIX + name: value.format(url=empty.url) for name, value in variables.items()}
    done = command(*ONE_TABLE, *options, env=env)
    assert done.returncode == 2, done.stdout
    assert "contradicts base_url" in done.stderr
    assert empty.url in done.stderr
    assert "Nothing was read" in done.stderr
    assert not empty.sandbox.log.by_route


def test_every_command_that_reads_authsignal_refuses_a_contradictory_region(
    empty: RunningSandbox, workdir: Path
) -> None:
    configured(f'base_url = "{empty.url}"\nregion = "eu"\n')
    for arguments in (("doctor",), ("probe", "--user", "canary"), ONE_TABLE):
        done = command(*arguments)
        assert (done.returncode, "contradicts base_url" in done.stderr) == (2, True), arguments
    assert not empty.sandbox.log.by_route


def test_a_script_with_a_contradictory_region_is_refused_too(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="contradicts base_url"):
        authsignal_source(api_secret_key=SECRET, base_url=empty.url, region="au")


@pytest.mark.parametrize("region", REGIONS)
def test_a_region_with_its_own_url_is_accepted(region: str) -> None:
    for url in (REGIONS[region], f"{REGIONS[region]}/"):
        assert str(api_url(region, url)) == REGIONS[region]


def test_without_region_and_base_url_the_region_is_us() -> None:
    assert str(SourceSettings().base) == str(SourceSettings(region="us").base) == REGIONS["us"]


@pytest.mark.parametrize("unset", deep_after(1, [{"REGION": ""}, {"BASE_URL": ""}]))
def test_an_empty_region_or_base_url_counts_as_not_set(
    empty: RunningSandbox, workdir: Path, unset: dict[str, str]
) -> None:
    configured(f'base_url = "{empty.url}"\nregion = "eu"\n')
    env = {PREFIX + name: value for name, value in unset.items()}
    said = command("doctor", env=env | {PREFIX + "TIMEOUT": "1"})
    assert "contradict" not in said.stderr


@pytest.mark.deep
def test_a_sandbox_works_in_a_project_with_a_region(empty: RunningSandbox, workdir: Path) -> None:
    configured('region = "eu"\n')
    done = command(*ONE_TABLE, env=at(empty))
    assert done.returncode == 0, done.stderr


@pytest.mark.deep
def test_the_demo_works_in_a_project_with_a_region(workdir: Path) -> None:
    configured('region = "eu"\n')
    done = command("demo", "--users", "2", "--days", "2", timeout=120)
    assert done.returncode == 0, done.stderr


def test_init_replaces_a_region_by_a_base_url(empty: RunningSandbox, workdir: Path) -> None:
    configured('region = "eu"\n')
    done = command("init", "--base-url", empty.url, "--api-secret-key", SECRET)
    assert done.returncode == 0, done.stderr
    assert "region" not in Path(".dlt/config.toml").read_text()
    assert command(*ONE_TABLE).returncode == 0
