"""Sign-ups: the attempt in which a new user proves a phone number or an e-mail address."""

from datetime import datetime

from dlt_authsignal.sandbox.tenant.entities import Authenticator
from dlt_authsignal.sandbox.tenant.outcomes import Outcome
from dlt_authsignal.sandbox.tenant.stories.steps import CODES


def sign_up_of(held: list[Authenticator], since: datetime, now: datetime) -> tuple[datetime, Outcome] | None:
    """Return time and outcome of a user's sign-up, by the first method with codes. None if it is not in the days."""
    first = next((value for value in held if value.verification_method in CODES), None)
    if first is None or not since <= first.created_at <= now:
        return None
    if first.verified_at is None:
        return first.created_at, Outcome("CHALLENGE_REQUIRED", tried=(first,))
    after = first.verified_at - first.created_at
    return first.created_at, Outcome("CHALLENGE_SUCCEEDED", after, used=first, tried=(first,))
