"""A WebAuthn authenticator and its browser in software: passkey ceremonies without either.

Options and answers are those of WebAuthn's JSON (`PublicKeyCredentialCreationOptionsJSON`, `RegistrationResponseJSON`
and so on): dicts whose bytes are base64url text without padding. `create` and `get` refuse what a browser refuses;
`Tamper` makes them lie, so that a server can be tested against lies.
"""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from ipaddress import ip_address
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from dlt_authsignal.errors import (
    AlgorithmUnsupported,
    ConfigurationError,
    ExtraMissing,
    ForeignRelyingParty,
    OptionsUnusable,
    PasskeyExists,
    PasskeyNotAllowed,
)

try:
    import cbor2
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )
except ModuleNotFoundError as missing:
    raise ExtraMissing("A software passkey", "sandbox") from missing

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

ALGORITHMS = {"ES256": -7, "EdDSA": -8, "RS256": -257}
"""What a software passkey can sign with: name to COSE number."""

SOFTWARE_AAGUID = str(UUID(bytes=b"dlt-authsignal\0\0"))
"""Says in ASCII who made the passkey, so that nobody takes it for a product."""

_PRESENT, _VERIFIED, _ELIGIBLE, _BACKED_UP, _ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Credential:
    """One passkey as the authenticator keeps it. `sign_count` is the last one reported."""

    credential_id: bytes
    rp_id: str
    user_handle: bytes
    user_name: str
    user_display_name: str
    discoverable: bool
    sign_count: int
    private_key: PrivateKey = field(repr=False)


