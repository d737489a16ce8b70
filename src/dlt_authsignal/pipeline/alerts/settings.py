"""The settings of detections and alerts: `[detections.RULE]` and `[alerts]`."""

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import dlt
from dlt.common.configuration import configspec, inject_section, resolve_configuration
from dlt.common.configuration.providers.toml import SettingsTomlProvider
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.configuration.utils import auto_cast
from dlt.common.typing import TSecretStrValue
from yarl import URL

from dlt_authsignal.destination.errors import named_settings
from dlt_authsignal.errors import DOCS, ConfigurationError, ExtraMissing
from dlt_authsignal.models.detections.thresholds import Thresholds, checked
from dlt_authsignal.source.config.connection import is_loopback
from dlt_authsignal.source.config.resolve import nearest

Receiver = Literal["slack", "webhook"]
RECEIVERS: Final[tuple[Receiver, ...]] = get_args(Receiver)

DETECTIONS: Final = "detections"
ALERTS: Final = "alerts"
LEAST_SECRET_BYTES: Final = 16
_PREFIX: Final = "whsec_"
_MAKE: Final = (
    "Make one: python -c \"import base64, secrets; print('whsec_' +"
    ' base64.b64encode(secrets.token_bytes(32)).decode())"'
)


@configspec
class AlertConfiguration(BaseConfiguration):
    """The settings that dlt resolves."""

    slack_url: TSecretStrValue | None = None
    webhook_url: TSecretStrValue | None = None
    webhook_secret: TSecretStrValue | None = None
    attempts: int = 4
    backoff: float = 1.0
    timeout: float = 10.0


NAMES: Final = tuple(AlertConfiguration.get_resolvable_fields())


@dataclass(frozen=True, kw_only=True, repr=False)
class AlertSettings:
    """Where alerts are sent, and how often sending is tried.

    Attributes:
        receiver: slack or webhook.
        url: Its address, which is a secret.
        secret: Key that signs the messages to a webhook; None for Slack.
        attempts: Tries for each message, the first included.
        backoff: Seconds. The wait before a retry is random, and at most this, doubled with each retry.
        timeout: Seconds for one response.
    """

    receiver: Receiver
    url: URL
    secret: bytes | None
    attempts: int
    backoff: float
    timeout: float


def resolved_thresholds() -> Thresholds:
    """Return the thresholds of all rules: those of the settings, and the defaults.

    Raises:
        ConfigurationError: A setting is unknown or wrong. The message names it.
    """
    found: dict[str, Any] = {}
    for provider in reversed(dlt.config.config_providers):  # the first one wins
        if isinstance(provider, SettingsTomlProvider):
            for rule, settings in _table(provider, DETECTIONS).items():
                is_table = isinstance(settings, Mapping) and isinstance(found.get(rule, {}), Mapping)
                found[rule] = {**found.get(rule, {}), **settings} if is_table else settings
    for rule, name, value in _in_environment():
        known = found.get(rule, {})
        found[rule] = {**known, name: value} if isinstance(known, Mapping) else known
    return checked(found)


def _table(provider: SettingsTomlProvider, name: str) -> Mapping[str, Any]:
    """Return a table of a settings file; an empty one if it is missing.

    Raises:
        ConfigurationError: Something else has its name.
    """
    found, _ = provider.get_value(name, Mapping, "")
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ConfigurationError(
            f"{provider.name}: {name} must be a table of settings, such as [{name}]. Nothing was computed or sent."
            f" All settings: {DOCS}/detections.md"
        )
    return found


def _in_environment() -> Iterator[tuple[str, str, Any]]:
    prefix = f"{DETECTIONS.upper()}__"
    for variable, text in os.environ.items():
        rule, _, name = variable.removeprefix(prefix).lower().partition("__")
        if not variable.startswith(prefix):
            continue
        if not rule or not name:
            raise ConfigurationError(
                f"The environment variable {variable} has no setting in its name. Write {prefix}RULE__SETTING."
                f" Nothing was computed. All settings: {DOCS}/detections.md"
            )
        yield rule, name, auto_cast(text)


