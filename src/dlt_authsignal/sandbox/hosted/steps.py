"""What the forms of the pages do: they call the functions of the Client API's routes, as an application would."""

import inspect
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.responses import RedirectResponse, Response

from dlt_authsignal.api import client_endpoints as api
from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid
from dlt_authsignal.sandbox.hosted import methods
from dlt_authsignal.sandbox.hosted.visit import Visit
from dlt_authsignal.sandbox.http.auth import authenticate
from dlt_authsignal.sandbox.http.dispatch import Call, read_body
from dlt_authsignal.sandbox.http.routes.client import codes, totp
from dlt_authsignal.sandbox.verification.challenge_flow import use_recovery_code

HANDLERS: Final = {**dict(codes.ROUTES), **dict(totp.ROUTES)}

START: Final = {
    "SMS": api.SMS_CHALLENGE,
    "WHATSAPP": api.WHATSAPP_CHALLENGE,
    "EMAIL_OTP": api.EMAIL_OTP_CHALLENGE,
    "EMAIL_MAGIC_LINK": api.EMAIL_MAGIC_LINK_CHALLENGE,
}
ENROL: Final = {
    "SMS": api.SMS_ENROLL,
    "EMAIL_OTP": api.EMAIL_OTP_ENROLL,
    "EMAIL_MAGIC_LINK": api.EMAIL_MAGIC_LINK_ENROLL,
    "AUTHENTICATOR_APP": api.TOTP_ENROLL,
}
VERIFY: Final = {
    "SMS": api.SMS_VERIFY,
    "WHATSAPP": api.WHATSAPP_VERIFY,
    "EMAIL_OTP": api.EMAIL_OTP_VERIFY,
    "AUTHENTICATOR_APP": api.TOTP_VERIFY,
}
CODE_PAGES: Final = ("code", "app")
"""Pages with a field for a code: a wrong code leads back to the one that sent it."""

MOST_FIELDS: Final = 10
RECOVERY_TRIES: Final = 10
RECOVERY_MINUTES: Final = 5
"""Limit of recovery codes, as Authsignal documents it for other codes."""

Form = dict[str, str]


async def form_of(visit: Visit) -> Form:
    """Return the fields of a form.

    Raises:
        Refusal: 400: the body is not a form.
    """
    try:
        parsed = parse_qs((await read_body(visit.request)).decode(), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise invalid("The body is not a form.") from None
    return {name: values[-1].strip() for name, values in parsed.items()}


async def perform(visit: Visit, endpoint: Endpoint, body: Any = None) -> Any:
    """Do what a route of the Client API does for the holder of the visit's token, with the same checks of the token."""
    caller = authenticate(visit.sandbox, endpoint, f"Bearer {visit.token}")
    call, handler = Call(visit.sandbox, visit.request, caller), HANDLERS[endpoint]
    answer = handler(call) if body is None else handler(call, body=body)
    return await answer if inspect.isawaitable(answer) else answer


def go(url: str) -> Response:
    """Lead from a form to a page, which can be reloaded."""
    return RedirectResponse(url, 303)


async def start(visit: Visit) -> Response:
    """Send a code or a link to an enrolled address or number."""
    method = _known((await form_of(visit)).get("method"), START)
    page = "link" if method == methods.LINK else "code"
    try:
        await perform(visit, START[method], codes.SmsRequest() if method == "SMS" else None)
    except Refusal as refusal:
        if refusal.status != 429:
            raise
        return go(visit.url(page, method=method, error="send.too_many"))
    return go(visit.url(page, method=method))


async def enrol(visit: Visit) -> Response:
    """Start the enrolment of an address, a number or an authenticator app."""
    form = await form_of(visit)
    method = _known(form.get("method"), ENROL)
    address = form.get("address", "")
    if method != methods.APP and not address:
        return go(visit.url("address", method=method, error="address.missing"))
    try:
        await perform(visit, ENROL[method], _enrolment(method, address))
    except Refusal as refusal:
        if refusal.status != 429:
            raise
        return go(visit.url("address", method=method, error="send.too_many"))
    pages = {methods.APP: "app", methods.LINK: "link"}
    return go(visit.url(pages.get(method, "code"), method=method))


def _enrolment(method: str, address: str) -> Any:
    if method == methods.APP:
        return None
    return codes.PhoneEnrolment(phone_number=address) if method == "SMS" else codes.EmailEnrolment(email=address)


async def verify(visit: Visit) -> Response:
    """Check a code."""
    form = await form_of(visit)
    method, code = form.get("method", ""), "".join(form.get("code", "").split())
    if method == methods.RECOVERY:
        return await _recover(visit, code)
    method = _known(method, VERIFY)
    answer: codes.Verified = await perform(visit, VERIFY[method], codes.CodeAnswer(verification_code=code))
    if answer.is_verified:
        return _verified(visit, answer)
    why = "code.too_many" if answer.failure_reason == "MAX_ATTEMPTS_EXCEEDED" else "code.wrong"
    return go(visit.url(_known(form.get("page"), CODE_PAGES), method=method, error=why))


async def opened(visit: Visit) -> Response:
    """Continue after the link in an e-mail was opened. A page without JavaScript needs it."""
    answer: codes.Verified = await perform(visit, api.EMAIL_MAGIC_LINK_FINALIZE)
    if answer.is_verified:
        return _verified(visit, answer)
    return go(visit.url("link", method=methods.LINK, error="link.waiting"))


def _verified(visit: Visit, answer: codes.Verified) -> Response:
    added = answer.user_authenticator
    about = {"added": added.verification_method} if added else {}
    return go(visit.url("done", token=answer.access_token, **about))


async def _recover(visit: Visit, code: str) -> Response:
    sandbox, key = visit.sandbox, ("tried", methods.RECOVERY, visit.user.user_id)
    again = {"method": methods.RECOVERY}
    if not sandbox.windows.allow(key, sandbox.clock.now(), limit=RECOVERY_TRIES, minutes=RECOVERY_MINUTES):
        return go(visit.url("code", error="code.too_many", **again))
    if all(offer.method != methods.RECOVERY for offer in methods.challenges(visit)):
        raise invalid("The user has no recovery codes, or the tenant does not use them.")
    try:
        token = await use_recovery_code(sandbox, visit.token, code)
    except ValueError:
        return go(visit.url("code", error="code.wrong", **again))
    return go(visit.url("done", token=token))


def _known(name: str | None, among: Any) -> str:
    if name is None or name not in among:
        raise invalid("The method or page in the form is missing or unknown.")
    return name
