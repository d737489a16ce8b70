"""The configuration of the sandbox."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal, Protocol
from urllib.parse import urlsplit

from dlt_authsignal.api.endpoints import REGIONS
from dlt_authsignal.sandbox.core.clock import in_utc
from dlt_authsignal.sandbox.core.further_tenants import Given, check_tenants
from dlt_authsignal.sandbox.core.hosts import plain_host
from dlt_authsignal.sandbox.core.page_urls import PAGES_URL
from dlt_authsignal.sandbox.core.story_settings import Stories

SEEDED_NOW: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Default start of the clock with a seed. A fixed time, so that a seed gives the same data on any day."""

YEARS: Final = range(2000, 2201)
MOST_DAYS: Final = 3650
"""Bounds of the clock's start and of the invented past: users are years older, and tokens expire later."""

METHODS: Final = (
    "PASSKEY",
    "SMS",
    "EMAIL_OTP",
    "AUTHENTICATOR_APP",
    "SECURITY_KEY",
    "RECOVERY_CODE",
    "EMAIL_MAGIC_LINK",
    "WHATSAPP",
    "PUSH",
    "QR_CODE",
    "IN_APP",
)

DOMAIN: Final = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")
FIXED_CODE: Final = re.compile(r"[0-9]{4,10}")
"""A code that you choose: as long as the codes of a tenant may be."""

ORIGIN: Final = re.compile(r"https?://[a-zA-Z0-9.-]+(:[0-9]{1,5})?|(android|ios):\S+")
"""The origin of a browser page or of a mobile app."""

VALUE_LIST_VARIABLE: Final = re.compile(r"(?!(?:ip|device|user|custom)$)[a-zA-Z_][a-zA-Z0-9_]{0,63}")


FIRST_REGION: Final = "us"
"""The region that the path does not name."""


