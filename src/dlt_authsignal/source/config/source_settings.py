"""Define every setting of the source: name, type and default.

`authsignal_source`, the command, `doctor`, `erase`, `probe` and docs/settings.md all use this list. The docstring of
`authsignal_source` describes each setting.
"""

from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from typing import Any, ClassVar, Final

from dlt.common.configuration import configspec
from dlt.common.configuration.specs import BaseConfiguration, ConnectionStringCredentials
from dlt.common.typing import TSecretStrValue
from yarl import URL

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.config import defaults
from dlt_authsignal.source.config.connection import api_url
from dlt_authsignal.source.config.credentials import clean_credential
from dlt_authsignal.source.config.values import check_values

_CREDENTIALS: Final = ("token", "tenant_id", "api_secret_key", "management_secret_key")
_CHOICES: Final = {
    "authenticator_attachment": ("platform", "cross-platform"),
    "paths": ("authsignal", "dlthub"),
    "engine": ("processes", "ray"),
}


@dataclass(frozen=True, kw_only=True, repr=False)
class SourceSettings:
    """Settings of one source. Personal and secret settings have types that dlt does not write to its trace.

    Raises:
        ConfigurationError: A value is wrong.
    """

    token: TSecretStrValue | None = None
    tenant_id: str | None = None
    api_secret_key: TSecretStrValue | None = None
    management_secret_key: TSecretStrValue | None = None
    region: str | None = None  # that of api_url, so that a region beside a base_url is known to be meant
    base_url: str | None = None
    apis: list[str] | None = None
    users_from: str | list[str] | None = None
    users_database: ConnectionStringCredentials | None = None
    users_column: str | None = None
    exclude_users: list[str] | None = None
    page_size: int = 100
    concurrency: int = defaults.CONCURRENCY
    workers: int | None = None
    engine: str = "processes"
    ray_address: str | None = None
    rate: Any = defaults.RATE  # Any: dlt has no type "a number or a word"
    shared_budget: TSecretStrValue | None = None
    attempts: int = defaults.ATTEMPTS
    backoff: float = defaults.BACKOFF
    timeout: float = defaults.TIMEOUT
    username: TSecretStrValue | None = None
    display_name: TSecretStrValue | None = None
    authenticator_attachment: str | None = None
    action: str | None = None
    challenge_id: TSecretStrValue | None = None
    authenticator: Any = field(default=None, metadata={"python_only": True})
    origin: str | None = None
    paths: str = "authsignal"
    max_staleness: str = defaults.MAX_STALENESS
    full: bool = False
    refresh_users: list[str] | None = None
    max_requests: int | None = None
    max_duration: str | None = None
    privacy: str = "pseudonymize"
    privacy_key: TSecretStrValue | None = None
    former_privacy_keys: TSecretStrValue | None = None
    privacy_columns: dict[str, Any] | None = None
    privacy_allow: list[str] | None = None
    privacy_per_tenant: bool = False
    phone_region: str | None = None
    max_deletes: str = defaults.MAX_DELETES
    accept_deletes: bool = False
    accept_new_key: bool = False
    shard_folder: str | None = None

    PERSONAL: ClassVar = ("users_from", "refresh_users", "exclude_users")
    """Settings that may contain a password in a URL, or an e-mail address as an id: kept out of dlt's trace."""

    def __post_init__(self) -> None:
        blank = []
        for name in _CREDENTIALS:
            found = getattr(self, name)
            clean = clean_credential(name, found)
            if found is not None and clean is None:
                blank.append(name)
            object.__setattr__(self, name, clean)
        object.__setattr__(self, "blank", tuple(blank))
        check_values({each.name: getattr(self, each.name) for each in fields(self)})
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in (None, *allowed):
                raise ConfigurationError(f'{name} must be one of {", ".join(allowed)}, not "{getattr(self, name)}".')
        if self.ray_address is not None and self.engine != "ray":
            raise ConfigurationError('ray_address needs engine = "ray" (--engine ray).')
        if self.engine == "ray" and self.shared_budget and "://" not in self.shared_budget:
            raise ConfigurationError(
                'shared_budget cannot be a file with engine = "ray": workers on other machines could not use it.'
                " Nothing was read. Set it to the URL of a Redis or PostgreSQL."
            )
        _ = self.base  # checks the URL now

    blank: ClassVar[tuple[str, ...]] = ()
    """Credentials that are set, but empty or still an example value. Set for each instance."""

    @cached_property
    def base(self) -> URL:
        """The URL that paths are appended to."""
        return api_url(self.region, self.base_url)

    def __repr__(self) -> str:
        given = [each.name for each in fields(self) if getattr(self, each.name) != each.default]
        return f"SourceSettings({', '.join(f'{name}=…' for name in given)})"  # no values: they may be secret


DEFAULTS: Final[dict[str, Any]] = {each.name: each.default for each in fields(SourceSettings)}
"""Default of every setting, by name."""

NAMES: Final = tuple(DEFAULTS)

PYTHON_ONLY: Final = frozenset(each.name for each in fields(SourceSettings) if each.metadata.get("python_only"))
"""Settings that are objects: no file and no environment variable can contain them."""

assert MISSING not in DEFAULTS.values()  # noqa: S101 - every setting has a default


def _configuration() -> type[BaseConfiguration]:
    """Return the settings as a dlt configuration class."""
    found = [each for each in fields(SourceSettings) if each.name not in PYTHON_ONLY]
    members: dict[str, Any] = {each.name: each.default for each in found}
    members |= {"__module__": __name__, "__annotations__": {each.name: each.type for each in found}}
    return configspec(type("SourceConfiguration", (BaseConfiguration,), members))


SourceConfiguration: Final = _configuration()
