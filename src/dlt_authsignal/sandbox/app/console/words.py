"""Words of the pages: names of methods, kinds of states, steps of an attempt, and what a button has done."""

from typing import Final

METHODS: Final = {
    "PASSKEY": "Passkey",
    "SECURITY_KEY": "Security key",
    "SMS": "Text message",
    "WHATSAPP": "WhatsApp",
    "EMAIL_OTP": "E-mail code",
    "EMAIL_MAGIC_LINK": "E-mail link",
    "AUTHENTICATOR_APP": "Authenticator app",
    "RECOVERY_CODE": "Recovery code",
    "PUSH": "Push",
    "QR_CODE": "QR code",
    "IN_APP": "In-app",
}

_KINDS: Final = {"ALLOW": "good", "SUCCEEDED": "good", "BLOCK": "bad", "FAILED": "bad", "REQUIRED": "warn"}

STEPS: Final = {
    "SENT": "sent",
    "VALID": "correct code",
    "INVALID_OR_EXPIRED": "wrong or expired code",
    "MAX_ATTEMPTS_EXCEEDED": "too many wrong codes",
    "SEND_DOWNSTREAM_FAILED": "the webhook did not accept the message",
    "STARTED": "started",
    "OPENED": "link opened",
}
"""What the ends of the types of challenge events mean."""

SAID: Final = {
    "reset": "Deleted all users, faults, limits and queued webhooks, and set the clock back to its start.",
    "seed": "Added the invented users.",
    "snapshot": "Kept the state as a snapshot.",
    "restore": "Went back to the snapshot.",
    "fixture": "Replaced the tenant by the fixture.",
    "save": "Saved the state in the state file.",
    "clock-freeze": "Stopped the clock.",
    "clock-advance": "Moved the clock forward.",
    "clock-resume": "The clock runs again.",
    "fault": "Added the fault.",
    "faults-clear": "Deleted all faults.",
    "limit": "Set the rate limit.",
    "limits-clear": "Deleted all rate limits.",
    "ip": "Set what rules see of the address.",
    "outbox-clear": "Deleted the messages.",
    "requests-clear": "Deleted the request log.",
    "webhooks-set": "Changed where webhooks go.",
    "webhooks-outage": "Changed how many of the next deliveries fail.",
    "webhooks-flush": "Tried to deliver everything that was due.",
    "webhooks-resend": "Sent the delivery again. The newest row shows the answer.",
}
"""What a button has done, by its name. An address has only the name, so that a link cannot show another text."""


def method_name(method: str | None) -> str:
    """Return a verification method in words.

    Example:
        >>> method_name("EMAIL_OTP"), method_name("IPROOV"), method_name(None)
        ('E-mail code', 'IPROOV', '')
    """
    return METHODS.get(method or "", method or "")


def state_kind(state: str) -> str:
    """Return whether a state or a decision is good, bad, or waits for something.

    Example:
        >>> state_kind("CHALLENGE_SUCCEEDED"), state_kind("CHALLENGE"), state_kind("NEW")
        ('good', '', '')
    """
    return _KINDS.get(state.rpartition("_")[2], "")


def step_name(type: str, method: str | None) -> str:
    """Return the type of a challenge event in words.

    Example:
        >>> step_name("SMS_CODE_VALID", "SMS"), step_name("OTHER", None)
        ('Text message: correct code', 'OTHER')
    """
    meaning = next((text for end, text in STEPS.items() if type.endswith(f"_{end}")), None)
    if type.endswith("INVALID_OR_EXPIRED"):
        meaning = STEPS["INVALID_OR_EXPIRED"]
    return f"{method_name(method)}: {meaning}" if method and meaning else type
