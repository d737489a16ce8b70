"""`Stories`: what happens to the invented tenant besides its ordinary days, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

PUMPED_COUNTRIES: Final[Mapping[str, str]] = {"KM": "+269", "LR": "+231", "TM": "+993"}
"""Countries whose phone numbers the SMS attack may use, with their dialling codes."""

RELEASE_SYSTEMS: Final = ("Android", "iOS", "Windows", "Mac OS")


@dataclass(frozen=True, kw_only=True)
class Stories:
    """The stories of an invented tenant. Weeks count from 1, from the first day of actions. None leaves a story out.

    Attributes:
        rollout_week: The week in which `signIn` starts to offer a passkey.
        release_week: The week in which a release breaks passkeys on one operating system for six days.
        release_system: That operating system: Android, iOS, Windows or Mac OS.
        attack_week: The week in which new users make the tenant send codes to one foreign country for three days.
        attack_country: That country: KM, LR or TM.
        incidents: Whether the last days have attacks on a few users each.
    """

    rollout_week: int | None = 2
    release_week: int | None = 4
    release_system: str = "Android"
    attack_week: int | None = 5
    attack_country: str = "KM"
    incidents: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_week") and value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"stories: {field.name} must be a whole number, 1 or more, or None.")
        if self.release_system not in RELEASE_SYSTEMS:
            raise ValueError(f"stories: release_system must be one of {', '.join(RELEASE_SYSTEMS)}.")
        if self.attack_country not in PUMPED_COUNTRIES:
            raise ValueError(f"stories: attack_country must be one of {', '.join(PUMPED_COUNTRIES)}.")
