"""How an invented attempt ends: blocked, under review, allowed, or challenged."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.api.endpoints import TOKEN_MINUTES
from dlt_authsignal.sandbox.tenant.catalogue import HABITS
from dlt_authsignal.sandbox.tenant.entities import Authenticator, Rule

BLOCK_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a01",
    name="Block anonymous networks",
    description="Blocks sign-ins from anonymous IP addresses.",
)
REVIEW_RULE: Final = Rule(
    rule_id="0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a02",
    name="Review impossible travel",
    description="Sends attempts that imply impossible travel to review.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ends, and how long after its start.

    `tried` has the authenticators with which the user tried to meet the challenge; the last of them is `used`, if it
    was met. `stories` has the stories that the attempt is part of.
    """

    state: str
    after: timedelta = timedelta()
    rules: tuple[Rule, ...] = ()
    used: Authenticator | None = None
    tried: tuple[Authenticator, ...] = ()
    stories: tuple[str, ...] = ()


BLOCKED: Final = Outcome("BLOCK", rules=(BLOCK_RULE,))
ALLOWED: Final = Outcome("ALLOW")
ABANDONED: Final = Outcome("CHALLENGE_REQUIRED")
UNREVIEWED: Final = Outcome("REVIEW_REQUIRED", rules=(REVIEW_RULE,))


def draw_outcome(rng: random.Random, code: str, usable: list[Authenticator]) -> Outcome:
    """Draw how an attempt ends, with the authenticators that the user can use at that time."""
    luck = rng.random()
    if luck < 0.012:
        return BLOCKED
    if luck < 0.018:
        state = rng.choice(["REVIEW_REQUIRED", "REVIEW_SUCCEEDED", "REVIEW_FAILED"])
        if state == "REVIEW_REQUIRED":
            return UNREVIEWED
        return Outcome(state, timedelta(seconds=rng.randrange(3_600, 172_800)), rules=(REVIEW_RULE,))
    if not usable or code == "updateProfile":
        return ALLOWED
    return draw_challenge(rng, usable)


def draw_challenge(rng: random.Random, usable: list[Authenticator]) -> Outcome:
    """Draw how a challenge ends: a passkey is preferred."""
    passkeys = [value for value in usable if value.verification_method == "PASSKEY"]
    used = passkeys[0] if passkeys and rng.random() < 0.8 else rng.choice(usable)
    habit = HABITS[used.verification_method]
    if rng.random() < habit.success:
        seconds = habit.median_seconds * rng.lognormvariate(0, 0.5)
        return Outcome("CHALLENGE_SUCCEEDED", timedelta(milliseconds=int(seconds * 1000)), used=used, tried=(used,))
    if rng.random() < habit.failed_of_rest:
        return Outcome("CHALLENGE_FAILED", timedelta(seconds=rng.randrange(20, 60 * TOKEN_MINUTES)), tried=(used,))
    return Outcome("CHALLENGE_REQUIRED", tried=(used,))


def settled(outcome: Outcome, began: datetime, now: datetime) -> Outcome:
    """Return the outcome at `now`: what would happen later has not happened yet."""
    if began + outcome.after <= now:
        return outcome
    if outcome.rules:
        return Outcome("REVIEW_REQUIRED", rules=outcome.rules)
    return Outcome("CHALLENGE_REQUIRED", tried=outcome.tried[:1], stories=outcome.stories)
