"""Error responses, by their documented codes."""

from dlt_authsignal.api.responses import UNAUTHORIZED_TEXT


class Refusal(Exception):
    """An error response.

    Args:
        status: HTTP status.
        code: Authsignal's short code, sent as `error` and as `errorCode`.
        description: Text for the reader, without personal data.
        headers: Extra response headers.
    """

    def __init__(self, status: int, code: str, description: str, headers: dict[str, str] | None = None) -> None:
        self.status, self.code, self.description, self.headers = status, code, description, headers
        super().__init__(code)


def invalid(description: str) -> Refusal:
    return Refusal(400, "invalid_request", description)


def unauthorized() -> Refusal:
    return Refusal(401, "unauthorized", UNAUTHORIZED_TEXT)


def expired_token() -> Refusal:
    return Refusal(401, "expired_token", "The token has expired.")


def not_found(what: str) -> Refusal:
    """A 404. Authsignal documents it for value lists only; for other objects it is assumed."""
    return Refusal(404, "not_found", f"There is no such {what}.")


def too_many_requests(retry_after: int | None = None) -> Refusal:
    headers = None if retry_after is None else {"retry-after": str(retry_after)}
    return Refusal(429, "too_many_requests", "Too many requests. Wait, then try again.", headers)
