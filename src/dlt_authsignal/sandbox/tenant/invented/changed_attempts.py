"""What the configuration changes of the seeded tenant do to the attempts of one user."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from dlt_authsignal.sandbox.tenant.changes.moments import (
    COUNTRY_RULE,
    FORGOTTEN_COUNTRY,
    PAYMENT_RULE,
    REMOVED_COUNTRIES,
    Moments,
)
from dlt_authsignal.sandbox.tenant.entities import Authenticator, Rule
from dlt_authsignal.sandbox.tenant.outcomes import ABANDONED, ALLOWED, Outcome, draw_challenge, settled

WITHDRAWALS: Final = 0.12
"""Share of completed sign-ins that a withdrawal follows."""


class ChangedAttempts:
    """The effects of the changes on the attempts of one user.

    It draws from a generator that no other data comes from, so data outside of the effects stays the same. The
    generator is created when an effect needs it: that takes as long as inventing an attempt.

    Args:
        moments: When the changes happen.
        seed: The seed of the generator.
    """

    def __init__(self, moments: Moments, seed: str) -> None:
        self._moments, self._seed = moments, seed

    @cached_property
    def rng(self) -> random.Random:
        """The generator of this user's effects."""
        return random.Random(self._seed)

    def outcome(
        self, unchanged: Outcome, code: str, when: datetime, country: str, usable: list[Authenticator]
    ) -> Outcome:
        """Return how an attempt ends under the configuration of its moment."""
        at = self._moments
        if code == "signIn":
            if _has_happened(at.sms_off, when):
                unchanged = self._without_sms(unchanged, usable)
            is_on = _has_happened(at.country_rule_added, when) and not _has_happened(at.country_rule_off, when)
            if is_on and country == FORGOTTEN_COUNTRY:
                return _blocked_by(COUNTRY_RULE, unchanged)
        elif code == "payment" and country in REMOVED_COUNTRIES and _has_happened(at.list_shortened, when):
            return _blocked_by(PAYMENT_RULE, unchanged)
        return unchanged

    def _without_sms(self, unchanged: Outcome, usable: list[Authenticator]) -> Outcome:
        """Return how a challenge ends without SMS: it is met by another method, or not at all if there is none.

        Assumed, as in the sandbox's own track: a user who has enrolled only methods that the action does not allow is
        still challenged, because Authsignal's documentation makes the challenge depend on enrolment alone.
        """
        if not usable or not unchanged.state.startswith("CHALLENGE"):
            return unchanged
        others = [value for value in usable if value.verification_method != "SMS"]
        if not others:
            return ABANDONED
        is_by_sms = unchanged.used is not None and unchanged.used.verification_method == "SMS"
        if is_by_sms:
            return replace(draw_challenge(self.rng, others), stories=unchanged.stories)
        return replace(unchanged, tried=_not_by_sms(unchanged.tried))

    def withdrawal(
        self, code: str, when: datetime, outcome: Outcome, usable: list[Authenticator], now: datetime
    ) -> tuple[datetime, Outcome] | None:
        """Return time and outcome of the withdrawal that follows a sign-in some minutes later, None if none does."""
        is_signed_in = code == "signIn" and outcome.state in ("ALLOW", "CHALLENGE_SUCCEEDED")
        if not (is_signed_in and _has_happened(self._moments.action_added, when)):
            return None
        if self.rng.random() >= WITHDRAWALS:
            return None
        later = when + outcome.after + timedelta(milliseconds=self.rng.randrange(60_000, 600_000))
        ending = draw_challenge(self.rng, usable) if usable else ALLOWED
        return (later, settled(ending, later, now)) if later <= now else None


def _not_by_sms(tried: tuple[Authenticator, ...]) -> tuple[Authenticator, ...]:
    return tuple(value for value in tried if value.verification_method != "SMS")


def _has_happened(change: datetime | None, when: datetime) -> bool:
    return change is not None and when >= change


def _blocked_by(rule: Rule, unchanged: Outcome) -> Outcome:
    """Return the outcome if this rule fires as well: rules that already fired have a higher priority."""
    if unchanged.rules:
        return replace(unchanged, rules=(*unchanged.rules, rule))
    return Outcome("BLOCK", rules=(rule,))
