"""How to reach a tenant, as dlt finds it: secrets.toml, config.toml, environment, vaults."""

import ipaddress
import logging
from dataclasses import dataclass

from dlt.common.configuration import with_config
from dlt.common.typing import TSecretStrValue
from yarl import URL

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config.credentials import clean_credential


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Address and credentials; None for those that are not there.

    Attributes:
        base: Base URL.
        token: Short-lived token of one user.
        tenant_id: The tenant's id.
        api_secret_key: Server API secret.
        origin: Origin that a software passkey speaks for.
        timeout: Seconds for one answer.
    """

    base: URL
    token: str | None
    tenant_id: str | None
    api_secret_key: str | None
    origin: str | None
    timeout: float


@with_config(sections=("sources", "authsignal_source"))
def settings(
    token: TSecretStrValue | None = None,
    tenant_id: str | None = None,
    api_secret_key: TSecretStrValue | None = None,
    region: str = "us",
    base_url: str | None = None,
    origin: str | None = None,
    timeout: float = 60.0,
) -> Settings:
    """What `[sources.authsignal_source]` holds; an argument that is given wins.

    Raises:
        ConfigurationError: Unknown region, or a base URL that is none.
    """
    return Settings(
        base=api_url(region, base_url),
        token=clean_credential("token", token),
        tenant_id=clean_credential("tenant_id", tenant_id),
        api_secret_key=clean_credential("api_secret_key", api_secret_key),
        origin=origin,
        timeout=timeout,
    )


logger = logging.getLogger(__name__)


def api_url(region: str, override: str | None) -> URL:
    """The URL that paths are appended to: `override` if given, else the region's.

    Raises:
        ConfigurationError: Unknown region, or an override that is not a plain http(s) URL.
    """
    if not override:
        if region not in REGIONS:
            raise ConfigurationError(f'Unknown region "{region}". Known: {", ".join(REGIONS)}.')
        return URL(REGIONS[region])
    try:
        url = URL(override.rstrip("/"))
    except ValueError:
        raise ConfigurationError(
            "base_url is not a URL. Expected something like https://api.authsignal.com/v1."
        ) from None
    if url.scheme not in ("http", "https") or not url.host or url.query_string or url.user:
        raise ConfigurationError("base_url must be http(s)://host/v1, without a query or credentials in it.")
    if url.scheme == "http" and not is_loopback(url.host):
        logger.warning("base_url is plain http to another machine (%s): keys travel unencrypted.", url.host)
    return url


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
