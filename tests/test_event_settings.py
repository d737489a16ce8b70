"""The settings in `[sources.authsignal_events]`, as dlt finds them."""

from datetime import timedelta
from pathlib import Path

import pytest

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.event_settings import resolved_event_settings

PLAIN = """
[sources.authsignal_source]
api_secret_key = "key-of-the-source"
tenant_id = "tenant-of-the-source"

[sources.authsignal_events]
path = "/webhooks/first"
"""


def write(text: str) -> None:
    Path(".dlt").mkdir(exist_ok=True)
    Path(".dlt/secrets.toml").write_text(text)


def test_key_and_tenant_default_to_those_of_the_source() -> None:
    write(PLAIN)
    settings = resolved_event_settings()
    default = settings.tenant("default")
    assert (default.path, default.keys) == ("/webhooks/first", ("key-of-the-source",))
    assert default.tenant_id == "tenant-of-the-source"
    assert (settings.spool, settings.tolerance, settings.retention) == ("spool", timedelta(minutes=5), None)
    assert (settings.disk_limit, settings.encryption_keys) == (0.9, ())


def test_further_tenants_have_their_own_path_and_key() -> None:
    write(PLAIN + '[sources.authsignal_events.tenants.eu]\npath = "/webhooks/eu"\napi_secret_key = "key-of-eu"\n')
    found = resolved_event_settings().tenants
    assert {name: (tenant.path, tenant.keys) for name, tenant in found.items()} == {
        "default": ("/webhooks/first", ("key-of-the-source",)),
        "eu": ("/webhooks/eu", ("key-of-eu",)),
    }


@pytest.mark.parametrize("value", ['["second", "third"]', '"second third"', '"second,\\nthird"'])
def test_further_keys_are_a_list_or_a_text(value: str) -> None:
    write(f"{PLAIN}additional_secret_keys = {value.replace(chr(10), '')}\n")
    assert resolved_event_settings().tenant("default").keys == ("key-of-the-source", "second", "third")


def test_tenants_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__AUTHSIGNAL_EVENTS__TENANTS", '{"eu": {"path": "/eu", "api_secret_key": "k"}}')
    assert resolved_event_settings().tenant("eu").path == "/eu"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('tollerance = "1m"', 'there is no setting "tollerance". Did you mean "tolerance"?'),
        ('tolerance = "soon"', "tolerance must be a number with s, m, h or d"),
        ('disk_limit = "full"', "disk_limit must be a share of the disk"),
        ('max_in_flight = "many"', "The setting max_in_flight must be a whole number"),
        ("max_in_flight = 0", "max_in_flight must be a whole number from 1"),
        ('[sources.authsignal_events.tenants.eu]\npath = "/webhooks/first"', "have the same path"),
        ('[sources.authsignal_events.tenants.eu]\npath = "webhooks/eu"', 'path of tenant "eu" is not valid'),
        ('[sources.authsignal_events.tenants.eu]\nkey = "x"', 'there is no setting "key"'),
        ("[sources.authsignal_events.tenants.EU]", '"EU" cannot be the name of a tenant'),
        ("[sources.authsignal_events.tenants.default]", "put the settings of this tenant into"),
    ],
)
def test_a_wrong_setting_is_reported_by_its_name(line: str, message: str) -> None:
    write(PLAIN + line + "\n")
    with pytest.raises(ConfigurationError) as refused:
        resolved_event_settings()
    assert message in str(refused.value)


def test_an_unknown_tenant_is_reported() -> None:
    write(PLAIN)
    with pytest.raises(ConfigurationError, match=r'There is no tenant "defalt".* Did you mean "default"'):
        resolved_event_settings().tenant("defalt")


def test_settings_show_no_key_when_they_are_printed() -> None:
    write(PLAIN)
    settings = resolved_event_settings()
    assert "key-of-the-source" not in f"{settings!r} {settings.tenants!r}"
