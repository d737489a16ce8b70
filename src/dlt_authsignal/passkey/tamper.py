"""Parts of a passkey's response that can be falsified."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tamper:
    """Falsified values for one ceremony; None keeps the true value. They are signed, unless `bad_signature` is set.

    Attributes:
        origin: Origin in the client data. Any relying party id is then accepted, as by the client of a phishing page.
        rp_id: Relying party id whose hash the authenticator signs. Any relying party id is then accepted.
        type: Type in the client data, such as `webauthn.create` in an assertion.
        challenge: Challenge in the client data.
        bad_signature: Sign other bytes. No effect on a registration with attestation "none", which has no signature.
        sign_count: Counter to report, 0 to 2**32 - 1. The passkey's own counter is unaffected.
        user_present: Flag to report, whether true or not.
        user_verified: Flag to report. The client then no longer refuses "required".
        backup_eligible: Flag to report.
        backed_up: Flag to report. True without eligibility is a contradiction.
        user_handle: User handle in an assertion; in a registration, the handle of later assertions.
        credential_id: Credential id of the response. A registration uses it throughout, as in a takeover attempt.
    """

    origin: str | None = None
    rp_id: str | None = None
    type: str | None = None
    challenge: bytes | None = None
    bad_signature: bool = False
    sign_count: int | None = None
    user_present: bool | None = None
    user_verified: bool | None = None
    backup_eligible: bool | None = None
    backed_up: bool | None = None
    user_handle: bytes | None = None
    credential_id: bytes | None = None


HONEST = Tamper()
