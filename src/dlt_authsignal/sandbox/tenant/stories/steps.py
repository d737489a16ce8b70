"""The steps of an invented challenge, as events report them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.tenant.entities import Authenticator, Step
from dlt_authsignal.sandbox.tenant.outcomes import Outcome

CODES: Final = ("SMS", "EMAIL_OTP")
UNPUBLISHED: Final = ("PASSKEY", "PUSH")
"""Methods whose start Authsignal reports with a type that it does not publish."""

DELIVERED: Final = 0.97
MISTYPED: Final = 0.06

_FIRST: Final = timedelta(milliseconds=900)
_ARRIVES: Final = timedelta(milliseconds=3_700)
_MISTAKE: Final = timedelta(milliseconds=6_100)
_NEXT: Final = timedelta(seconds=25)


def steps_of(rng: random.Random, outcome: Outcome, began: datetime) -> tuple[Step, ...]:
    """Return the steps of an attempt, in order of time: those of each method that the user tried."""
    found: list[Step] = []
    for number, tried in enumerate(outcome.tried):
        is_last = tried is outcome.tried[-1]
        met = began + outcome.after if is_last and outcome.used is not None else None
        found += _tried(rng, tried, began + _FIRST + number * _NEXT, met, is_failed=outcome.state == "CHALLENGE_FAILED")
    return tuple(sorted(found, key=lambda step: step.at))


def _tried(
    rng: random.Random, value: Authenticator, at: datetime, met: datetime | None, *, is_failed: bool
) -> Iterator[Step]:
    method = value.verification_method
    if method in UNPUBLISHED:
        yield Step(at=at, method=method)
    if method not in CODES:
        return
    sent = Step(at=at, method=method, type=f"{method}_SENT", phone_number=value.phone_number, email=value.email)
    yield sent
    if method == "SMS" and rng.random() < DELIVERED:
        yield _after(sent, "SMS_DELIVERED", _ARRIVES)
    if is_failed or rng.random() < MISTYPED:
        yield _after(sent, f"{method}_CODE_INVALID_OR_EXPIRED", _MISTAKE)
    if met is not None:
        yield _after(sent, f"{method}_CODE_VALID", max(met - at, _ARRIVES))


def _after(sent: Step, type: str, wait: timedelta) -> Step:
    return Step(at=sent.at + wait, method=sent.method, type=type, phone_number=sent.phone_number, email=sent.email)
