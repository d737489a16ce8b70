"""How to reach a tenant, as dlt finds it: secrets.toml, config.toml, environment, vaults."""

from dataclasses import dataclass

from dlt.common.configuration import with_config
from dlt.common.typing import TSecretStrValue
from yarl import URL

from dlt_authsignal.source.config.credentials import given
from dlt_authsignal.source.http.client import base_url as resolved_base


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
        base=resolved_base(region, base_url),
        token=given("token", token),
        tenant_id=given("tenant_id", tenant_id),
        api_secret_key=given("api_secret_key", api_secret_key),
        origin=origin,
        timeout=timeout,
    )
