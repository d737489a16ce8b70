"""Authenticators: enrolled and removed by the server, and read by the server or the user of a token."""

from dataclasses import replace
from typing import Annotated, Final, Literal

from msgspec import Meta

from dlt_authsignal.api import client_endpoints
from dlt_authsignal.api import server_endpoints as endpoints
from dlt_authsignal.sandbox.core.base64_text import decoded
from dlt_authsignal.sandbox.core.bodies import Body
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.server.users import upsert
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant import answers
from dlt_authsignal.sandbox.tenant.catalogue import provider_name
from dlt_authsignal.sandbox.tenant.entities import Authenticator, Credential
from dlt_authsignal.sandbox.verification import otp_uri

NO_AAGUID: Final = "00000000-0000-0000-0000-000000000000"
MAX_BATCH: Final = 1000

Enrollable = Literal["EMAIL_MAGIC_LINK", "EMAIL_OTP", "SMS", "WHATSAPP", "AUTHENTICATOR_APP", "PASSKEY"]


class Enrolment(Body, kw_only=True):
    """Body of `POST /users/{userId}/authenticators`."""

    verification_method: Enrollable
    email: str | None = None
    phone_number: str | None = None
    otp_uri: str | None = None
    credential_id: str | None = None
    credential_public_key: str | None = None
    counter: int = 0
    name: str | None = None
    is_default: bool = False


class BatchPasskey(Body, kw_only=True):
    """One passkey of a batch."""

    user_id: str
    verification_method: Literal["PASSKEY"]
    credential_id: str
    credential_public_key: str
    name: str | None = None
    transports: list[str] | None = None
    aaguid: str | None = None


class Batch(Body, kw_only=True):
    """Body of `POST /users/authenticators`."""

    authenticators: Annotated[list[BatchPasskey], Meta(max_length=MAX_BATCH)]


class BatchFailure(answers.Answer, kw_only=True):
    """A passkey that was not enrolled."""

    user_id: str
    credential_id: str
    error_code: str
    error_description: str


class BatchResult(answers.Answer, kw_only=True):
    """`POST /users/authenticators`."""

    total: int
    succeeded: int
    failed: int
    failures: list[BatchFailure]


def get_authenticators(call: Call) -> list[answers.Authenticator]:
    return [answers.authenticator(value) for value in call.sandbox.store.authenticators(call.path("userId"))]


def enroll(call: Call, body: Enrolment) -> answers.Enrolled:
    sandbox, user_id = call.sandbox, call.path("userId")
    check_active(sandbox, body.verification_method)
    if body.credential_id and sandbox.store.passkey(body.credential_id):
        raise invalid("The credential already belongs to a user.")
    first = not sandbox.store.authenticators(user_id)
    now = sandbox.clock.now()
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=user_id,
        verification_method=body.verification_method,
        created_at=now,
        verified_at=now,
        is_default=body.is_default or first,
        email=body.email,
        phone_number=body.phone_number,
        previous_sms_channel="DEFAULT" if body.verification_method == "SMS" else None,
        credential=_credential(sandbox, body) if body.verification_method == "PASSKEY" else None,
        totp=otp_uri.parse(body.otp_uri) if body.otp_uri and body.verification_method == "AUTHENTICATOR_APP" else None,
    )
    upsert(sandbox, user_id, {})
    if body.is_default:
        _no_longer_default(sandbox, user_id)
    sandbox.store.put_authenticator(value)
    sandbox.events.authenticator(now, "created", value)
    codes = sandbox.new_recovery_codes(user_id) if first else None
    return answers.Enrolled(authenticator=answers.authenticator(value), recovery_codes=codes)


def _no_longer_default(sandbox: Sandbox, user_id: str) -> None:
    for value in sandbox.store.authenticators(user_id):
        if value.is_default:
            sandbox.store.put_authenticator(replace(value, is_default=False))


