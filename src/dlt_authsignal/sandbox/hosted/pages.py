"""The pages, by the state of the visit. None of them changes anything: forms do, in `steps`."""

from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from dlt_authsignal.sandbox.core.hosts import host_of
from dlt_authsignal.sandbox.core.refusals import invalid
from dlt_authsignal.sandbox.hosted import methods
from dlt_authsignal.sandbox.hosted.render import notice, page
from dlt_authsignal.sandbox.hosted.visit import Visit
from dlt_authsignal.sandbox.http.routes.client.totp import uri_of
from dlt_authsignal.sandbox.http.routes.server.actions import relying_party

MET: Final = "CHALLENGE_SUCCEEDED"

NOTICES: Final = {
    "BLOCK": "BLOCK",
    "REVIEW_REQUIRED": "REVIEW",
    "REVIEW_FAILED": "BLOCK",
    "REVIEW_SUCCEEDED": "nothing",
    "CHALLENGE_FAILED": "FAILED",
    MET: "used",
}
"""Text of the page for a state in which there is nothing to do."""


def index(visit: Visit) -> Response:
    """Choose a method: of those that are enrolled, else to enrol. A single one that sends nothing is shown directly."""
    state = visit.action.state
    if state in NOTICES:
        return _notice(visit, NOTICES[state])
    offers = methods.challenges(visit) if state == "CHALLENGE_REQUIRED" else []
    if not offers:
        return _enrol(visit)
    ready = [offer.method for offer in offers if offer.method != methods.RECOVERY]
    chosen = "choose" in visit.request.query_params
    if len(ready) == 1 and ready[0] not in methods.MESSAGES and not chosen:
        return RedirectResponse(visit.url("device" if ready[0] in methods.DEVICE else "code", method=ready[0]), 302)
    return page(visit, "choose.html", name="choose", offers=offers, enrolling=False)


def _enrol(visit: Visit) -> Response:
    offers = methods.enrolments(visit)
    if offers:
        return page(visit, "choose.html", name="enrol", offers=offers, enrolling=True)
    return _notice(visit, "no_method" if visit.action.state == "CHALLENGE_REQUIRED" else "nothing")


def _notice(visit: Visit, name: str) -> Response:
    return notice(visit.sandbox, visit.request, name, 200, text=visit.text, back=visit.back_to)


def code(visit: Visit) -> Response:
    """Enter a code."""
    method = _method(visit, (*methods.CHALLENGES, methods.RECOVERY))
    return page(visit, "code.html", method=method, address=methods.sent_to(visit, method), others=_others(visit))


def address(visit: Visit) -> Response:
    """Enter an address or a number to enrol."""
    method = _method(visit, methods.MESSAGES)
    known = visit.user.phone_number if method == "SMS" else visit.user.email
    return page(visit, "address.html", method=method, known=known or "", phone=method == "SMS")


def app(visit: Visit) -> Response:
    """Scan the QR code of an authenticator app that is being enrolled."""
    value = methods.pending(visit, methods.APP)
    if value is None or value.totp is None or not visit.may_add:
        return RedirectResponse(visit.url(""), 302)
    secret = value.totp.secret
    groups = " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))
    uri = uri_of(visit.sandbox, visit.user, secret)
    return page(visit, "app.html", qr=_qr(uri), secret=groups, uri=uri, method=methods.APP)


def _qr(uri: str) -> Any:
    """Return the QR code as SVG without styles, which the policy of the page forbids."""
    import segno
    from markupsafe import Markup

    return Markup(segno.make(uri, error="m").svg_inline(omitsize=True, border=4, light="#fff"))  # noqa: S704 - no input


def link(visit: Visit) -> Response:
    """Wait until the link in an e-mail is opened."""
    return page(visit, "link.html", address=methods.sent_to(visit, methods.LINK), others=_others(visit))


def device(visit: Visit) -> Response:
    """Use a passkey or a security key."""
    return page(visit, "device.html", method=_method(visit, methods.DEVICE), create=False, **_device(visit))


def create(visit: Visit) -> Response:
    """Create a passkey, or add a security key."""
    return page(visit, "device.html", method=_method(visit, methods.DEVICE), create=True, **_device(visit))


def _device(visit: Visit) -> dict[str, Any]:
    domain, host = relying_party(visit.sandbox), host_of(visit.request.headers.get("host", "")) or ""
    elsewhere = host != domain and not host.endswith(f".{domain}")
    return {"others": _others(visit), "elsewhere": elsewhere, "domain": domain, "host": host, "skip": None}


def done(visit: Visit) -> Response:
    """Show what was enrolled, and offer a passkey if a rule asks for it. Without either, finish."""
    if visit.action.state == "CHALLENGE_REQUIRED" and methods.challenges(visit):
        return RedirectResponse(visit.url(""), 302)
    added, hide = visit.request.query_params.get("added"), visit.sandbox.tenant.details.get
    recovery = _new_recovery_codes(visit)
    if added in methods.ENROLMENTS and (recovery or not hide("hideSuccessScreenOnEnrollment")):
        return page(visit, "done.html", method=added, codes=recovery)
    if not added and _is_prompted(visit):
        about = {**_device(visit), "others": False, "skip": visit.url("finish")}
        return page(visit, "device.html", method="PASSKEY", create=True, **about)
    return finish(visit)


def _new_recovery_codes(visit: Visit) -> list[str]:
    """Return the recovery codes of a user who has just enrolled their first authenticator here, and make them once.

    Only the attempt that enrolled it may see them: otherwise any token of the user would be as good as the codes.
    """
    sandbox, user_id, held = visit.sandbox, visit.user.user_id, methods.verified(visit)
    details = sandbox.tenant.details
    if details.get("disableRecoveryCodes") or details.get("hideRecoveryCodesOnEnrollment"):
        return []
    if methods.RECOVERY not in sandbox.tenant.active_methods() or visit.action.state != MET or len(held) != 1:
        return []
    first = held[0]
    here = first.user_authenticator_id == visit.action.verified_by and first.last_verified_at is None
    if not here or not first.verified_at or first.verified_at < visit.action.created_at:
        return []
    return sorted(sandbox.recovery_codes.get(user_id) or sandbox.new_recovery_codes(user_id))


def _is_prompted(visit: Visit) -> bool:
    """Return whether the action's rule asks to enrol a passkey, and the user has none."""
    wanted = (visit.action.output or {}).get("promptToEnrollVerificationMethods") or ()
    has = any(value.verification_method == "PASSKEY" for value in methods.verified(visit))
    return "PASSKEY" in wanted and not has and any(offer.method == "PASSKEY" for offer in methods.enrolments(visit))


def finish(visit: Visit) -> Response:
    """Hand the token to the application."""
    if visit.back_to and not visit.is_popup:
        return RedirectResponse(visit.back_to.with_token(visit.token), 302)
    unsafe = bool(visit.action.redirect_url) and visit.back_to is None
    return page(visit, "finish.html", unsafe=unsafe)


def _method(visit: Visit, known: tuple[str, ...]) -> str:
    method = visit.request.query_params.get("method", "")
    if method not in known:
        raise invalid("This page does not offer this method.")
    return method


def _others(visit: Visit) -> bool:
    """Return whether the user can choose another method."""
    if visit.action.state == "CHALLENGE_REQUIRED" and methods.verified(visit):
        return len(methods.challenges(visit)) > 1
    return len(methods.enrolments(visit)) > 1
