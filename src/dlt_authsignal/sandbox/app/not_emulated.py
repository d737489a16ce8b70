"""What the sandbox does not do, in one list: for `--not-emulated`, for `/_sandbox/not-emulated`, for the docs."""

from typing import Final

NOT_EMULATED: Final = (
    "The pre-built UI at mfa.authsignal.com: the URLs that track answers with lead to Authsignal's own pages.",
    "The WebSocket of the QR code flow.",
    "iProov, Veriff, IDVerse, Onfido and palm recognition.",
    "Call Connect.",
    "Terminals and the payment API.",
    "Real delivery: mails, text messages and push notifications go to the outbox, or to your own webhook.",
    "The Authsignal portal.",
    "App attestation.",
    "Custom domains.",
    "Value lists in rules.",
)
