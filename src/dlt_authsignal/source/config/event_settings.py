"""The settings of events, in the section `[sources.authsignal_events]`: how deliveries come in and where they are kept.

A setting of both sections (`api_secret_key`, `tenant_id`) defaults to the value in `[sources.authsignal_source]`.
Privacy is set there only, so that the hashes in all tables are equal.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import dlt
from dlt.common.configuration import configspec, inject_section, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.typing import TSecretStrValue, TSecretValue

from dlt_authsignal.destination.errors import named_settings
from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.source.config.credentials import clean_credential
from dlt_authsignal.source.config.durations import duration
from dlt_authsignal.source.config.resolve import found_names, nearest, resolved_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.spool.names import check_tenant

SECTION: Final = "sources.authsignal_events"
DEFAULT_TENANT: Final = "default"
"""Name of the tenant whose settings are in the section itself."""

DEFAULT_SPOOL: Final = "spool"
MOST_IN_FLIGHT: Final = 1_000

_SECTIONS: Final = ("sources", "authsignal_events", "authsignal_events")
_OF_TENANT: Final = ("path", "api_secret_key", "additional_secret_keys", "tenant_id")
_PATH: Final = re.compile(r"(/[A-Za-z0-9_.~-]+){1,8}")
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d+)?) ?%")


@configspec
class EventConfiguration(BaseConfiguration):
    """The settings that dlt resolves. `path` is not one of them: dlt would find the variable PATH."""

    spool: str = DEFAULT_SPOOL
    api_secret_key: TSecretStrValue | None = None
    additional_secret_keys: TSecretValue | None = None
    tenant_id: str | None = None
    tolerance: str = "5m"
    spool_encryption: TSecretStrValue | None = None
    spool_retention: str | None = None
    disk_limit: str = "90%"
    max_in_flight: int = 64
    tenants: TSecretValue | None = None


NAMES: Final = ("path", *EventConfiguration.get_resolvable_fields())


@dataclass(frozen=True, kw_only=True, repr=False)
class EventTenant:
    """A tenant that sends events.

    Attributes:
        name: Its name in the settings, and its folder in the spool.
        path: Path of its webhook; None if it has none.
        keys: Accepted API secret keys.
        tenant_id: Tenant id for events without one.
    """

    name: str
    path: str | None
    keys: tuple[str, ...]
    tenant_id: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class EventSettings:
    """Settings of receiver and loader.

    Attributes:
        spool: Folder or URL.
        tenants: The tenants by name. `default` is always there.
        tolerance: Maximum age of a signature; zero accepts any age.
        encryption_keys: Keys for deliveries that are kept as they came. The first one encrypts. Empty: none is kept.
        retention: Age at which loaded files are deleted; None keeps them permanently.
        disk_limit: Share of the disk, from 0 to 1, above which no delivery is accepted.
        max_in_flight: Deliveries that are accepted at the same time.
    """

    spool: str
    tenants: Mapping[str, EventTenant]
    tolerance: timedelta
    encryption_keys: tuple[str, ...]
    retention: timedelta | None
    disk_limit: float
    max_in_flight: int

    def tenant(self, name: str) -> EventTenant:
        """Return a tenant by its name.

        Raises:
            ConfigurationError: The settings have no such tenant.
        """
        if name not in self.tenants:
            raise ConfigurationError(
                f'There is no tenant "{name}" in [{SECTION}].{nearest(name, list(self.tenants))} Nothing was read.'
            )
        return self.tenants[name]


def resolved_event_settings(
    pipeline_name: str | None = None, source: SourceSettings | None = None, **given: Any
) -> EventSettings:
    """Return the settings of events: the given ones, then dlt's, then the defaults.

    Args:
        pipeline_name: Pipeline whose own sections are read too.
        source: Settings of `authsignal_source`; None resolves them.
        **given: Settings that win over those that dlt finds.

    Raises:
        ConfigurationError: A setting is unknown or wrong.
    """
    _check_names(pipeline_name, given)
    of_dlt = {name: given[name] for name in given if name != "path"}
    with named_settings(), inject_section(ConfigSectionContext(pipeline_name=pipeline_name, sections=_SECTIONS)):
        found = resolve_configuration(EventConfiguration(), explicit_value=of_dlt)
    source = resolved_settings(pipeline_name) if source is None else source
    path = given["path"] if "path" in given else _found_path(pipeline_name)
    tenants = {each.name: each for each in _tenants(found, path, source)}
    _check_paths(tenants)
    return EventSettings(
        spool=found.spool,
        tenants=tenants,
        tolerance=duration("tolerance", found.tolerance),
        encryption_keys=tuple(_keys("spool_encryption", found.spool_encryption)),
        retention=None if found.spool_retention is None else duration("spool_retention", found.spool_retention),
        disk_limit=_share(found.disk_limit),
        max_in_flight=_in_flight(found.max_in_flight),
    )


def _check_names(pipeline_name: str | None, given: Mapping[str, Any]) -> None:
    found = [(name, "Arguments") for name in given] + found_names("authsignal_events", NAMES, pipeline_name)
    for name, where in found:
        if name not in NAMES:
            raise ConfigurationError(
                f'{where}: there is no setting "{name}".{nearest(name, NAMES)} All settings: {DOCS}/receive.md'
            )


def _found_path(pipeline_name: str | None) -> Any:
    """Return the path in the section itself, of the pipeline if it has one. dlt writes what is not typed as a secret
    into the trace of a run."""
    names = [f"{above}{SECTION}.path" for above in (f"{pipeline_name}." if pipeline_name else "", "")]
    values: Iterator[Any] = map(dlt.secrets.get, names)
    return next((found for found in values if found is not None), None)


def _tenants(found: EventConfiguration, path: Any, source: SourceSettings) -> Iterator[EventTenant]:
    of_default = {"path": path} | {name: getattr(found, name) for name in _OF_TENANT if name != "path"}
    for name in ("api_secret_key", "tenant_id"):
        of_default[name] = of_default[name] or getattr(source, name)
    yield _tenant(DEFAULT_TENANT, of_default)
    for name, values in _tables(found.tenants).items():
        if name == DEFAULT_TENANT:
            raise ConfigurationError(
                f"[{SECTION}.tenants.{name}]: put the settings of this tenant into [{SECTION}] itself."
            )
        yield _tenant(check_tenant(name), values)


def _tables(tenants: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings of further tenants by name: a table of tables, or the same as JSON in the environment."""
    try:
        found = json.loads(tenants) if isinstance(tenants, str) else tenants or {}
    except ValueError:
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(values, Mapping) for values in found.values()):
        raise ConfigurationError(f"tenants is not valid: use one table [{SECTION}.tenants.NAME] for each tenant.")
    return found


