"""One list of settings: signature, command, documentation, files and environment."""

import inspect
import re
from pathlib import Path

import dlt
import pytest

from dlt_authsignal import authsignal_source, sync
from dlt_authsignal.cli.commands.load.sync import sync as sync_command
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.source.config.resolve import check_configured, resolved_settings
from dlt_authsignal.source.config.source_settings import DEFAULTS, NAMES, SourceSettings
from tests import helpers

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
NOT_SETTINGS = {
    "wait",
    "shard",
    "load_shards",
    "round_",
    "accept_missing_shards",
    "destination",
    "staging",
    "dataset",
    "pipeline_name",
    "tables",
    "as_json",
}
PARAMETERS = {
    name: each
    for name, each in inspect.signature(authsignal_source).parameters.items()
    if each.kind is not each.VAR_KEYWORD
}


def test_the_signature_of_the_source_is_the_list_of_settings() -> None:
    ours = {name: each.default for name, each in PARAMETERS.items() if name not in ("reads", "metrics")}
    assert ours == DEFAULTS
    types = inspect.get_annotations(SourceSettings)
    assert {name: PARAMETERS[name].annotation for name in NAMES} == {name: types[name] for name in NAMES}


def test_every_option_of_sync_is_a_setting_and_is_on_the_settings_page() -> None:
    options = {each.name: each.opts[0] for each in sync_command.params if each.name not in NOT_SETTINGS}
    assert options.keys() <= set(NAMES)
    page = PAGE.read_text("utf-8")
    listed = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| (?:`(--[\w-]+)`)? ?\|", page, re.MULTILINE))
    assert list(listed) == list(PARAMETERS)
    assert {name: option for name, option in listed.items() if option} == options


def test_a_mistyped_setting_is_refused_with_the_nearest_name(workdir: Path) -> None:
    pipeline = make_pipeline()
    for call in (
        lambda: sync(pipeline, max_stalenes="1d"),
        lambda: authsignal_source(max_stalenes="1d"),  # type: ignore[arg-type]
        lambda: resolved_settings(max_stalenes="1d"),
    ):
        with pytest.raises(ConfigurationError, match=r'no setting "max_stalenes". Did you mean "max_staleness"'):
            call()


def test_a_mistyped_setting_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_configured()
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__REGOIN", "eu")
    with pytest.raises(ConfigurationError, match=r'SOURCES__AUTHSIGNAL_SOURCE__REGOIN: .* Did you mean "region"'):
        authsignal_source(tenant_id="t")


def test_a_mistyped_setting_in_a_file_is_refused(workdir: Path) -> None:

    (workdir / ".dlt").mkdir(exist_ok=True)
    (workdir / ".dlt/config.toml").write_text('[sources.authsignal_source]\nregoin = "eu"\n', encoding="utf-8")
    code = "from dlt_authsignal.source.config.resolve import check_configured; check_configured()"
    done = helpers.python("-c", code, timeout=100)
    assert 'config.toml, [sources.authsignal_source]: there is no setting "regoin"' in done.stderr


def test_invalid_arguments_of_sync_are_refused_before_anything_is_loaded(workdir: Path) -> None:
    pipeline = make_pipeline()
    with pytest.raises(ConfigurationError, match="sync needs a dlt pipeline, not str"):
        sync("duckdb")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="has no destination"):
        sync(dlt.pipeline("nowhere"))
    with pytest.raises(ConfigurationError, match=r'no table "user". Did you mean "users"'):
        sync(pipeline, tables=["user"])
    with pytest.raises(ConfigurationError, match="tables must be a list"):
        sync(pipeline, tables="users")
    assert not list(workdir.glob("*.duckdb"))


def test_settings_in_the_section_of_a_pipeline_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE__SOURCES__AUTHSIGNAL_SOURCE__REGION", "eu")
    assert resolved_settings("mine").region == "eu"
    assert resolved_settings().region is None


def test_settings_do_not_show_their_values() -> None:
    assert repr(SourceSettings(api_secret_key="sk", region="eu")) == "SourceSettings(api_secret_key=…, region=…)"


def test_a_region_that_contradicts_base_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__BASE_URL", "https://au.api.authsignal.com/v1/")
    assert resolved_settings().base.host == "au.api.authsignal.com"
    assert resolved_settings(region="au").base.host == "au.api.authsignal.com"
    for region in ("us", "eu"):
        with pytest.raises(ConfigurationError, match=f'region "{region}" contradicts base_url.*Remove one'):
            resolved_settings(region=region)
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__REGION", "eu")
    with pytest.raises(ConfigurationError, match='region "eu" contradicts base_url'):
        resolved_settings()


def test_a_value_of_the_wrong_form_is_refused_without_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__MAX_REQUESTS", "sk_secret")
    with pytest.raises(ConfigurationError, match="The setting max_requests must be") as wrong:
        resolved_settings()
    assert "sk_secret" not in str(wrong.value)


def test_a_host_that_cannot_exist_is_not_a_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_SOURCE__BASE_URL", "https://xn--/v1")
    with pytest.raises(ConfigurationError, match="base_url is not a URL"):
        _ = resolved_settings().base


def test_pipeline_name_and_dataset_name_are_settings_of_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIPELINE_NAME", "DATASET_NAME"):
        monkeypatch.setenv(f"SOURCES__AUTHSIGNAL_SOURCE__{name}", "mine")
    check_configured()
