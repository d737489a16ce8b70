"""Adoption: which users have passkeys, whether they use them again, and where the passkeys are."""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.cards.methods import methods_over_time
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.page import Section

TITLE: Final = "Adoption"
INTRO: Final = "Which users have passkeys, and do they use them?"

_COVERAGE: Final = (
    ("enrolment_coverage", "users", "All users"),
    ("active_user_coverage", "active users", "Active users"),
)
_ACTIVE: Final = (
    ("active_users", "in a day", "In a day"),
    ("active_users", "in 7 days", "In 7 days"),
    ("active_users", "in 30 days", "In 30 days"),
)
_STICKY: Final = (
    ("stickiness", "30 days", "Within 30 days"),
    ("stickiness", "90 days", "Within 90 days"),
)


def sections(_facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page."""
    return (
        Section(
            title="Coverage",
            intro="What share of users can sign in with a passkey?",
            cards=(
                look.number("enrolment_coverage", "users", "Users with a passkey", better="up"),
                look.number("active_user_coverage", "active users", "Active users with a passkey", better="up"),
                look.number("mfa_coverage", "one or more", "Users with a verified method", better="up"),
                look.number("mfa_coverage", "two or more", "Users with two methods, for recovery", better="up"),
                look.line("Users with a passkey over time", _COVERAGE, has_marks=True),
            ),
        ),
        Section(
            title="Enrolment",
            intro="Do users create a passkey after they are offered one?",
            cards=(
                look.number("enrolment_rate", "ever", "Users who created a passkey after an offer", better="up"),
                look.number("enrolment_rate", "30 days", "Users who did so within 30 days", better="up"),
                look.line(
                    "Enrolment by the day of the first offer", (("enrolment_rate", "ever", "Created a passkey"),)
                ),
            ),
        ),
        Section(
            title="Use",
            intro="Do users use their passkeys again?",
            cards=(
                look.number("passkey_usage_rate", "passkey", "Sign-ins with a passkey", better="up"),
                look.number("stickiness", "30 days", "Used a passkey again within 30 days", better="up"),
                look.number("stickiness", "90 days", "Used a passkey again within 90 days", better="up"),
                look.line(
                    "Sign-ins with a passkey over time",
                    (("passkey_usage_rate", "passkey", "With a passkey"),),
                    has_marks=True,
                    caption=look.finding("passkey_usage_rate", "passkey", ("os", "browser", "country_code")) or None,
                ),
                methods_over_time(look),
                look.line("Passkeys used again, by day of creation", _STICKY),
                look.line("Active users", _ACTIVE),
            ),
        ),
        Section(
            title="Inventory",
            intro="Where are the passkeys stored, and which authenticators are not used?",
            cards=(
                look.number("passkeys_per_user", "passkeys", "Passkeys per user with passkeys"),
                look.number("passkeys_per_user", "second device", "Users with passkeys on two devices", better="up"),
                look.number("dormant_authenticators", "dormant", "Authenticators not used for 90 days", better="down"),
                look.number("dormant_authenticators", "never used", "Authenticators never used", better="down"),
                look.bars("Passkeys by provider", "passkey_inventory", "passkeys", "provider"),
                look.bars("Synced passkeys by provider", "passkey_inventory", "synced", "provider"),
                look.bars("Passkeys by operating system", "passkey_inventory", "passkeys", "os"),
                look.bars(
                    "Dormant authenticators by method", "dormant_authenticators", "dormant", "verification_method"
                ),
            ),
        ),
    )
