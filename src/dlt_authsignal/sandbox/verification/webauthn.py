"""WebAuthn ceremonies: options, and responses verified by py_webauthn."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from dlt_authsignal.sandbox.core.base64_text import decoded, url_safe
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.tenant.catalogue import provider_name
from dlt_authsignal.sandbox.tenant.entities import Authenticator, Credential
from dlt_authsignal.sandbox.verification import user_agent

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

Json = dict[str, Any]
Kind = Literal["PASSKEY", "SECURITY_KEY"]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The relying party's requirements for an authenticator.

    Attributes:
        relying_party: rpId.
        name: Name that the browser shows.
        origins: Accepted origins. Empty: every origin whose host is the relying party or below it.
        user_verification: required, preferred or discouraged.
        attachment: platform, cross-platform, or None for either.
    """

    relying_party: str
    name: str
    origins: tuple[str, ...]
    user_verification: str
    attachment: str | None


def policy(sandbox: Sandbox, kind: Kind) -> Policy:
    """Return the tenant's requirements. Security keys share the passkeys' relying party."""
    passkeys = sandbox.tenant.method("PASSKEY") or {}
    mine = sandbox.tenant.method(kind) or {}
    is_key = kind == "SECURITY_KEY"
    attachment = mine.get("authenticatorAttachment", "cross-platform" if is_key else None)
    return Policy(
        relying_party=passkeys.get("relyingParty") or sandbox.config.relying_party,
        name=sandbox.tenant.details.get("name") or "Sandbox",
        origins=tuple(passkeys.get("expectedOrigins", sandbox.config.expected_origins)),
        user_verification=mine.get("userVerificationRequirement", "discouraged" if is_key else "required"),
        attachment=None if attachment == "all-supported" else attachment,
    )


def user_handle(sandbox: Sandbox, user_id: str) -> bytes:
    """Return 32 bytes that do not reveal the user id, as WebAuthn requires."""
    return hashlib.sha256(f"{sandbox.config.tenant_id}:{user_id}".encode()).digest()


def new_challenge() -> bytes:
    return secrets.token_bytes(32)


def registration_options(
    sandbox: Sandbox,
    kind: Kind,
    challenge: bytes,
    *,
    user_id: str,
    username: str | None,
    display_name: str | None,
    attachment: str | None,
) -> Json:
    """PublicKeyCredentialCreationOptionsJSON."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorAttachment,
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    asked = policy(sandbox, kind)
    wanted = attachment or asked.attachment
    name = username or user_id
    options = generate_registration_options(
        rp_id=asked.relying_party,
        rp_name=asked.name,
        user_id=user_handle(sandbox, user_id),
        user_name=name,
        user_display_name=display_name or name,
        challenge=challenge,
        timeout=sandbox.token_minutes * 60_000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            authenticator_attachment=AuthenticatorAttachment(wanted) if wanted else None,
            resident_key=(ResidentKeyRequirement.REQUIRED if kind == "PASSKEY" else ResidentKeyRequirement.DISCOURAGED),
            require_resident_key=kind == "PASSKEY",
            user_verification=UserVerificationRequirement(asked.user_verification),
        ),
        exclude_credentials=_descriptors(sandbox, kind, user_id),
    )
    value: Json = json.loads(options_to_json(options))
    return value


def authentication_options(sandbox: Sandbox, kind: Kind, challenge: bytes, user_id: str | None) -> Json:
    """PublicKeyCredentialRequestOptionsJSON; without a user, any discoverable passkey is accepted."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    asked = policy(sandbox, kind)
    options = generate_authentication_options(
        rp_id=asked.relying_party,
        challenge=challenge,
        timeout=sandbox.token_minutes * 60_000,
        allow_credentials=_descriptors(sandbox, kind, user_id) if user_id is not None else [],
        user_verification=UserVerificationRequirement(asked.user_verification),
    )
    value: Json = json.loads(options_to_json(options))
    return value


def _descriptors(sandbox: Sandbox, kind: Kind, user_id: str) -> "list[PublicKeyCredentialDescriptor]":
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    known = {item.value for item in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(value.credential.credential_id),
            transports=[AuthenticatorTransport(name) for name in value.credential.transports if name in known],
        )
        for value in sandbox.store.authenticators(user_id)
        if value.verification_method == kind and value.credential and value.verified_at and _is_id(value.credential)
    ]


def _is_id(credential: Credential) -> bool:
    """Credential ids that a server enrolled are free text; only base64 can be offered to a browser."""
    return decoded(credential.credential_id) is not None