def _tenant(name: str, values: Mapping[str, Any]) -> EventTenant:
    for known in values:
        if known not in _OF_TENANT:
            raise ConfigurationError(
                f'[{SECTION}.tenants.{name}]: there is no setting "{known}".{nearest(known, _OF_TENANT)}'
            )
    keys = [
        *_keys("api_secret_key", values.get("api_secret_key")),
        *_keys("additional_secret_keys", values.get("additional_secret_keys")),
    ]
    return EventTenant(
        name=name,
        path=_path(name, values.get("path")),
        keys=tuple(dict.fromkeys(keys)),
        tenant_id=clean_credential("tenant_id", values.get("tenant_id")),
    )


def _keys(name: str, value: Any) -> Iterator[str]:
    """Yield the keys of a setting: a list, or one text with white space or commas between the keys."""
    for each in re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value or ():
        if key := clean_credential(name, each):
            yield key


def _path(tenant: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not _PATH.fullmatch(value) or value in ("/healthz", "/metrics"):
        raise ConfigurationError(
            f'path of tenant "{tenant}" is not valid. It must begin with / and have letters, digits, and . _ ~ - only,'
            " such as /webhooks/ and 32 random characters. dlt-authsignal init --events makes one."
        )
    return value


def _check_paths(tenants: Mapping[str, EventTenant]) -> None:
    paths: dict[str, str] = {}
    for each in tenants.values():
        other = paths.setdefault(each.path, each.name) if each.path else each.name
        if other != each.name:
            raise ConfigurationError(f'Tenants "{other}" and "{each.name}" have the same path. Each needs its own.')


def _share(value: Any) -> float:
    found = _SHARE.fullmatch(str(value).strip())
    if not found or not 0 < float(found[1]) <= 100:
        raise ConfigurationError(f'disk_limit must be a share of the disk above 0%, such as "90%", not "{value}".')
    return float(found[1]) / 100


def _in_flight(value: int) -> int:
    if not 1 <= value <= MOST_IN_FLIGHT:
        raise ConfigurationError(f"max_in_flight must be a whole number from 1 to {MOST_IN_FLIGHT:,}, got {value}.")
    return value