def resolved_alert_settings(receiver: str | None, pipeline_name: str | None = None) -> AlertSettings | None:
    """Return where alerts are sent; None if no receiver is chosen and none is configured.

    Args:
        receiver: slack or webhook; None chooses the one that is configured.
        pipeline_name: Pipeline whose own sections are read too.

    Raises:
        ConfigurationError: The receiver has no address, or a setting is wrong. Nothing was sent.
    """
    _check_names()
    with named_settings(), inject_section(ConfigSectionContext(pipeline_name=pipeline_name, sections=(ALERTS,))):
        found = resolve_configuration(AlertConfiguration())
    chosen = _chosen(receiver, found)
    if chosen is None:
        return None
    url = getattr(found, f"{chosen}_url")
    if not url:
        raise ConfigurationError(
            f"There is no {chosen}_url. Nothing was sent. Put it under [{ALERTS}] in .dlt/secrets.toml, or set"
            f" {ALERTS.upper()}__{chosen.upper()}_URL."
        )
    return AlertSettings(
        receiver=chosen,
        url=_url(f"{chosen}_url", url),
        secret=_secret(found.webhook_secret) if chosen == "webhook" else None,
        attempts=int(_between("attempts", found.attempts, 1, 20)),
        backoff=_between("backoff", found.backoff, 0, 60),
        timeout=_between("timeout", found.timeout, 0.1, 60),
    )


def _check_names() -> None:
    for provider in dlt.config.config_providers:
        if isinstance(provider, SettingsTomlProvider):
            for name in _table(provider, ALERTS):
                if name not in NAMES:
                    raise ConfigurationError(
                        f'{provider.name}, [{ALERTS}]: there is no setting "{name}".{nearest(name, NAMES)}'
                        f" All settings: {DOCS}/detections.md"
                    )


def _chosen(receiver: str | None, found: AlertConfiguration) -> Receiver | None:
    if receiver is not None:
        known = next((each for each in RECEIVERS if each == receiver), None)
        if known is None:
            raise ConfigurationError(f'There is no receiver "{receiver}". Known: {", ".join(RECEIVERS)}.')
        return known
    configured = [each for each in RECEIVERS if getattr(found, f"{each}_url")]
    if len(configured) > 1:
        raise ConfigurationError(
            "Both slack_url and webhook_url are set, but alerts are sent to one receiver only. Nothing was sent. Choose"
            " one: --to slack or --to webhook."
        )
    return configured[0] if configured else None


def _url(name: str, text: str) -> URL:
    """Return the address. Messages never contain it."""
    try:
        url = URL(text.strip())
        host = url.host  # fails for names that no host can have
    except ValueError:
        url, host = URL(), None
    if not host or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(host))):
        raise ConfigurationError(
            f"{name} under [{ALERTS}] must begin with https://, or with http:// for a receiver on this machine."
            " Nothing was sent."
        )
    return url


def _secret(text: str | None) -> bytes:
    """Return the bytes of the key, which is Base64 with the prefix of Standard Webhooks or without it."""
    try:
        import standardwebhooks  # noqa: F401
    except ModuleNotFoundError as missing:
        raise ExtraMissing("A signed webhook", "alerts") from missing
    if not text:
        raise ConfigurationError(f"There is no webhook_secret under [{ALERTS}]. Nothing was sent. {_MAKE}")
    try:
        key = base64.b64decode(text.strip().removeprefix(_PREFIX), validate=True)
    except ValueError:  # also for characters that are not ASCII
        key = b""
    if len(key) < LEAST_SECRET_BYTES:
        raise ConfigurationError(
            f"webhook_secret under [{ALERTS}] must be {_PREFIX} and at least {LEAST_SECRET_BYTES} bytes as Base64."
            f" Nothing was sent. {_MAKE}"
        )
    return key


def _between(name: str, value: float, least: float, most: float) -> float:
    if not least <= value <= most:  # also false for NaN
        raise ConfigurationError(f"[{ALERTS}] {name} must be from {least:g} to {most:g}. Nothing was sent.")
    return value
