"""What the sandbox does not emulate: the list for `--not-emulated`, `/_sandbox/not-emulated` and the docs."""

from typing import Final

NOT_EMULATED: Final = (
    "The look of Authsignal's pre-built UI, and its pages for push, QR codes and a user's settings.",
    "iProov, Veriff, IDVerse, Onfido and palm recognition.",
    "Call Connect.",
    "Terminals and the payment API.",
    "Real delivery: e-mails, text messages and push notifications go to the outbox, or to your own webhook.",
    "The Authsignal portal.",
    "App attestation: the nonce for it is returned, and its result is accepted without a check.",
    "Custom domains.",
)
