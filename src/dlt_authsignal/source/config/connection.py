"""The address of a tenant."""

import ipaddress
import logging
from typing import Final

from yarl import URL

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.errors import ConfigurationError

DEFAULT_REGION: Final = "us"

logger = logging.getLogger(__name__)


def api_url(region: str | None, base_url: str | None) -> URL:
    """Return the URL that paths are appended to: `base_url` if set, else the region's, else that of `us`.

    Raises:
        ConfigurationError: Unknown region, a base URL that is not a plain http(s) URL, or one that contradicts the
            region.
    """
    if region and region not in REGIONS:
        raise ConfigurationError(f'Unknown region "{region}". Nothing was read. Known: {", ".join(REGIONS)}.')
    if not base_url:
        return URL(REGIONS[region or DEFAULT_REGION])
    url = _checked(base_url)
    if region and url != URL(REGIONS[region]):
        raise ConfigurationError(
            f'region "{region}" contradicts base_url {url}: the region is at {REGIONS[region]}. Nothing was read.'
            " Remove one of them, from the arguments, from SOURCES__AUTHSIGNAL_SOURCE__REGION or"
            " SOURCES__AUTHSIGNAL_SOURCE__BASE_URL, or under [sources.authsignal_source] in .dlt/config.toml or"
            " .dlt/secrets.toml. An empty text counts as not set."
        )
    return url


def _checked(base_url: str) -> URL:
    try:
        url = URL(base_url.strip().rstrip("/"))
        host = url.host  # fails for names that no host can have
    except ValueError:
        raise ConfigurationError(
            "base_url is not a URL. Nothing was read. Expected something like https://api.authsignal.com/v1."
        ) from None
    if url.scheme not in ("http", "https") or not host or url.query_string or url.user:
        raise ConfigurationError(
            "base_url must be http(s)://host/v1, without a query or credentials in it. Nothing was read."
        )
    if url.scheme == "http" and not is_loopback(host):
        logger.warning("base_url is plain http to another machine (%s): keys travel unencrypted.", host)
    return url


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
