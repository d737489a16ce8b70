"""Sign-in funnel: where attempts end, and for which users."""

from collections.abc import Sequence
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.cards.outcomes import by_slice, ends_over_time, funnel
from dlt_authsignal.dashboard.content.cards.tables import changes_table
from dlt_authsignal.dashboard.content.data.facts import Facts
from dlt_authsignal.dashboard.page import Section

TITLE: Final = "Sign-in funnel"
INTRO: Final = "Where do attempts end, and which users are affected?"

SLICES: Final = ("os", "browser", "action_code", "country_code")
_WATCHED: Final = (
    ("drop_off_rate", "abandoned"),
    ("challenge_success_rate", "succeeded"),
    ("passkey_success_rate", "succeeded"),
    ("error_rate", "error"),
    ("fallback_rate", "any"),
)
_FALLBACKS: Final = (
    ("fallback_rate", "no passkey", "No passkey"),
    ("fallback_rate", "not offered", "Passkey not offered"),
    ("fallback_rate", "chose otherwise", "Chose another method"),
)


def sections(_facts: Facts, look: Look) -> Sequence[Section]:
    """Return the sections of the page. The method of an attempt is known only if it succeeded."""
    every = look.without_method()
    return (
        Section(
            title="The funnel",
            intro="How many attempts are challenged, and how do the challenges end?",
            cards=(funnel(every), ends_over_time(every)),
        ),
        Section(
            title="Where it breaks",
            intro="Which systems, browsers, actions and countries lose more users than others?",
            cards=(
                changes_table(every, "Largest changes from one week to the next", _WATCHED, SLICES),
                by_slice(every, SLICES),
                every.bars("Drop-off by operating system", "drop_off_rate", "abandoned", "os"),
                every.bars("Drop-off by browser", "drop_off_rate", "abandoned", "browser"),
            ),
        ),
        Section(
            title="Passkeys in the funnel",
            intro="Do attempts with a passkey succeed, and why do users fall back to other methods?",
            cards=(
                look.number("passkey_success_rate", "succeeded", "Attempts with a passkey that succeeded", better="up"),
                look.number(
                    "passkey_usage_among_able", "passkey", "Sign-ins that could use a passkey and did", better="up"
                ),
                look.number("fallback_rate", "any", "Challenges completed without a passkey", better="down"),
                look.line("Why challenges were completed without a passkey", _FALLBACKS),
                look.bars("Success of passkeys by operating system", "passkey_success_rate", "succeeded", "os"),
            ),
        ),
    )
