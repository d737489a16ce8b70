"""One value that says what kind of Authsignal the sandbox is."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

SEEDED_NOW: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
"""Where the clock of a seeded tenant starts unless told: with it, one seed gives the same bytes on any day."""

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
ORIGIN: Final = re.compile(r"https?://[a-zA-Z0-9.-]+(:[0-9]{1,5})?|(android|ios):\S+")
"""What a browser calls its origin; apps have forms of their own."""

Listing = Literal["allowed", "refused"]


@dataclass(frozen=True, kw_only=True)
class SandboxConfig:
    """What the sandbox pretends to be.

    Attributes:
        tenant_id: The tenant.
        api_secret_key: Server API secret that is accepted.
        management_secret_key: Management API secret that is accepted.
        listing: Whether `GET /users` answers without a filter. Not known of the real API, so it can be switched.
        default_page_size: Users per page when no `limit` is given. Not known of the real API.
        max_page_size: Largest `limit` that is honoured. Not known of the real API.
        token_minutes: Lifetime of short-lived tokens.
        default_action_result: What track answers for an enrolled user: ALLOW, BLOCK, CHALLENGE or REVIEW.
        action_results: The same by action code.
        methods: Verification methods the tenant has set up.
        relying_party: WebAuthn rpId.
        expected_origins: Origins that passkeys are accepted from; none: every one below the relying party.
        passkey_action: Action code of a passkey sign-in that names none. Not known of the real API.
        missing_scope_status: Status of a call whose token lacks the scope. Not known of the real API.
        failed_on_max_attempts: Whether too many wrong codes make the action CHALLENGE_FAILED. Not known.
        masked_credentials: Whether providers' credentials are hidden in authenticator configurations. Not known.
        seed_page_paths: Whether the three paths of the dltHub page that no official SDK calls are served too.
        users: People in the seeded tenant.
        days: Days of history in the seeded tenant.
        seed: Seed of that tenant; None for another one at each start.
        now: Where the clock starts; None for `SEEDED_NOW` with a seed, for the present without.

    Raises:
        ValueError: A number that is none, a domain or an origin in another form.
    """

    tenant_id: str = "5a4db0c5-0000-4000-8000-sandbox00001"
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
    passkey_action: str = "signInWithPasskey"
    missing_scope_status: int = 403
    failed_on_max_attempts: bool = False
    masked_credentials: bool = True
    seed_page_paths: bool = True
    users: int = 0
    days: int = 45
    seed: int | None = None
    now: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("users", "days", "default_page_size", "max_page_size", "token_minutes"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 0:
                raise ValueError(f"{name} must be a whole number.")
        if not DOMAIN.fullmatch(self.relying_party):
            raise ValueError("relying_party (--rp-id) is a domain, such as example.com, without https:// and port.")
        if isinstance(self.expected_origins, str):
            raise ValueError("expected_origins is a tuple of origins, not one text.")
        for origin in self.expected_origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(
                    f'expected_origins (--origin): "{origin}" is no origin. Write it as in https://app.example.com:8443.'
                )

    @property
    def starts_at(self) -> datetime | None:
        """Where the clock starts, None for the present."""
        return self.now or (SEEDED_NOW if self.seed is not None else None)
