"""The parts of a realistic tenant: passkey providers, devices, countries, habits."""

import random
from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")


class Weighted(Generic[T]):
    """A weighted choice. The sums are computed once, because a tenant draws millions of times.

    Args:
        choices: Values with their weights. The weights need not add up to 1.
    """

    def __init__(self, choices: Iterable[tuple[T, float]]) -> None:
        self._values, weights = zip(*choices, strict=True)
        self._sums: list[float] = list(accumulate(weights))

    def draw(self, rng: random.Random) -> T:
        """Draw one value. It takes one number from the generator."""
        place = bisect(self._sums, rng.random() * self._sums[-1], 0, len(self._sums) - 1)
        value: T = self._values[place]
        return value


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A passkey provider, by its published AAGUID."""

    name: str
    aaguid: str
    synced: bool
    attachment: str = "platform"


APPLE = Provider(name="iCloud Keychain", aaguid="fbfc3007-154e-4ecc-8c0b-6e020557d7bd", synced=True)
GOOGLE = Provider(name="Google Password Manager", aaguid="ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4", synced=True)
WINDOWS = Provider(name="Windows Hello", aaguid="08987058-cadc-4b81-b6e1-30de50dcbe96", synced=False)
ONE_PASSWORD = Provider(name="1Password", aaguid="bada5566-a7aa-401f-bd96-45619a55120d", synced=True)
BITWARDEN = Provider(name="Bitwarden", aaguid="d548826e-79b4-db40-a3d8-11116f7e8349", synced=True)
SAMSUNG = Provider(name="Samsung Pass", aaguid="53414d53-554e-4700-0000-000000000000", synced=True)
YUBIKEY = Provider(
    name="YubiKey 5 Series",
    aaguid="2fc0579f-8113-47ea-b116-bb5a8db9202a",
    synced=False,
    attachment="cross-platform",
)


PROVIDERS: Final = (APPLE, GOOGLE, WINDOWS, ONE_PASSWORD, BITWARDEN, SAMSUNG, YUBIKEY)


def provider_name(aaguid: str) -> str | None:
    """Return the name of the provider with that AAGUID, None if it is unknown."""
    return next((provider.name for provider in PROVIDERS if provider.aaguid == aaguid), None)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A kind of device, its user agent, and the passkey providers found on it."""

    weight: float
    user_agent: str
    agent: dict[str, Any]
    providers: Weighted[Provider]


def _agent(
    user_agent: str, browser: tuple[str, str], os: tuple[str, str], engine: str, **device: str
) -> dict[str, Any]:
    return {
        "ua": user_agent,
        "browser": {"name": browser[0], "version": browser[1], "major": browser[1].split(".")[0]},
        "device": device,
        "engine": {"name": engine},
        "os": {"name": os[0], "version": os[1]},
        "cpu": {},
    }


_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"
_PIXEL = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36"
_GALAXY = "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 Chrome/141.0.0.0 Mobile Safari/537.36"
_WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0"
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605.1.15"

PLATFORMS: Final = (
    Platform(
        weight=0.34,
        user_agent=_IPHONE,
        agent=_agent(
            _IPHONE, ("Mobile Safari", "18.5"), ("iOS", "18.5"), "WebKit", model="iPhone", type="mobile", vendor="Apple"
        ),
        providers=Weighted([(APPLE, 0.85), (ONE_PASSWORD, 0.1), (BITWARDEN, 0.05)]),
    ),
    Platform(
        weight=0.16,
        user_agent=_PIXEL,
        agent=_agent(
            _PIXEL, ("Chrome", "141.0.0.0"), ("Android", "16"), "Blink", model="Pixel 9", type="mobile", vendor="Google"
        ),
        providers=Weighted([(GOOGLE, 0.9), (BITWARDEN, 0.1)]),
    ),
    Platform(
        weight=0.12,
        user_agent=_GALAXY,
        agent=_agent(
            _GALAXY,
            ("Chrome", "141.0.0.0"),
            ("Android", "15"),
            "Blink",
            model="SM-S931B",
            type="mobile",
            vendor="Samsung",
        ),
        providers=Weighted([(SAMSUNG, 0.55), (GOOGLE, 0.45)]),
    ),
    Platform(
        weight=0.23,
        user_agent=_WINDOWS,
        agent=_agent(_WINDOWS, ("Edge", "141.0.0.0"), ("Windows", "10"), "Blink"),
        providers=Weighted([(WINDOWS, 0.7), (ONE_PASSWORD, 0.15), (YUBIKEY, 0.15)]),
    ),
    Platform(
        weight=0.15,
        user_agent=_MAC,
        agent=_agent(_MAC, ("Safari", "18.5"), ("Mac OS", "10.15.7"), "WebKit", model="Macintosh", vendor="Apple"),
        providers=Weighted([(APPLE, 0.75), (ONE_PASSWORD, 0.15), (YUBIKEY, 0.1)]),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Country:
    """Where users live: share, dialling code, locale, hours from UTC, first octet of an example address."""

    code: str
    weight: float
    dial: str
    locale: str
    utc_offset: int


COUNTRIES: Final = (
    Country(code="US", weight=0.38, dial="+1555", locale="en-US", utc_offset=-6),
    Country(code="AU", weight=0.22, dial="+6149", locale="en-AU", utc_offset=10),
    Country(code="GB", weight=0.12, dial="+4477", locale="en-GB", utc_offset=0),
    Country(code="NZ", weight=0.08, dial="+6421", locale="en-NZ", utc_offset=12),
    Country(code="DE", weight=0.08, dial="+4915", locale="de-DE", utc_offset=1),
    Country(code="CA", weight=0.07, dial="+1437", locale="fr-CA", utc_offset=-5),
    Country(code="SG", weight=0.05, dial="+6581", locale="en-SG", utc_offset=8),
)

ABROAD: Final = ("FR", "JP", "BR")
"""Countries that users travel to."""

COUNTRY: Final = Weighted([(country, country.weight) for country in COUNTRIES])

PLATFORM: Final = Weighted([(platform, platform.weight) for platform in PLATFORMS])

WEEKDAY: Final = (1.0, 1.0, 0.98, 0.97, 0.9, 0.45, 0.4)
"""Activity by weekday, Monday first."""

HOUR: Final = Weighted(enumerate((1, 1, 1, 1, 1, 2, 4, 7, 10, 10, 9, 8, 8, 8, 8, 7, 7, 8, 8, 9, 9, 7, 4, 2)))
"""Activity by local hour."""

ACTIONS: Final = Weighted([("signIn", 0.86), ("payment", 0.07), ("addPayee", 0.04), ("updateProfile", 0.03)])

ATTEMPTS_A_DAY: Final = Weighted([(0.7, 0.12), (0.25, 0.3), (0.06, 0.43), (0.0, 0.15)])
"""Actions a day: of daily, weekly, occasional users, and of users who never return."""


@dataclass(frozen=True, kw_only=True)
class Habit:
    """Challenges of one method: share that succeeds, median seconds, share of the others that fails."""

    success: float
    median_seconds: float
    failed_of_rest: float = 0.1


HABITS: Final = {
    "PASSKEY": Habit(success=0.95, median_seconds=7, failed_of_rest=0.05),
    "SECURITY_KEY": Habit(success=0.93, median_seconds=11),
    "AUTHENTICATOR_APP": Habit(success=0.87, median_seconds=19),
    "SMS": Habit(success=0.81, median_seconds=28, failed_of_rest=0.2),
    "EMAIL_OTP": Habit(success=0.78, median_seconds=41, failed_of_rest=0.15),
}
