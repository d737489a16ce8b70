"""Verification methods, and the published states of actions."""

import re
from typing import Final

from dlt_authsignal.sandbox.tenant.entities import Authenticator

ACTION_CODE: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def tracked_state(result: str, *, enrolled: bool) -> str:
    """Return the state of a new action. Without an enrolled method a challenge becomes ALLOW, as the FAQ says."""
    if result == "CHALLENGE":
        return "CHALLENGE_REQUIRED" if enrolled else "ALLOW"
    return "REVIEW_REQUIRED" if result == "REVIEW" else result


def enrolled_methods(authenticators: list[Authenticator]) -> list[str]:
    """Return the methods with a verified authenticator, in order of enrolment, each once."""
    return list(dict.fromkeys(value.verification_method for value in authenticators if value.verified_at))