@dataclass(kw_only=True, slots=True, eq=False, repr=False)
class SoftwarePasskey:
    """An authenticator with its passkeys, in a browser that shows one origin.

    Attributes:
        origin: As a browser writes it: `https://host[:port]`, or `http://` for localhost. Not an IP address.
        algorithm: A key of ALGORITHMS for new passkeys; None takes the first one that the site offers.
        attachment: "platform" (a phone, a laptop; passkeys are always discoverable) or "cross-platform" (a security
            key; discoverable if the site prefers or requires it).
        aaguid: Model of the authenticator, as UUID text.
        user_present: Whether somebody touches it. Browsers insist; False shows what a server does.
        user_verified: Whether it can verify its user.
        backup_eligible: Whether passkeys may leave the device.
        backed_up: Whether they have; needs `backup_eligible`.
        counting: Whether the counter rises; False keeps it at 0, as synced passkeys do.

    Raises:
        ConfigurationError: A setting that no browser or authenticator could have.
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
        _check_origin(self.origin)
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
        return f"<SoftwarePasskey at {self.origin}, {len(self._credentials)} passkeys>"

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """Every passkey, oldest first."""
        return tuple(self._credentials)

    def create(self, options: Mapping[str, Any], *, tamper: Tamper = HONEST) -> dict[str, Any]:
        """Make a passkey; what `navigator.credentials.create` does.

        Args:
            options: PublicKeyCredentialCreationOptionsJSON. Attestation "direct" and "indirect" give packed self
                attestation, anything else "none".
            tamper: Lies to tell.

        Returns:
            RegistrationResponseJSON.

        Raises:
            OptionsUnusable: A field is missing or malformed.
            ForeignRelyingParty: `rp.id` is not the origin's to use.
            AlgorithmUnsupported: No algorithm in common.
            PasskeyNotAllowed: Wrong attachment, or verification is required and not to be had.
            PasskeyExists: `excludeCredentials` lists a passkey of this authenticator.
        """
        client_data = self._client_data("webauthn.create", _bytes(options, "challenge"), tamper)
        rp_id = self._relying_party(_part(options, "rp").get("id"), tamper)
        user = _user(options)
        algorithm = self._negotiated(_rows(options, "pubKeyCredParams", required=True))
        selection = _part(options, "authenticatorSelection", required=False)
        if selection.get("authenticatorAttachment", self.attachment) not in (self.attachment, None):
            raise PasskeyNotAllowed(
                f"the site wants another authenticator than a {self.attachment} one. Make the passkey with attachment"
                f'="{selection["authenticatorAttachment"]}".'
            )
        flags = self._flags(selection.get("userVerification"), tamper)
        if self._matching(rp_id, _rows(options, "excludeCredentials")):
            raise PasskeyExists(
                "excludeCredentials lists a passkey of this authenticator: it is enrolled already."
                " Sign in with it, or enrol another SoftwarePasskey."
            )
        credential = Credential(
            credential_id=secrets.token_bytes(32) if tamper.credential_id is None else tamper.credential_id,
            rp_id=rp_id,
            user_handle=user[0] if tamper.user_handle is None else tamper.user_handle,
            user_name=user[1],
            user_display_name=user[2],
            discoverable=self.attachment == "platform" or _wants_resident(selection),
            sign_count=0,
            private_key=_new_key(algorithm),
        )
        response = self._attestation(credential, client_data, flags, options.get("attestation"), tamper)
        self._credentials.append(credential)
        wanted = _part(options, "extensions", required=False).get("credProps")
        results = {"credProps": {"rk": credential.discoverable}} if wanted else {}
        return self._answer(credential.credential_id, response, results)

    def get(self, options: Mapping[str, Any], *, tamper: Tamper = HONEST) -> dict[str, Any]:
        """Sign in with the newest passkey that fits; what `navigator.credentials.get` does.

        Args:
            options: PublicKeyCredentialRequestOptionsJSON. Without `allowCredentials`, discoverable passkeys fit.
            tamper: Lies to tell.

        Returns:
            AuthenticationResponseJSON; `userHandle` is absent if the passkey is not discoverable.

        Raises:
            OptionsUnusable: A field is missing or malformed.
            ForeignRelyingParty: `rpId` is not the origin's to use.
            PasskeyNotAllowed: No passkey fits, or verification is required and not to be had.
        """
        client_data = self._client_data("webauthn.get", _bytes(options, "challenge"), tamper)
        rp_id = self._relying_party(options.get("rpId"), tamper)
        flags = self._flags(options.get("userVerification"), tamper)
        allowed = _rows(options, "allowCredentials")
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
            "clientDataJSON": _text(client_data),
            "authenticatorData": _text(data),
            "signature": _text(_sign(credential.private_key, data, client_data, tamper)),
        }
        if credential.discoverable or tamper.user_handle is not None:
            handle = credential.user_handle if tamper.user_handle is None else tamper.user_handle
            response["userHandle"] = _text(handle)
        return self._answer(
            credential.credential_id if tamper.credential_id is None else tamper.credential_id, response, {}
        )

    def export(self) -> dict[str, Any]:
        """Everything, for `load`, as a dict that JSON can hold.

        It is a secret: private keys are in it as unencrypted PEM. Keep it as you keep a password.
        """
        settings = {entry.name: getattr(self, entry.name) for entry in fields(self) if entry.init}
        return {**settings, "credentials": [_exported(value) for value in self._credentials]}

    @classmethod
    def load(cls, exported: Mapping[str, Any]) -> Self:
        """The authenticator that `export` wrote.

        Raises:
            ConfigurationError: It is not what `export` wrote.
        """
        try:
            passkey = cls(**{name: value for name, value in exported.items() if name != "credentials"})
            passkey._credentials.extend(_imported(row) for row in exported["credentials"])
        except (AttributeError, KeyError, TypeError, ValueError, UnsupportedAlgorithm):
            # the cause may quote a key
            raise ConfigurationError(
                "This is not an exported passkey. Pass what SoftwarePasskey.export() gave."
            ) from None
        return passkey

    def _relying_party(self, wanted: Any, tamper: Tamper) -> str:
        host = urlsplit(self.origin).hostname or ""
        if wanted is None:
            return host
        if not isinstance(wanted, str):
            raise OptionsUnusable("the relying party id is not text. Send a domain such as localhost.")
        # there is no list of public suffixes here: one label stands for it, so "com" is refused and "co.uk" is not
        parent = "." in wanted and host.endswith(f".{wanted}")
        if wanted == host or parent or tamper.origin is not None or tamper.rp_id is not None:
            return wanted
        raise ForeignRelyingParty(
            f'"{wanted}" is neither the host of {self.origin} nor a parent domain of it. Set the server\'s relying'
            " party id to the host of the page, or the passkey's origin to the page."
        )

    def _negotiated(self, offered: list[Mapping[str, Any]]) -> int:
        numbers = [row.get("alg") for row in offered if row.get("type") == "public-key"]
        if not offered:
            numbers = [ALGORITHMS["ES256"], ALGORITHMS["RS256"]]  # what WebAuthn puts in place of an empty list
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
                "user verification is required and this passkey has none. Make it with user_verified=True, or ask for"
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
        ids = {_bytes(row, "id") for row in listed if row.get("type") == "public-key"}
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
            "challenge": _text(challenge if tamper.challenge is None else tamper.challenge),
            "origin": self.origin if tamper.origin is None else tamper.origin,
            "crossOrigin": False,
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()

    def _attestation(
        self, credential: Credential, client_data: bytes, flags: int, conveyance: Any, tamper: Tamper
    ) -> dict[str, Any]:
        algorithm, cose = _public(credential.private_key)
        identity = UUID(self.aaguid).bytes + len(credential.credential_id).to_bytes(2, "big") + credential.credential_id
        data = _authenticator_data(
            credential.rp_id if tamper.rp_id is None else tamper.rp_id,
            flags | _ATTESTED,
            credential.sign_count if tamper.sign_count is None else tamper.sign_count,
            identity + cbor2.dumps(cose),
        )
        statement: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        if conveyance in ("direct", "indirect"):
            signature = _sign(credential.private_key, data, client_data, tamper)
            statement = {"fmt": "packed", "attStmt": {"alg": algorithm, "sig": signature}, "authData": data}
        spki = credential.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "clientDataJSON": _text(client_data),
            "attestationObject": _text(cbor2.dumps(statement)),
            "transports": self._transports(),
            "publicKeyAlgorithm": algorithm,
            "publicKey": _text(spki),
            "authenticatorData": _text(data),
        }

    def _transports(self) -> list[str]:
        if self.attachment == "cross-platform":
            return ["nfc", "usb"]
        return ["hybrid", "internal"] if self.backup_eligible else ["internal"]

    def _answer(self, credential_id: bytes, response: dict[str, Any], extensions: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": _text(credential_id),
            "rawId": _text(credential_id),
            "type": "public-key",
            "authenticatorAttachment": self.attachment,
            "clientExtensionResults": extensions,
            "response": response,
        }


def _check_origin(origin: str) -> None:
    parts = urlsplit(origin)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    default_port = {"https": 443, "http": 80}.get(parts.scheme)
    written = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    if not host or default_port in (None, port) or origin != written or not origin.isascii():
        raise ConfigurationError(
            f'origin must be written as a browser does: https://host[:port], lower case, no path; got "{origin}".'
        )
    if _is_address(host):
        raise ConfigurationError(f"Browsers have no passkeys at an IP address. Use localhost instead of {host}.")
    if parts.scheme == "http" and host != "localhost" and not host.endswith(".localhost"):
        raise ConfigurationError(f"Browsers have no passkeys over http, except at localhost. Use https://{host}.")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _part(options: Mapping[str, Any], name: str, *, required: bool = True) -> Mapping[str, Any]:
    value = options.get(name)
    if value is None and not required:
        return {}
    if not isinstance(value, Mapping):
        raise _unusable(name, "an object")
    return value


def _rows(options: Mapping[str, Any], name: str, *, required: bool = False) -> list[Mapping[str, Any]]:
    value = options.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(row, Mapping) for row in value):
        raise _unusable(name, "a list of objects")
    return list(value)


def _bytes(options: Mapping[str, Any], name: str) -> bytes:
    value = options.get(name)
    if not isinstance(value, str) or not _BASE64URL.fullmatch(value) or len(value) % 4 == 1:
        raise _unusable(name, "base64url text without padding")
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


def _user(options: Mapping[str, Any]) -> tuple[bytes, str, str]:
    user = _part(options, "user")
    handle, name, display_name = _bytes(user, "id"), user.get("name"), user.get("displayName")
    if not 1 <= len(handle) <= 64:
        raise _unusable("user.id", "1 to 64 bytes")
    if not isinstance(name, str) or not isinstance(display_name, str):
        raise _unusable("user.name or user.displayName", "text")
    return handle, name, display_name


def _unusable(name: str, form: str) -> OptionsUnusable:
    return OptionsUnusable(
        f"`{name}` is missing or is not {form}. Pass the options themselves, without what the server wraps them in."
    )


def _wants_resident(selection: Mapping[str, Any]) -> bool:
    wanted = selection.get("residentKey")
    return bool(selection.get("requireResidentKey")) if wanted is None else wanted in ("preferred", "required")


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _authenticator_data(rp_id: str, flags: int, count: int, attested: bytes = b"") -> bytes:
    return sha256(rp_id.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big") + attested


def _new_key(algorithm: int) -> PrivateKey:
    if algorithm == ALGORITHMS["ES256"]:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ALGORITHMS["EdDSA"]:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(key: PrivateKey) -> tuple[int, dict[int, Any]]:
    """(COSE algorithm, COSE key in CTAP2's canonical order)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return -7, {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return -8, {1: 1, 3: -8, -1: 6, -2: key.public_key().public_bytes_raw()}
    numbers = key.public_key().public_numbers()
    return -257, {1: 3, 3: -257, -1: numbers.n.to_bytes(key.key_size // 8, "big"), -2: numbers.e.to_bytes(3, "big")}


def _sign(key: PrivateKey, data: bytes, client_data: bytes, tamper: Tamper) -> bytes:
    message = data + sha256(client_data).digest() + (b"spoiled" if tamper.bad_signature else b"")
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(SHA256()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return key.sign(message, padding.PKCS1v15(), SHA256())


def _exported(credential: Credential) -> dict[str, Any]:
    pem = credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kept = {entry.name: getattr(credential, entry.name) for entry in fields(credential)}
    return {
        **kept,
        "credential_id": _text(credential.credential_id),
        "user_handle": _text(credential.user_handle),
        "private_key": pem.decode(),
    }


def _imported(kept: Mapping[str, Any]) -> Credential:
    key = load_pem_private_key(kept["private_key"].encode(), None)
    if not isinstance(key, PrivateKey) or (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name != "secp256r1"
    ):
        raise ValueError("an algorithm that create() does not make")
    return Credential(
        **{
            **kept,
            "credential_id": _bytes(kept, "credential_id"),
            "user_handle": _bytes(kept, "user_handle"),
            "private_key": key,
        }
    )
