"""KPIs about users over several days: who is active, and who uses a new passkey again."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from dlt_authsignal.sandbox.tenant.expected.holdings import passkey_dimensions
from dlt_authsignal.sandbox.tenant.expected.tally import Answers, Tally, answer

WINDOWS: Final = {"in a day": 1, "in 7 days": 7, "in 30 days": 30}
AGAIN: Final = {"30 days": 30, "90 days": 90}


class UseTallies:
    """What users did, by day.

    Args:
        until: The first day that is not completely read.
    """

    def __init__(self, until: date) -> None:
        self._until = until
        self._days: set[date] = set()
        self._active: list[tuple[set[date], date]] = []
        self._firsts: list[tuple[Authenticator, list[datetime]]] = []

    def add(self, user: User, verified: list[Authenticator], actions: list[tuple[datetime, Action]]) -> None:
        """Add a user, with the verified authenticators and the actions of the user."""
        passkeys = [value for value in verified if value.verification_method == "PASSKEY"]
        self._days |= {at.date() for at, _ in actions}
        active = {at.date() for at, action in actions if action.state in ("ALLOW", "CHALLENGE_SUCCEEDED")}
        if active:
            self._active.append((active, _has_passkey_since(user, passkeys)))
        if passkeys:
            first = min(passkeys, key=lambda value: (to_the_millisecond(value.created_at), value.user_authenticator_id))
            uses = [
                at
                for at, action in actions
                if action.verification_method == "PASSKEY" and action.state == "CHALLENGE_SUCCEEDED"
            ]
            self._firsts.append((first, uses))

    def answers(self) -> Answers:
        if not self._days:
            return {"active_users": {}, "active_user_coverage": {}, "stickiness": {}}
        first, last = min(self._days), min(max(self._days), self._until - timedelta(days=1))
        counts: dict[str, int] = defaultdict(int)
        with_passkey = 0
        for days, since in self._active:
            for measure, length in WINDOWS.items():
                is_active = any(last - timedelta(days=length) < day <= last for day in days)
                counts[measure] += is_active
                with_passkey += is_active and since <= last and measure == "in 30 days"
        known = {
            measure: answer(counts[measure], None)
            for measure, length in WINDOWS.items()
            if first + timedelta(days=length - 1) <= last
        }
        return {
            "active_users": {f"{measure} / all": found for measure, found in known.items() if counts[measure]},
            "active_user_coverage": {"active users / all": answer(with_passkey, counts["in 30 days"])}
            if "in 30 days" in known and counts["in 30 days"]
            else {},
            "stickiness": self._stickiness(first + timedelta(days=1)).answers(),
        }

    def _stickiness(self, first_day: date) -> Tally:
        tally = Tally()
        for first, uses in self._firsts:
            created = to_the_millisecond(first.created_at)
            place = {name: kind for name, kind in passkey_dimensions(first).items() if name in ("provider", "os")}
            for measure, days in AGAIN.items():
                if first_day <= created.date() and created.date() + timedelta(days=days) < self._until:
                    again = any(created < use <= created + timedelta(days=days) for use in uses)
                    tally.add(measure, place, hit=again)
        return tally


def _has_passkey_since(user: User, passkeys: list[Authenticator]) -> date:
    """Return the first day at whose end the user had a passkey; the last of all days if the user has none."""
    verified = (to_the_millisecond(value.verified_at).date() for value in passkeys if value.verified_at)
    return max(to_the_millisecond(user.created_at).date(), min(verified, default=date.max))
