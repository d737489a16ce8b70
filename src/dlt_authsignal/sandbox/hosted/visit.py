"""One visit of the pages: the token of the URL with its user and its attempt, or the reason why there is none."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from dlt_authsignal.sandbox.core.page_urls import PAGES, ReturnUrl, return_url
from dlt_authsignal.sandbox.hosted.texts import Text, texts_for
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions.tokens import Token
from dlt_authsignal.sandbox.tenant.entities import Action, User

POPUP = "popup"
"""The SDK's `mode` for an iframe and for a new window: the pages post messages instead of redirecting."""


class NoVisit(Exception):
    """The URL cannot be used.

    Args:
        name: Which text explains it: `expired` or `invalid`.
        code: Authsignal's code of the error, for the application.
        token: The token, if it is readable but has expired.
    """

    def __init__(self, name: str, code: str, token: Token | None = None) -> None:
        self.name, self.code, self.token = name, code, token
        super().__init__(name)


@dataclass(frozen=True)
class Visit:
    """A valid token, and what it belongs to."""

    sandbox: Sandbox
    request: Request
    token: str
    claims: Token
    user: User
    action: Action

    @property
    def text(self) -> Text:
        return texts_for(self.sandbox.shown_tenant.overrides, self.user.locale)

    @property
    def is_popup(self) -> bool:
        return is_popup(self.request)

    @property
    def back_to(self) -> ReturnUrl | None:
        return return_url(self.action.redirect_url)

    @property
    def may_add(self) -> bool:
        """Whether the token may add authenticators."""
        return "add:authenticators" in self.claims.scopes

    def url(self, page: str, *, token: str | None = None, **query: str) -> str:
        """Return the path of a page of this visit."""
        mode = {"mode": POPUP} if self.is_popup else {}
        return f"{PAGES}{page}?{urlencode({'token': token or self.token, **mode, **query})}"


def is_popup(request: Request) -> bool:
    return request.query_params.get("mode") == POPUP


def visit(sandbox: Sandbox, request: Request) -> Visit:
    """Return the visit of a request.

    Raises:
        NoVisit: The token is missing, wrong or expired, or its user or attempt was deleted.
    """
    text = request.query_params.get("token", "")
    token = sandbox.token(text)
    if token is None:
        raise NoVisit("invalid", "unauthorized")
    action = sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    user = sandbox.store.get_user(token.user_id)
    if action is None or user is None:
        raise NoVisit("invalid", "unauthorized")
    if token.expires_at <= sandbox.clock.now().timestamp():
        raise NoVisit("expired", "expired_token", token)
    return Visit(sandbox, request, text, token, user, action)