def check_active(sandbox: Sandbox, method: str) -> None:
    """Raise Refusal unless the method is configured and active."""
    if method not in sandbox.allowed_methods():
        raise invalid(f"{method} is not enabled for the tenant.")


def _credential(sandbox: Sandbox, body: Enrolment) -> Credential:
    if not body.credential_id or not body.credential_public_key:
        raise invalid("A PASSKEY needs credentialId and credentialPublicKey.")
    return Credential(
        credential_id=body.credential_id,
        device_id=sandbox.new_id(),
        name=body.name or "Passkey",
        aaguid=NO_AAGUID,
        provider=None,
        backed_up=False,
        device_type="singleDevice",
        attachment="platform",
        agent={},
        public_key=public_key(body.credential_public_key),
        sign_count=max(0, body.counter),
    )


def public_key(text: str) -> bytes:
    """Decode a COSE key. Authsignal does not document which kind of base64 it expects."""
    key = decoded(text)
    if not key:
        raise invalid("credentialPublicKey is not base64.")
    return key


def enroll_batch(call: Call, body: Batch) -> BatchResult:
    sandbox = call.sandbox
    check_active(sandbox, "PASSKEY")
    failures = [failure for item in body.authenticators if (failure := _enroll_one(sandbox, item))]
    total = len(body.authenticators)
    return BatchResult(total=total, succeeded=total - len(failures), failed=len(failures), failures=failures)


def _enroll_one(sandbox: Sandbox, item: BatchPasskey) -> BatchFailure | None:
    def failure(code: str, description: str) -> BatchFailure:
        return BatchFailure(
            user_id=item.user_id, credential_id=item.credential_id, error_code=code, error_description=description
        )

    if sandbox.store.passkey(item.credential_id):
        return failure("conflict", "The credential already belongs to a user.")
    try:
        key = public_key(item.credential_public_key)
    except Refusal as refusal:
        return failure(refusal.code, refusal.description)
    now = sandbox.clock.now()
    aaguid = item.aaguid or NO_AAGUID
    value = Authenticator(
        user_authenticator_id=sandbox.new_id(),
        user_id=item.user_id,
        verification_method="PASSKEY",
        created_at=now,
        verified_at=now,
        is_default=not sandbox.store.authenticators(item.user_id),
        credential=Credential(
            credential_id=item.credential_id,
            device_id=sandbox.new_id(),
            name=item.name or provider_name(aaguid) or "Passkey",
            aaguid=aaguid,
            provider=provider_name(aaguid),
            backed_up=False,
            device_type="singleDevice",
            attachment="platform",
            agent={},
            public_key=key,
            transports=tuple(item.transports or ()),
        ),
    )
    upsert(sandbox, item.user_id, {})
    sandbox.store.put_authenticator(value)
    sandbox.events.authenticator(now, "created", value)
    return None


def delete_authenticator(call: Call) -> answers.Success:
    user_id, wanted = call.path("userId"), call.path("userAuthenticatorId")
    for value in call.sandbox.store.authenticators(user_id):
        if value.user_authenticator_id == wanted:
            call.sandbox.store.remove_authenticator(user_id, wanted)
            call.sandbox.events.authenticator(call.sandbox.clock.now(), "deleted", value)
            return answers.Success(success=True)
    raise invalid("The user has no such authenticator.")


def own_authenticators(call: Call) -> list[answers.Authenticator]:
    user_id = call.caller.user.user_id
    return [answers.authenticator(value, client=True) for value in call.sandbox.store.authenticators(user_id)]


ROUTES: tuple[Served, ...] = (
    (endpoints.GET_USER_AUTHENTICATORS, get_authenticators),
    (endpoints.ENROLL_AUTHENTICATOR, enroll),
    (endpoints.ENROLL_AUTHENTICATORS, enroll_batch),
    (endpoints.DELETE_AUTHENTICATOR, delete_authenticator),
    (client_endpoints.CLIENT_AUTHENTICATORS, own_authenticators),
)
