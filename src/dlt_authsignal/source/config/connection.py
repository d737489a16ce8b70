"""The address of a tenant."""

import ipaddress
import logging

from yarl import URL

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.errors import ConfigurationError

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


def check_one_address(region: str, override: str) -> None:
    """Refuse a region beside an address that is not the region's: keys would go where no user means them to.

    Raises:
        ConfigurationError: They contradict each other.
    """
    if override.rstrip("/") != REGIONS.get(region):
        raise ConfigurationError(
            f'region "{region}" contradicts base_url, which is another address. Nothing was read. Remove one of them:'
            " base_url stands in for the region's address. Both may be set in .dlt/config.toml, .dlt/secrets.toml, the"
            " environment (SOURCES__AUTHSIGNAL_SOURCE__BASE_URL) or the call."
        )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