class Startable(Protocol):
    """What a sandbox starts with besides its configuration: a `sandbox.Fixture`."""

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys that it sets, by field of the configuration."""
        ...

    @property
    def tenants(self) -> Mapping[str, "Startable"]:
        """What further tenants start with, by tenant id."""
        ...

    def put_into(self, sandbox: Any, *, at_start: bool = False) -> None:
        """Replace the tenant of a sandbox."""


Listing = Literal["allowed", "refused"]


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """The configuration of a sandbox. By default it has no users.

    "Assumed" marks behaviour that Authsignal does not document.

    Attributes:
        tenant_id: Id of the tenant.
        region: Region of the tenant: `us` at `/v1`, others at `/eu/v1`. Keys are refused in other regions. The paths
            are the sandbox's own, because Authsignal's regions have hosts.
        api_secret_key: Accepted Server API secret key.
        management_secret_key: Accepted Management API secret key.
        listing: Whether `GET /users` without a filter lists all users: `allowed` or `refused`. Assumed.
        default_page_size: Users per page without `limit`. Assumed.
        max_page_size: Largest accepted `limit`. Assumed.
        token_minutes: Lifetime of tokens and challenges.
        default_action_result: Result of track for an enrolled user: ALLOW, BLOCK, CHALLENGE or REVIEW.
        action_results: The result by action code.
        methods: Verification methods that the tenant has configured.
        relying_party: WebAuthn rpId.
        expected_origins: Origins from which passkeys are accepted. Empty: every origin at or below the relying party.
        pages_url: Base URL of the hosted pages in track's responses, such as `http://localhost:4443`. None: the URL of
            the request, with `localhost` in place of a loopback address.
        fixed_codes: The code that each message to an address or a phone number has. Other addresses get random codes.
        passkey_action: Action code of a passkey sign-in without one. Assumed.
        missing_scope_status: Status of a call whose token has not the required scope. Assumed.
        failed_on_max_attempts: Whether too many wrong codes make the action CHALLENGE_FAILED. Assumed.
        masked_credentials: Whether providers' credentials are hidden in authenticator configurations. Assumed.
        unconditional_rules_match: Whether a rule without conditions matches every attempt, or none. Assumed.
        allowed_hosts: Host names and addresses, besides loopback and the one it listens on, that requests may be for.
        allowed_webhook_hosts: Host names and addresses, besides loopback, to which webhooks may be sent.
        value_list_variable: Variable of conditions under which rules find value lists by alias. Assumed.
        seed_page_paths: Whether to serve the three paths of dltHub's Authsignal page that no official SDK calls.
        users: Number of invented users.
        days: Days of actions of the invented users.
        seed: Seed of the invented users, ids and codes. With users, the tenant has configuration changes as well.
            None: different users, ids and codes at each start, and no configuration changes.
        now: Start of the clock, in UTC if it has no offset. None: `SEEDED_NOW` with a seed, the present without.
        fixture: A tenant to start with, as `Fixture.read("tenant.yaml")` or `Fixture.of({"users": …})` returns it. What
            the configuration sets itself takes precedence. Invented users are added to it.
        stories: Whether the first invented users have stories: a rollout of passkeys, a broken release, an SMS attack,
            and attacks on a few users. `Stories(…)` chooses them.
        unpublished_steps: Type of the event that starts a challenge, for the methods PASSKEY and PUSH of invented users
            with stories. Authsignal does not publish these types. A method without one has no such event. Assumed.
        tenants: Further tenants: fields of SandboxConfig by tenant id, such as `{"acme": {"region": "eu"}}`, or the
            number of all tenants. Other fields are those of this tenant; keys are `acme-server-secret` and
            `acme-management-secret`, and the seed is another one. Only a served sandbox has further tenants.

    Raises:
        ValueError: A value has the wrong type or form.
    """

    tenant_id: str = "5a4db0c5-0000-4000-8000-sandbox00001"
    region: str = FIRST_REGION
    api_secret_key: str = "sandbox-server-secret"  # noqa: S105 - a local double guards nothing
    management_secret_key: str = "sandbox-management-secret"  # noqa: S105
    listing: Listing = "allowed"
    default_page_size: int = 50
    max_page_size: int = 200
    token_minutes: int = 10
    default_action_result: str = "CHALLENGE"
    action_results: dict[str, str] = field(default_factory=lambda: {"updateProfile": "ALLOW"})
    methods: tuple[str, ...] = METHODS
    relying_party: str = "localhost"
    expected_origins: tuple[str, ...] = ()
    pages_url: str | None = None
    fixed_codes: Mapping[str, str] = field(default_factory=dict)
    passkey_action: str = "signInWithPasskey"
    missing_scope_status: int = 403
    failed_on_max_attempts: bool = False
    masked_credentials: bool = True
    unconditional_rules_match: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_webhook_hosts: tuple[str, ...] = ()
    value_list_variable: str = "valueLists"
    seed_page_paths: bool = True
    users: int = 0
    days: int = 45
    seed: int | None = None
    now: datetime | None = None
    fixture: Startable | None = field(default=None, repr=False)
    stories: bool | Stories = False
    unpublished_steps: dict[str, str] = field(
        default_factory=lambda: {"PASSKEY": "PASSKEY_STARTED", "PUSH": "PUSH_SENT"}
    )
    tenants: int | Given = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for name in ("users", "days", "default_page_size", "max_page_size", "token_minutes"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise ValueError(f"{name} must be a whole number, 0 or more.")
        if not (isinstance(self.value_list_variable, str) and VALUE_LIST_VARIABLE.fullmatch(self.value_list_variable)):
            raise ValueError("value_list_variable must be a name without dots other than ip, device, user and custom.")
        if self.days > MOST_DAYS:
            raise ValueError(f"days must be at most {MOST_DAYS:,}.")
        if self.now is not None and self.now.year not in YEARS:
            raise ValueError(f"now (--now) must be in the years {YEARS.start} to {YEARS.stop - 1}.")
        if not DOMAIN.fullmatch(self.relying_party):
            raise ValueError("relying_party (--rp-id) must be a domain without https:// and port, such as example.com.")
        if isinstance(self.expected_origins, str):
            raise ValueError("expected_origins must be a tuple of origins, not a string.")
        _check_hosts("allowed_hosts (--allow-host)", self.allowed_hosts)
        _check_hosts("allowed_webhook_hosts (--allow-webhooks-to)", self.allowed_webhook_hosts)
        check_fixed_codes(self.fixed_codes)
        if self.pages_url is not None and not PAGES_URL.fullmatch(self.pages_url):
            raise ValueError("pages_url (--pages-url) must be a URL without a path, such as http://localhost:4443.")
        if self.fixture is not None and not hasattr(self.fixture, "put_into"):
            raise ValueError('fixture must be a Fixture, such as Fixture.read("tenant.yaml").')
        for origin in self.expected_origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f'expected_origins (--origin): "{origin}" is not an origin. Example: https://app.example.com:8443.'
                )
        if self.region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}.")
        check_tenants(self)

    @property
    def region_path(self) -> str:
        """What the paths of the APIs begin with: nothing, or the region."""
        return "" if self.region == FIRST_REGION else f"/{self.region}"

    @property
    def starts_at(self) -> datetime | None:
        """Start of the clock in UTC. None for the present."""
        if self.now is not None:
            return in_utc(self.now)
        return SEEDED_NOW if self.seed is not None else None

    @property
    def told_stories(self) -> Stories | None:
        """The stories of the first invented users. None for none."""
        return Stories() if self.stories is True else self.stories or None

    @property
    def known_hosts(self) -> frozenset[str]:
        """The allowed hosts and the host of the pages, as `core.hosts.plain_host` writes them."""
        pages = (urlsplit(self.pages_url).hostname or "",) if self.pages_url else ()
        return _plain((*self.allowed_hosts, *pages))

    @property
    def known_webhook_hosts(self) -> frozenset[str]:
        """The allowed hosts of webhooks, as `core.hosts.plain_host` writes them."""
        return _plain(self.allowed_webhook_hosts)


def check_fixed_codes(codes: object) -> None:
    """Check codes by address.

    Raises:
        ValueError: It is not a mapping from addresses to codes of 4 to 10 digits.
    """
    if not isinstance(codes, Mapping) or not all(isinstance(address, str) and address for address in codes):
        raise ValueError("fixed_codes must have an address or a phone number for each code.")
    if not all(isinstance(code, str) and FIXED_CODE.fullmatch(code) for code in codes.values()):
        raise ValueError("fixed_codes (--fixed-code): a code must be text of 4 to 10 digits.")


@cache
def _plain(hosts: tuple[str, ...]) -> frozenset[str]:
    return frozenset(host for host in map(plain_host, hosts) if host)


def _check_hosts(name: str, hosts: tuple[str, ...]) -> None:
    if isinstance(hosts, str):
        raise ValueError(f"{name} must be a tuple of hosts, not a string.")
    for host in hosts:
        if plain_host(host) is None:
            raise ValueError(
                f'{name}: "{host}" is not a host name or an IP address. Leave out http:// and the port. '
                "Example: sandbox.example.com."
            )
