"""KPIs whose cases are attempts."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.tenant.expected.tally import Answers, Durations, Tally

SETTLED_AFTER: Final = timedelta(minutes=10)
"""A challenge that is not met by then is never met."""

MILLISECOND: Final = timedelta(milliseconds=1)

SYSTEMS: Final = {
    "Windows": "Windows",
    "iPhone": "iOS",
    "iPad": "iOS",
    "Android": "Android",
    "Mac OS X": "Mac OS",
    "Linux": "Linux",
}
BROWSERS: Final = {
    "Edg": "Edge",
    "SamsungBrowser": "Samsung Internet",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}


class AttemptTallies:
    """Counts of attempts, as they were when they were read."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._succeeded, self._abandoned, self._passkey, self._decided = Tally(), Tally(), Tally(), Tally()
        self._durations = Durations()

    def add(self, action: Action) -> None:
        state, place = action.state, dimensions(action)
        method = {"verification_method": action.verification_method or "unknown"}
        is_challenged = state.startswith("CHALLENGE")
        rule = {"rule": "unknown"}
        self._decided.add("challenged", place | rule, hit=is_challenged)
        self._decided.add("blocked", place | rule, hit=state == "BLOCK")
        if is_challenged and to_the_millisecond(action.created_at) <= self._at - SETTLED_AFTER:
            self._succeeded.add("succeeded", place | method, hit=state == "CHALLENGE_SUCCEEDED")
            self._abandoned.add("abandoned", place, hit=state == "CHALLENGE_REQUIRED")
        if state == "CHALLENGE_SUCCEEDED":
            if action.action_code == "signIn":
                self._passkey.add("passkey", place, hit=action.verification_method == "PASSKEY")
            if action.state_updated_at is not None:
                lasted = to_the_millisecond(action.state_updated_at) - to_the_millisecond(action.created_at)
                self._durations.add(place | method, lasted // MILLISECOND)

    def answers(self) -> Answers:
        return {
            "challenge_success_rate": self._succeeded.answers(),
            "drop_off_rate": self._abandoned.answers(),
            "passkey_usage_rate": self._passkey.answers(),
            "challenge_and_block_rate": self._decided.answers(),
            "seconds_to_authenticate": self._durations.answers(),
        }


def dimensions(action: Action) -> dict[str, str]:
    """Return the values of an attempt by dimension."""
    agent = action.user_agent or ""
    return {
        "action_code": action.action_code,
        "country_code": action.country_code or "unknown",
        "os": _first(SYSTEMS, agent),
        "browser": _first(BROWSERS, agent),
    }


def _first(known: Mapping[str, str], agent: str) -> str:
    return next((shown for word, shown in known.items() if word in agent), "unknown")
