"""What the stories do to the attempts of one user: the rollout of passkeys, and the broken release."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from dlt_authsignal.sandbox.tenant.entities import Authenticator, Step
from dlt_authsignal.sandbox.tenant.outcomes import Outcome, draw_challenge
from dlt_authsignal.sandbox.tenant.stories.plan import RELEASE, ROLLOUT, Plan
from dlt_authsignal.sandbox.tenant.stories.steps import steps_of

ACCEPTED: Final = (0.42, 0.2, 0.12, 0.08, 0.05)
"""Probability that a user accepts the first, second, … offer of a passkey. After the last one they are not asked."""

BROKEN: Final = 0.88
"""Share of passkey sign-ins that the broken release breaks."""

FALLS_BACK: Final = 0.5
"""Share of users with another method who use it after the broken passkey. The others give up."""

MakePasskey = Callable[[random.Random, datetime], Authenticator]
"""Makes a passkey of the user that was created at that time."""


class Told:
    """The stories of one user. Its draws have their own generator, so that all other data stays the same.

    Args:
        plan: The stories of the tenant.
        seed: The seed of the generator.
        system: Operating system of the user's device.
        held: The authenticators that the user has anyway.
        make_passkey: Makes a passkey for the user.
        sms_off: When SMS is switched off for sign-ins; None if it is not.
    """

    def __init__(
        self,
        plan: Plan,
        seed: str,
        *,
        system: str,
        held: list[Authenticator],
        make_passkey: MakePasskey,
        sms_off: datetime | None,
    ) -> None:
        self._plan, self._seed, self._make_passkey, self._sms_off = plan, seed, make_passkey, sms_off
        self._offers = 0 if _can_add_passkey(held) else len(ACCEPTED)
        self._is_on_release = system == plan.settings.release_system
        self.passkey: Authenticator | None = None

    @cached_property
    def rng(self) -> random.Random:
        """The generator of this user's stories."""
        return random.Random(self._seed)

    def usable(self, usable: list[Authenticator], when: datetime) -> list[Authenticator]:
        """Return the authenticators that the user can use at that time, with the one that the rollout added."""
        if self.passkey is None or self.passkey.created_at > when:
            return usable
        return [*usable, self.passkey]

    def outcome(self, drawn: Outcome, code: str, when: datetime, usable: list[Authenticator]) -> Outcome:
        """Return how an attempt ends in the stories."""
        if not drawn.state.startswith("CHALLENGE"):
            return drawn
        all_usable = self.usable(usable, when)
        if all_usable is not usable:
            drawn = replace(draw_challenge(self.rng, all_usable), stories=(ROLLOUT,))
        if self._is_broken(drawn, when):
            has_sms = code != "signIn" or self._sms_off is None or when < self._sms_off
            return self._broken(drawn, all_usable, has_sms=has_sms)
        return drawn

    def _is_broken(self, drawn: Outcome, when: datetime) -> bool:
        if not (self._is_on_release and self._plan.release and when in self._plan.release):
            return False
        is_passkey = any(value.verification_method == "PASSKEY" for value in drawn.tried)
        return is_passkey and self.rng.random() < BROKEN

    def _broken(self, drawn: Outcome, usable: list[Authenticator], *, has_sms: bool) -> Outcome:
        """Return the end of an attempt whose passkey does not work: another method, or none."""
        passkey, stories = drawn.tried[:1], (*drawn.stories, RELEASE)
        left_out = ("PASSKEY", "SECURITY_KEY") if has_sms else ("PASSKEY", "SECURITY_KEY", "SMS")
        others = [value for value in usable if value.verification_method not in left_out]
        by_sms = [value for value in others if value.verification_method == "SMS"]
        if others and self.rng.random() < FALLS_BACK:
            second = draw_challenge(self.rng, by_sms or others)
            later = second.after + timedelta(seconds=27) if second.after else second.after
            return replace(second, after=later, tried=(*passkey, *second.tried), stories=stories)
        if self.rng.random() < 0.2:
            failed_after = timedelta(milliseconds=self.rng.randrange(4_000, 60_000))
            return Outcome("CHALLENGE_FAILED", failed_after, tried=passkey, stories=stories)
        return Outcome("CHALLENGE_REQUIRED", tried=passkey, stories=stories)

    def offered(self, code: str, when: datetime, outcome: Outcome, now: datetime) -> Outcome:
        """Offer a passkey after a sign-in that another method has met. Return the outcome, marked if it was accepted.

        The broken release offers none.
        """
        plan = self._plan
        is_offered = (
            code == "signIn"
            and outcome.state == "CHALLENGE_SUCCEEDED"
            and plan.rollout is not None
            and when in plan.rollout
            and self._offers < len(ACCEPTED)
            and not (self._is_on_release and plan.release and when in plan.release)
        )
        if not is_offered:
            return outcome
        chance = ACCEPTED[self._offers]
        self._offers += 1
        created = when + outcome.after + timedelta(milliseconds=self.rng.randrange(8_000, 40_000))
        if self.rng.random() >= chance or created > now:
            return outcome
        self._offers = len(ACCEPTED)
        self.passkey = self._make_passkey(self.rng, created)
        return replace(outcome, stories=(*outcome.stories, ROLLOUT))

    def steps(self, outcome: Outcome, when: datetime) -> tuple[Step, ...]:
        """Return the steps of an attempt's challenge."""
        return steps_of(self.rng, outcome, when) if outcome.tried else ()


def _can_add_passkey(held: list[Authenticator]) -> bool:
    return bool(held) and all(value.verification_method != "PASSKEY" for value in held)
