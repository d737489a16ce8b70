"""Settings of the webhooks, and the faults of their delivery."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from dlt_authsignal.api.webhooks import CHALLENGE_WEBHOOKS
from dlt_authsignal.sandbox.core.hosts import is_loopback, plain_host

Settings = TypeVar("Settings", "WebhookSettings", "WebhookFaults")

MOST_COPIES: Final = 10
MOST_DELAY_SECONDS: Final = 30 * 86_400


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """The settings of the webhooks.

    Attributes:
        log_events_url: Receives `action.log_created` and `challenge.log_created`, in batches.
        authenticator_events_url: Receives `authenticator.created`, `.updated` and `.deleted`.
        provider_urls: By verification method (EMAIL_OTP, EMAIL_MAGIC_LINK, SMS, PUSH), the URL that gets its messages.
        verification_urls: By action code, the URL that approves a met challenge: `verificationWebhookUrl`.
        include_public_keys: Whether `authenticator.*` events of passkeys contain the public key.
        previous_secret_key: A second active key, as during a key rotation. It signs too.
        timeout_seconds: How long to wait for a response. Assumed.

    Raises:
        ValueError: A URL that is not http or https, an unknown verification method, or a value of another type.
    """

    log_events_url: str | None = None
    authenticator_events_url: str | None = None
    provider_urls: Mapping[str, str] = field(default_factory=dict)
    verification_urls: Mapping[str, str] = field(default_factory=dict)
    include_public_keys: bool = False
    previous_secret_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 5.0

    def __post_init__(self) -> None:
        for name in ("log_events_url", "authenticator_events_url"):
            if getattr(self, name) is not None:
                check_url(name, getattr(self, name))
        for name in ("provider_urls", "verification_urls"):
            if not isinstance(getattr(self, name), Mapping):
                raise ValueError(f"{name} must be an object of URLs.")
            for key, url in getattr(self, name).items():
                check_url(f'{name}["{key}"]', url)
        if unknown := sorted(set(self.provider_urls) - set(CHALLENGE_WEBHOOKS)):
            known = ", ".join(CHALLENGE_WEBHOOKS)
            raise ValueError(
                f'provider_urls: unknown verification method "{unknown[0]}". A webhook can be the provider of {known}.'
            )
        if not isinstance(self.include_public_keys, bool):
            raise ValueError("include_public_keys must be true or false.")
        if self.previous_secret_key is not None and not (
            isinstance(self.previous_secret_key, str) and self.previous_secret_key
        ):
            raise ValueError("previous_secret_key must be a key, or null.")
        _check_number("timeout_seconds", self.timeout_seconds, above=0, most=60)

    def check_targets(self, allowed: Container[str]) -> None:
        """Check every URL with `check_target`."""
        check_target("log_events_url", self.log_events_url, allowed)
        check_target("authenticator_events_url", self.authenticator_events_url, allowed)
        for name in ("provider_urls", "verification_urls"):
            for key, url in getattr(self, name).items():
                check_target(f'{name}["{key}"]', url, allowed)

    def shown(self) -> dict[str, Any]:
        """Return the settings without secrets: no key, and no query or password in a URL."""
        return {
            "log_events_url": shown_url(self.log_events_url),
            "authenticator_events_url": shown_url(self.authenticator_events_url),
            "provider_urls": {name: shown_url(url) for name, url in self.provider_urls.items()},
            "verification_urls": {name: shown_url(url) for name, url in self.verification_urls.items()},
            "include_public_keys": self.include_public_keys,
            "signing_keys": 1 + bool(self.previous_secret_key),
            "timeout_seconds": self.timeout_seconds,
        }


@dataclass(frozen=True, kw_only=True)
class WebhookFaults:
    """Faults of delivery. Authsignal guarantees neither order nor that an event is sent only once.

    Attributes:
        duplicates: Probability, 0 to 1, that a log or authenticator event is sent twice, in the same round.
        copies: How many times each delivery is sent, all at the same moment, as by several senders that know nothing of
            each other. A delivery counts as accepted if one copy was.
        drops: Probability that an event is never sent.
        delays: Probability that an event is sent late.
        delay_seconds: The longest delay of such an event, on the sandbox's clock.
        shuffle: Whether events that are due together are sent in random order.
        outage: Number of next deliveries that fail without being sent, including synchronous ones.
        seed: Makes the random choices repeatable. None: different ones each time.

    Raises:
        ValueError: A value is out of range or has another type.
    """

    duplicates: float = 0.0
    copies: int = 1
    drops: float = 0.0
    delays: float = 0.0
    delay_seconds: float = 3600.0
    shuffle: bool = False
    outage: int = 0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("duplicates", "drops", "delays"):
            _check_number(name, getattr(self, name), above=-1e-9, most=1)
        _check_number("delay_seconds", self.delay_seconds, above=0, most=MOST_DELAY_SECONDS)
        if not _is_whole(self.copies) or not 1 <= self.copies <= MOST_COPIES:
            raise ValueError(f"copies must be a whole number from 1 to {MOST_COPIES}.")
        if not isinstance(self.shuffle, bool):
            raise ValueError("shuffle must be true or false.")
        if not _is_whole(self.outage) or self.outage < 0:
            raise ValueError("outage must be a whole number, 0 or more.")
        if self.seed is not None and not _is_whole(self.seed):
            raise ValueError("seed must be a whole number, or null.")


def changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with some changes. Mappings are replaced as a whole.

    Raises:
        ValueError: An unknown name or an invalid value.
    """
    known = [one.name for one in fields(settings)]
    if unknown := sorted(set(changes) - set(known)):
        raise ValueError(f'Unknown setting "{unknown[0]}". Known: {", ".join(known)}.')
    return replace(settings, **changes)


def shown_url(url: str | None) -> str | None:
    """Return a URL without its secret parts: user, password, query."""
    if url is None:
        return None
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}{'?…' if parts.query else ''}"


def check_url(name: str, url: Any) -> None:
    """Raise ValueError unless the value is an http or https URL."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} must be an http or https URL, such as http://127.0.0.1:8000/webhooks.")


def is_allowed_target(url: str, allowed: Container[str]) -> bool:
    """Return whether a webhook may be sent to the host of this URL: this machine, or one of the allowed hosts."""
    parts = _split(url)
    host = plain_host(parts.hostname) if parts and parts.hostname else None
    return host is not None and (is_loopback(host) or host in allowed)


def check_target(name: str, url: str | None, allowed: Container[str]) -> None:
    """Raise ValueError unless webhooks may be sent to the host of this URL."""
    if url is not None and not is_allowed_target(url, allowed):
        raise ValueError(
            f"{name} is not on this machine, and the sandbox sends webhooks to no other host. Nothing was changed. "
            "Use a URL at localhost, or start the sandbox with --allow-webhooks-to and the host "
            "(SandboxConfig.allowed_webhook_hosts)."
        )


def _split(url: Any) -> SplitResult | None:
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _check_number(name: str, value: Any, *, above: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        raise ValueError(f"{name} must be a number from {max(0, above):g} to {most:g}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