def normalised(credential: Json) -> Json:
    """Return a browser's response with all of its base64 in the URL-safe form that WebAuthn and py_webauthn use.

    Apps that build the response themselves send standard base64 or padding too.
    """
    response = credential.get("response")
    return {
        **credential,
        **_url_safe(credential, "id", "rawId"),
        **({"response": {**response, **_url_safe(response, *_BINARY)}} if isinstance(response, dict) else {}),
    }


_BINARY: Final = ("clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle")


def _url_safe(value: Json, *names: str) -> Json:
    return {name: url_safe(value[name]) for name in names if isinstance(value.get(name), str)}


def verify_registration(
    sandbox: Sandbox, kind: Kind, challenge: Challenge, credential: Json, *, agent: str | None, silent: bool
) -> Credential:
    """Return the credential that a browser created.

    Args:
        silent: Created without asking the user (conditional create), so presence is not required.

    Raises:
        Refusal: `invalid_credential`.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import WebAuthnException

    asked, credential = policy(sandbox, kind), normalised(credential)
    try:
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge.webauthn or b"",
            expected_rp_id=asked.relying_party,
            expected_origin=_origin(asked, credential),
            require_user_presence=not silent,
            require_user_verification=asked.user_verification == "required" and not silent,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise invalid_credential(error) from None
    response = credential.get("response")
    transports = response.get("transports") if isinstance(response, dict) else None
    provider = provider_name(verified.aaguid)
    return Credential(
        credential_id=bytes_to_base64url(verified.credential_id),
        device_id=sandbox.new_id(),
        name=provider or "Passkey",
        aaguid=verified.aaguid,
        provider=provider,
        backed_up=verified.credential_backed_up,
        device_type="multiDevice" if verified.credential_device_type.value == "multi_device" else "singleDevice",
        attachment=_attachment(credential),
        agent=user_agent.parsed(agent) if agent else {},
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        transports=tuple(text for text in transports if isinstance(text, str)) if isinstance(transports, list) else (),
        enrolled_by_ceremony=True,
    )


def _attachment(credential: Json) -> str:
    return "cross-platform" if credential.get("authenticatorAttachment") == "cross-platform" else "platform"


def verify_authentication(
    sandbox: Sandbox, kind: Kind, challenge: Challenge, authenticator: Authenticator, credential: Json
) -> int:
    """Return the new sign count of a credential whose response is right.

    Raises:
        Refusal: `invalid_credential`.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    asked, held, credential = policy(sandbox, kind), authenticator.credential, normalised(credential)
    if held is None or held.public_key is None:
        raise Refusal(
            400, "invalid_credential", "The sandbox invented this credential, so its private key does not exist."
        )
    _check_handle(sandbox, authenticator, credential)
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge.webauthn or b"",
            expected_rp_id=asked.relying_party,
            expected_origin=_origin(asked, credential),
            credential_public_key=held.public_key,
            credential_current_sign_count=held.sign_count,
            require_user_verification=asked.user_verification == "required",
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise invalid_credential(error) from None
    return verified.new_sign_count


def _check_handle(sandbox: Sandbox, authenticator: Authenticator, credential: Json) -> None:
    from webauthn.helpers import bytes_to_base64url

    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, dict) else None
    enrolled_here = authenticator.credential and authenticator.credential.enrolled_by_ceremony
    if handle and enrolled_here and handle != bytes_to_base64url(user_handle(sandbox, authenticator.user_id)):
        raise Refusal(400, "invalid_credential", "The user handle is another user's.")


def _origin(asked: Policy, credential: Json) -> str:
    """Return the browser's origin, if it is one of the tenant's, or the tenant has none and it is at or below the rpId.

    Raises:
        ValueError: Another origin, or an unreadable one.
    """
    from webauthn.helpers import base64url_to_bytes

    origin = str(json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))["origin"])
    if asked.origins:
        if origin in asked.origins:
            return origin
        raise ValueError(f"the origin {_short(origin)} is not one of {', '.join(asked.origins)}")
    host = urlsplit(origin).hostname or ""
    if host == asked.relying_party or host.endswith(f".{asked.relying_party}"):
        return origin
    raise ValueError(f"the origin {_short(origin)} is not at or below {asked.relying_party}")


def _short(origin: str) -> str:
    return "".join(letter for letter in origin[:80] if letter.isprintable() and letter not in "\"'")


def invalid_credential(error: Exception) -> Refusal:
    return Refusal(400, "invalid_credential", f"The credential was not accepted: {_reason(error)}")


def _reason(error: Exception) -> str:
    """Return py_webauthn's message without the values in it."""
    return str(error).partition('"')[0].partition("b'")[0].strip(" :,") or type(error).__name__
