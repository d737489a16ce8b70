"""Overview: whether passkeys work, and what changed."""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.cards.methods import methods_over_time
from dlt_authsignal.dashboard.content.cards.tables import changes_table
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.page import Card, Section

TITLE: Final = "Overview"
INTRO: Final = "Do passkeys work, and what changed?"

WATCHED: Final = (
    ("drop_off_rate", "abandoned"),
    ("challenge_success_rate", "succeeded"),
    ("passkey_success_rate", "succeeded"),
    ("passkey_usage_rate", "passkey"),
    ("error_rate", "error"),
    ("challenge_and_block_rate", "blocked"),
    ("otp_funnel", "entered"),
)
"""Measures whose weeks are compared."""

SLICES: Final = ("os", "browser", "action_code", "country_code", "channel", "phone_country")


def sections(facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    return (
        Section(title="At a glance", intro="How are passkeys and sign-ins doing?", cards=_numbers(look)),
        Section(
            title="What changed",
            intro="Which weeks differ from the week before by more than chance would explain, and where?",
            cards=(
                look.line(
                    "Success and drop-off of challenges",
                    (
                        ("challenge_success_rate", "succeeded", "Succeeded"),
                        ("drop_off_rate", "abandoned", "Abandoned"),
                    ),
                    has_marks=True,
                    caption=_finding(look),
                ),
                changes_table(look, "Largest changes from one week to the next", WATCHED, SLICES),
            ),
        ),
        Section(
            title="How users authenticate",
            intro="Which methods complete the challenges?",
            cards=(methods_over_time(look),),
        ),
    )


def _numbers(look: Look) -> tuple[Card, ...]:
    return (
        look.number("enrolment_coverage", "users", "Users with a passkey", better="up"),
        look.number("passkey_usage_rate", "passkey", "Sign-ins with a passkey", better="up"),
        look.number("challenge_success_rate", "succeeded", "Challenges that succeeded", better="up"),
        look.number("drop_off_rate", "abandoned", "Challenges that were abandoned", better="down"),
        look.number("seconds_to_authenticate", "p50", "Time to authenticate, median", better="down"),
        look.number("active_users", "in 30 days", "Users active in 30 days"),
        look.number(
            "phishing_resistant_coverage",
            "passkey or security key",
            "Users with a phishing-resistant method",
            better="up",
        ),
        look.number("challenge_and_block_rate", "blocked", "Attempts that were blocked"),
    )


def _finding(look: Look) -> str | None:
    """Say the largest change of the drop-off overall and the slice with the largest one."""
    overall = look.finding("drop_off_rate", "abandoned", ())
    most = look.finding("drop_off_rate", "abandoned", SLICES)
    parts = dict.fromkeys(part for part in (most, overall) if part)
    return " ".join(parts) or None
