"""Reliability and OTP cost: errors, time, and what codes cost."""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.cards.otp import avoided, otp_funnel, otp_table, spent
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.page import Section

TITLE: Final = "Reliability and OTP cost"
INTRO: Final = "Do challenges work quickly and without errors, and what do one-time codes cost?"

_TIMES: Final = (
    ("seconds_to_authenticate", "p50", "Median"),
    ("seconds_to_authenticate", "p95", "95th percentile"),
)
_SLICES: Final = ("action_code", "country_code", "os", "browser")


def sections(_facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    return (
        Section(
            title="Errors",
            intro="How often does a challenge meet an error, and where?",
            cards=(
                look.number("error_rate", "error", "Challenges with an error", better="down"),
                look.number("challenge_success_rate", "succeeded", "Challenges that succeeded", better="up"),
                look.line(
                    "Challenges with an error over time",
                    (("error_rate", "error", "With an error"),),
                    has_marks=True,
                    caption=look.finding("error_rate", "error", _SLICES) or None,
                ),
                look.bars("Errors by action", "error_rate", "error", "action_code"),
                look.bars("Errors by country", "error_rate", "error", "country_code"),
            ),
        ),
        Section(
            title="Time",
            intro="How long does a successful challenge take?",
            cards=(
                look.number("seconds_to_authenticate", "p50", "Time to authenticate, median", better="down"),
                look.number("seconds_to_authenticate", "p95", "Time that 19 of 20 stay below", better="down"),
                look.line("Time to authenticate over time", _TIMES),
                look.bars("Median time by method", "seconds_to_authenticate", "p50", "verification_method"),
            ),
        ),
        Section(
            title="One-time codes",
            intro="Do codes arrive, are they entered, and what do they cost?",
            cards=(
                look.number("otp_funnel", "entered", "Sent codes that were entered", better="up"),
                look.number("otp_funnel", "delivered", "Sent codes that were delivered", better="up"),
                spent(look),
                avoided(look),
                look.number("otp_spend", "spent", "Price per sent code", better="down"),
                otp_funnel(look),
                otp_table(look),
            ),
        ),
        Section(
            title="Support",
            intro="How often do users need help to sign in?",
            cards=(
                look.number("recoveries", "recoveries", "Recoveries per user and year", better="down"),
                look.number("support_tickets", "tickets", "Support tickets per user and year", better="down"),
            ),
        ),
    )
