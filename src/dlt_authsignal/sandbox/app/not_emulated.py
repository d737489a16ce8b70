"""What the sandbox does not emulate: the list for `--not-emulated`, `/_sandbox/not-emulated` and the docs."""

from typing import Final

NOT_EMULATED: Final = (
    "The pre-built UI at mfa.authsignal.com: the URLs in track's responses lead to Authsignal's own pages.",
    "The WebSocket of the QR code flow.",
    "iProov, Veriff, IDVerse, Onfido and palm recognition.",
    "Call Connect.",
    "Terminals and the payment API.",
    "Real delivery: e-mails, text messages and push notifications go to the outbox, or to your own webhook.",
    "The Authsignal portal.",
    "App attestation.",
    "Custom domains.",
)
