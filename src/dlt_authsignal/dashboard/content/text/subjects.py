"""What measures are called in captions, and what to do about missing data."""

from collections.abc import Mapping, Sequence
from typing import Final

from dlt_authsignal.models.kpis.availability import EVENTS, MANAGEMENT

SUBJECTS: Final[Mapping[tuple[str, str], str]] = {
    ("challenge_success_rate", "succeeded"): "the success rate of challenges",
    ("drop_off_rate", "abandoned"): "the drop-off of challenges",
    ("passkey_success_rate", "succeeded"): "the success rate of passkeys",
    ("passkey_usage_rate", "passkey"): "the share of sign-ins with a passkey",
    ("error_rate", "error"): "the share of challenges with an error",
    ("fallback_rate", "any"): "the share of challenges completed without a passkey",
    ("challenge_and_block_rate", "challenged"): "the share of attempts that were challenged",
    ("challenge_and_block_rate", "blocked"): "the share of attempts that were blocked",
    ("otp_funnel", "entered"): "the share of sent codes that were entered",
    ("otp_funnel", "delivered"): "the share of sent codes that were delivered",
}
"""Subjects of sentences about measures."""

GOOD: Final[Mapping[str, str]] = {
    "challenge_success_rate": "up",
    "passkey_success_rate": "up",
    "passkey_usage_rate": "up",
    "otp_funnel": "up",
    "drop_off_rate": "down",
    "error_rate": "down",
    "fallback_rate": "down",
}
"""Which direction is good news, by KPI."""

_SYNC: Final = "Run dlt-authsignal sync."
_HOW: Final[Mapping[str, str]] = {
    EVENTS: "Receive events with dlt-authsignal receive, then run dlt-authsignal events load.",
    MANAGEMENT: "Set management_secret_key and add management to the setting apis, then run dlt-authsignal sync.",
    f"user_actions or {EVENTS}": "Run dlt-authsignal sync, or load events.",
}


def advice(needs: Sequence[str]) -> str:
    """Say what to do about what a KPI needs; blank if nothing is missing."""
    return " ".join(dict.fromkeys(_advice(need) for need in needs))


def _advice(need: str) -> str:
    if need.startswith("your table "):
        return f"Create {need} in the dataset: the definition says which columns it has."
    if need.startswith("the column "):
        return f"Needs {need}, which no loaded event contains."
    return _HOW.get(need, _SYNC)


DETECTIONS_NEED: Final = "Run dlt-authsignal alerts, which looks for attacks and stores what it finds."
"""What to do without the table of detections."""

CONFIGURATION_NEEDS: Final = advice((MANAGEMENT,))
EVENTS_NEED: Final = advice((EVENTS,))
