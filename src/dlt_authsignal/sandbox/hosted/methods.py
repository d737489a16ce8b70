"""Which verification methods the pages offer to a user."""

from dataclasses import dataclass
from typing import Final

from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.hosted.visit import Visit
from dlt_authsignal.sandbox.http.routes.client.codes import to_challenge
from dlt_authsignal.sandbox.tenant.entities import Authenticator

DEVICE: Final = ("PASSKEY", "SECURITY_KEY")
"""Methods that the browser itself verifies with, by WebAuthn."""

MESSAGES: Final = ("SMS", "WHATSAPP", "EMAIL_OTP", "EMAIL_MAGIC_LINK")
"""Methods that need a message to the user first."""

APP: Final = "AUTHENTICATOR_APP"
LINK: Final = "EMAIL_MAGIC_LINK"
RECOVERY: Final = "RECOVERY_CODE"

CHALLENGES: Final = (*DEVICE, APP, *MESSAGES)
ENROLMENTS: Final = ("PASSKEY", "SECURITY_KEY", APP, "EMAIL_OTP", "EMAIL_MAGIC_LINK", "SMS")


@dataclass(frozen=True)
class Offer:
    """One method to choose.

    Attributes:
        method: The verification method.
        address: The hidden address or number that a message goes to.
    """

    method: str
    address: str | None = None


def challenges(visit: Visit) -> list[Offer]:
    """Return the methods with which the user can meet the challenge, the default one first, recovery codes last."""
    allowed = _allowed(visit)
    mine = [value for value in verified(visit) if value.verification_method in CHALLENGES]
    mine = [value for value in mine if value.verification_method in allowed]
    preferred = visit.user.default_verification_method
    mine.sort(key=lambda value: (value.verification_method != preferred, not value.is_default, value.created_at))
    offers = {value.verification_method: Offer(value.verification_method, hidden(value)) for value in reversed(mine)}
    found = [offers[method] for method in dict.fromkeys(value.verification_method for value in mine)]
    return [*found, Offer(RECOVERY)] if _may_recover(visit) else found


def _may_recover(visit: Visit) -> bool:
    tenant = visit.sandbox.tenant
    is_on = RECOVERY in tenant.active_methods() and not tenant.details.get("disableRecoveryCodes")
    return is_on and bool(visit.sandbox.recovery_codes.get(visit.user.user_id))


def enrolments(visit: Visit) -> list[Offer]:
    """Return the methods that the user can add: none unless the token may add authenticators."""
    if not visit.may_add:
        return []
    allowed, configured = _allowed(visit), visit.sandbox.tenant.method
    return [
        Offer(method)
        for method in ENROLMENTS
        if method in allowed and (found := configured(method)) and not found.get("isHiddenToUser")
    ]


def _allowed(visit: Visit) -> list[str]:
    active = visit.sandbox.tenant.active_methods()
    return [method for method in active if not visit.action.allowed_methods or method in visit.action.allowed_methods]


def verified(visit: Visit) -> list[Authenticator]:
    """Return the user's authenticators that are enrolled."""
    return [value for value in visit.sandbox.store.authenticators(visit.user.user_id) if value.verified_at]


def pending(visit: Visit, method: str) -> Authenticator | None:
    """Return the user's authenticator of that method whose enrolment is not finished."""
    for value in visit.sandbox.store.authenticators(visit.user.user_id):
        if value.verification_method == method and value.verified_at is None:
            return value
    return None


def sent_to(visit: Visit, method: str) -> str:
    """Return the hidden address or number to which the next message of a method goes. Empty if there is none."""
    try:
        chosen = to_challenge(visit.sandbox, visit.user.user_id, method)
    except Refusal:
        return ""
    return hidden(chosen) or ""


def hidden(value: Authenticator) -> str | None:
    """Return the address with most of its letters hidden, so that a screen does not reveal it.

    A user who is just enrolling an address sees the whole of it.
    """
    if value.verified_at is None:
        return value.email or value.phone_number
    if value.email:
        name, _, domain = value.email.partition("@")
        return f"{name[:1]}•••@{domain}"
    return f"•••{value.phone_number[-2:]}" if value.phone_number else None
