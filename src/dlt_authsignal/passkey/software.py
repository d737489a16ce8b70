"""The software authenticator with its browser: one ceremony in, one response out."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from dlt_authsignal.errors import (
    AlgorithmUnsupported,
    ConfigurationError,
    ForeignRelyingParty,
    OptionsUnusable,
    PasskeyExists,
    PasskeyNotAllowed,
)
from dlt_authsignal.passkey.keys import (
    ALGORITHMS,
    Credential,
    attestation_object,
    cose_key,
    exported,
    imported,
    new_key,
    sign,
    spki,
)
from dlt_authsignal.passkey.options import check_origin, decoded, encoded, part, rows, user_of, wants_resident
from dlt_authsignal.passkey.tamper import HONEST, Tamper

SOFTWARE_AAGUID = str(UUID(bytes=b"dlt-authsignal\0\0"))
"""AAGUID that spells this package's name in ASCII, so that it is not mistaken for a product."""

_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass(kw_only=True, slots=True, eq=False, repr=False)
class SoftwarePasskey:
    """An authenticator with its passkeys, in a browser at one origin.

    Attributes:
        origin: Origin of the page, as browsers write it: `https://host[:port]`, or `http://` for localhost.
        algorithm: Name from ALGORITHMS for new passkeys; None uses the first one that the site offers.
        attachment: "platform" (a phone, a laptop; passkeys are always discoverable) or "cross-platform" (a security
            key; discoverable if the site prefers or requires it).
        aaguid: Model of the authenticator, as UUID text.
        user_present: Whether the user touches it. Browsers require it; False tests the server's reaction.
        user_verified: Whether the authenticator can verify its user.
        backup_eligible: Whether passkeys may leave the device.
        backed_up: Whether passkeys are backed up; requires `backup_eligible`.
        counting: Whether the signature counter increases; False keeps it at 0, like synced passkeys.

    Raises:
        ConfigurationError: A setting is not possible for a browser or an authenticator.
    """

    origin: str
    algorithm: str | None = None
    attachment: Literal["platform", "cross-platform"] = "platform"
    aaguid: str = SOFTWARE_AAGUID
    user_present: bool = True
    user_verified: bool = True
    backup_eligible: bool = True
    backed_up: bool = True
    counting: bool = True
    _credentials: list[Credential] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if self.algorithm is not None and self.algorithm not in ALGORITHMS:
            raise ConfigurationError(f'Unknown algorithm "{self.algorithm}". Known: {", ".join(ALGORITHMS)}.')
        if self.attachment not in ("platform", "cross-platform"):
            raise ConfigurationError(f'attachment must be "platform" or "cross-platform", got "{self.attachment}".')
        if self.backed_up and not self.backup_eligible:
            raise ConfigurationError("backed_up needs backup_eligible. Set both, or backed_up=False.")
        try:
            UUID(self.aaguid)
        except ValueError:
            raise ConfigurationError(f'aaguid must be the text of a UUID, got "{self.aaguid}".') from None

    def __repr__(self) -> str:
        count = len(self._credentials)
        return f"<SoftwarePasskey at {self.origin}, {count} {'passkey' if count == 1 else 'passkeys'}>"

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """Return all passkeys, oldest first."""
        return tuple(self._credentials)

    def create(self, options: Mapping[str, Any], *, tamper: Tamper = HONEST) -> dict[str, Any]:
        """Create a passkey, as `navigator.credentials.create` does.

        Args:
            options: PublicKeyCredentialCreationOptionsJSON. Attestation "direct" and "indirect" return packed self
                attestation, anything else "none".
            tamper: Parts of the response to falsify.

        Returns:
            RegistrationResponseJSON.

        Raises:
            OptionsUnusable: A field is missing or malformed.
            ForeignRelyingParty: `rp.id` does not belong to the origin.
            AlgorithmUnsupported: No algorithm in common.
            PasskeyNotAllowed: Wrong attachment, or user verification is required but not available.
            PasskeyExists: `excludeCredentials` lists a passkey of this authenticator.
        """
        client_data = self._client_data("webauthn.create", decoded(options, "challenge"), tamper)
        rp_id = self._relying_party(part(options, "rp").get("id"), tamper)
        user = user_of(options)
        algorithm = self._negotiated(rows(options, "pubKeyCredParams", required=True))
        selection = part(options, "authenticatorSelection", required=False)
        self._check_attachment(selection.get("authenticatorAttachment"))
        extensions = part(options, "extensions", required=False)
        flags = self._flags(selection.get("userVerification"), tamper)
        if self._matching(rp_id, rows(options, "excludeCredentials")):
            raise PasskeyExists(
                "excludeCredentials lists a passkey of this authenticator, which is therefore already enrolled."
                " Sign in with it, or enrol another SoftwarePasskey."
            )
        credential = Credential(
            credential_id=secrets.token_bytes(32) if tamper.credential_id is None else tamper.credential_id,
            rp_id=rp_id,
            user_handle=user[0] if tamper.user_handle is None else tamper.user_handle,
            user_name=user[1],
            user_display_name=user[2],
            discoverable=self.attachment == "platform" or wants_resident(selection),
            sign_count=0,
            private_key=new_key(algorithm),
        )
        response = self._attestation(credential, client_data, flags, options.get("attestation"), tamper)
        self._credentials.append(credential)
        results = {"credProps": {"rk": credential.discoverable}} if extensions.get("credProps") else {}
        return self._answer(credential.credential_id, response, results)

    def get(self, options: Mapping[str, Any], *, tamper: Tamper = HONEST) -> dict[str, Any]:
        """Sign in with the newest matching passkey, as `navigator.credentials.get` does.

        Args:
            options: PublicKeyCredentialRequestOptionsJSON. Without `allowCredentials`, discoverable passkeys match.
            tamper: Parts of the response to falsify.

        Returns:
            AuthenticationResponseJSON, without `userHandle` if the passkey is not discoverable.

        Raises:
            OptionsUnusable: A field is missing or malformed.
            ForeignRelyingParty: `rpId` does not belong to the origin.
            PasskeyNotAllowed: No passkey matches, or user verification is required but not available.
        """
        client_data = self._client_data("webauthn.get", decoded(options, "challenge"), tamper)
        rp_id = self._relying_party(options.get("rpId"), tamper)
        flags = self._flags(options.get("userVerification"), tamper)
        allowed = rows(options, "allowCredentials")
        if allowed:
            fitting = self._matching(rp_id, allowed)
        else:
            fitting = [value for value in self._credentials if value.rp_id == rp_id and value.discoverable]
        if not fitting:
            which = "that allowCredentials lists" if allowed else "that is discoverable"
            raise PasskeyNotAllowed(f'there is no passkey for "{rp_id}" {which}. Enrol one with create() first.')
        credential = self._counted(fitting[-1])
        count = credential.sign_count if tamper.sign_count is None else tamper.sign_count
        data = _authenticator_data(rp_id if tamper.rp_id is None else tamper.rp_id, flags, count)
        response = {
            "clientDataJSON": encoded(client_data),
            "authenticatorData": encoded(data),
            "signature": encoded(sign(credential.private_key, data, client_data, spoil=tamper.bad_signature)),
        }
        if credential.discoverable or tamper.user_handle is not None:
            handle = credential.user_handle if tamper.user_handle is None else tamper.user_handle
            response["userHandle"] = encoded(handle)
        return self._answer(
            credential.credential_id if tamper.credential_id is None else tamper.credential_id, response, {}
        )

    def export(self) -> dict[str, Any]:
        """Return the authenticator with its passkeys, for `load`, as a dict that can be written as JSON.

        It is a secret: it contains private keys as unencrypted PEM. Store it like a password.
        """
        settings = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.init}
        return {**settings, "credentials": [exported(value) for value in self._credentials]}

    @classmethod
    def load(cls, kept: Mapping[str, Any]) -> Self:
        """Return the authenticator from a dict made by `export`.

        Raises:
            ConfigurationError: The dict was not made by `export`.
        """
        try:
            passkey = cls(**{name: value for name, value in kept.items() if name != "credentials"})
            passkey._credentials.extend(imported(row) for row in kept["credentials"])
        except (AttributeError, KeyError, TypeError, ValueError, OptionsUnusable):
            # raised without its cause, which may quote a key
            raise ConfigurationError(
                "This is not an exported passkey. Pass the result of SoftwarePasskey.export()."
            ) from None
        return passkey

    def _relying_party(self, wanted: Any, tamper: Tamper) -> str:
        host = urlsplit(self.origin).hostname or ""
        if wanted is None:
            return host
        if not isinstance(wanted, str):
            raise OptionsUnusable("the relying party id is not text. Send a domain such as localhost.")
        # instead of a list of public suffixes, single labels are refused: "com" is refused, "co.uk" is not
        parent = "." in wanted and host.endswith(f".{wanted}")
        if wanted == host or parent or tamper.origin is not None or tamper.rp_id is not None:
            return wanted
        raise ForeignRelyingParty(
            f'"{wanted}" is neither the host of {self.origin} nor a parent domain of it. Set the server\'s relying'
            " party id to the host of the page, or the passkey's origin to the page."
        )

    def _check_attachment(self, wanted: Any) -> None:
        if wanted != self.attachment and wanted in ("platform", "cross-platform"):
            raise PasskeyNotAllowed(
                f"the site wants a {wanted} authenticator and this one is {self.attachment}."
                f' Create the passkey with attachment="{wanted}".'
            )

    def _negotiated(self, offered: list[Mapping[str, Any]]) -> int:
        numbers = [row.get("alg") for row in offered if row.get("type") == "public-key"]
        if not offered:
            numbers = [ALGORITHMS["ES256"], ALGORITHMS["RS256"]]  # WebAuthn's default for an empty list
        ours = list(ALGORITHMS.values()) if self.algorithm is None else [ALGORITHMS[self.algorithm]]
        for number in numbers:
            if number in ours:
                return int(number)
        raise AlgorithmUnsupported(
            f"the site offers {numbers} and this passkey signs with {ours}. Add one of them to pubKeyCredParams."
        )

    def _flags(self, verification: Any, tamper: Tamper) -> int:
        verified = self.user_verified and verification != "discouraged"
        if verification == "required" and not verified and tamper.user_verified is None:
            raise PasskeyNotAllowed(
                "user verification is required but this passkey has none. Create it with user_verified=True, or request"
                ' "preferred".'
            )
        truth = (
            (_PRESENT, self.user_present, tamper.user_present),
            (_VERIFIED, verified, tamper.user_verified),
            (_ELIGIBLE, self.backup_eligible, tamper.backup_eligible),
            (_BACKED_UP, self.backed_up, tamper.backed_up),
        )
        return sum(bit for bit, true, claimed in truth if (true if claimed is None else claimed))

    def _matching(self, rp_id: str, listed: list[Mapping[str, Any]]) -> list[Credential]:
        ids = {decoded(row, "id") for row in listed if row.get("type") == "public-key"}
        return [value for value in self._credentials if value.rp_id == rp_id and value.credential_id in ids]

    def _counted(self, credential: Credential) -> Credential:
        if not self.counting:
            return credential
        counted = replace(credential, sign_count=credential.sign_count + 1)
        self._credentials[self._credentials.index(credential)] = counted
        return counted

    def _client_data(self, kind: str, challenge: bytes, tamper: Tamper) -> bytes:
        data = {
            "type": kind if tamper.type is None else tamper.type,
            "challenge": encoded(challenge if tamper.challenge is None else tamper.challenge),
            "origin": self.origin if tamper.origin is None else tamper.origin,
            "crossOrigin": False,
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()

    def _attestation(
        self, credential: Credential, client_data: bytes, flags: int, conveyance: Any, tamper: Tamper
    ) -> dict[str, Any]:
        algorithm, cose = cose_key(credential.private_key)
        identity = UUID(self.aaguid).bytes + len(credential.credential_id).to_bytes(2, "big") + credential.credential_id
        data = _authenticator_data(
            credential.rp_id if tamper.rp_id is None else tamper.rp_id,
            flags | _ATTESTED,
            credential.sign_count if tamper.sign_count is None else tamper.sign_count,
            identity + cose,
        )
        signed = conveyance in ("direct", "indirect")
        signature = sign(credential.private_key, data, client_data, spoil=tamper.bad_signature) if signed else None
        return {
            "clientDataJSON": encoded(client_data),
            "attestationObject": encoded(attestation_object(data, algorithm, signature)),
            "transports": self._transports(),
            "publicKeyAlgorithm": algorithm,
            "publicKey": encoded(spki(credential.private_key)),
            "authenticatorData": encoded(data),
        }

    def _transports(self) -> list[str]:
        if self.attachment == "cross-platform":
            return ["nfc", "usb"]
        return ["hybrid", "internal"] if self.backup_eligible else ["internal"]

    def _answer(self, credential_id: bytes, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": encoded(credential_id),
            "rawId": encoded(credential_id),
            "type": "public-key",
            "authenticatorAttachment": self.attachment,
            "clientExtensionResults": extensions,
            "response": response,
        }


def _authenticator_data(rp_id: str, flags: int, count: int, attested: bytes = b"") -> bytes:
    return sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + attested
