"""Lies that a passkey and its browser can tell."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tamper:
    """Lies of one ceremony; None tells the truth. The answer is signed as it lies, unless `bad_signature`.

    Attributes:
        origin: Origin in the client data. It also lets any relying party id pass, as a phishing page's client would.
        rp_id: Relying party id whose hash the authenticator signs; lets any relying party id pass too.
        type: Type in the client data, such as `webauthn.create` in an assertion.
        challenge: Challenge in the client data.
        bad_signature: Sign other bytes. A registration with attestation "none" has no signature to spoil.
        sign_count: Counter to report, 0 to 2**32 - 1; the passkey's own goes on as it would.
        user_present: Flag to report, whatever happened.
        user_verified: Flag to report; "required" is then not refused on this side.
        backup_eligible: Flag to report.
        backed_up: Flag to report; without eligibility it is a contradiction.
        user_handle: Handle in an assertion; in a registration, the one that later assertions carry.
        credential_id: Id that the answer goes by. A registration is consistent in it, as a takeover would be.
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
