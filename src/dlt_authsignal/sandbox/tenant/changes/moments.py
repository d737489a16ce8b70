"""When the configuration changes of the seeded tenant happen, and the values that decide which attempts they affect."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.tenant.entities import Rule

FORGOTTEN_COUNTRY: Final = "AU"
"""The country that the rule for sign-ins does not allow by mistake. Every fifth user lives there."""

REMOVED_COUNTRIES: Final = ("DE", "FR", "JP", "BR")
"""Countries that are removed from the value list of the rule for payments."""

NEW_ACTION: Final = "withdraw"

COUNTRY_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a04",
    name="Block sign-ins from other countries",
    description="Blocks sign-ins from countries without customers.",
)
PAYMENT_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a05",
    name="Block payments from other countries",
    description="Blocks payments from countries that the value list Payment countries does not contain.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """When each change happens, in UTC. None: it is left out.

    Attributes:
        passkey_offered: `signIn` offers a passkey. It is part of a story, and may be earlier than the last 30 days.
        country_rule_added: A rule blocks sign-ins from outside of a list of countries.
        country_rule_off: That rule is switched off.
        priorities_swapped: Two rules of signIn swap their priority.
        sms_off: SMS is no longer a verification method of signIn.
        list_shortened: `REMOVED_COUNTRIES` are removed from the value list of payments.
        action_added: `NEW_ACTION` is configured.
    """

    passkey_offered: datetime | None = None
    country_rule_added: datetime | None = None
    country_rule_off: datetime | None = None
    priorities_swapped: datetime | None = None
    sms_off: datetime | None = None
    list_shortened: datetime | None = None
    action_added: datetime | None = None


NO_CHANGES: Final = Moments()


def moments_of(now: datetime, days: int) -> Moments:
    """Return the moments of all changes that happen in the last `days` days before `now`.

    All are in the last 30 days, because Authsignal returns no older actions.
    """
    now = now.astimezone(UTC)

    def moment(days_before: int, hour: int, minute: int) -> datetime | None:
        at = (now - timedelta(days=days_before)).replace(hour=hour, minute=minute, second=0, microsecond=0)
        return at if at >= now - timedelta(days=days) else None

    added = moment(21, 10, 37)
    return Moments(
        country_rule_added=added,
        country_rule_off=moment(19, 14, 9) if added else None,
        priorities_swapped=moment(16, 11, 23),
        sms_off=moment(13, 9, 41),
        list_shortened=moment(11, 15, 17),
        action_added=moment(8, 13, 53),
    )
