"""Every public exception, by who must act.

AuthsignalError
├── ConfigurationError        yours to fix; the command exits with 2
│   ├── CredentialsMissing    no API is accessible
│   ├── Unauthorized          wrong key, or right key in the wrong region
│   ├── TokenExpired          a bearer token past its few minutes
│   ├── ListingRefused        the tenant does not list users without a filter
│   ├── UserIdsUnreadable      a file or a query for user ids that cannot be used
│   ├── NoData         a database to be looked at is not there
│   ├── NotACanary            the user that a probe was to use may be a person
│   ├── UserErased            a user who was erased was to be loaded again
│   └── ExtraMissing          an optional part is not installed
├── RunFailed                 the run did not complete; the command exits with 1
│   ├── Unreachable           no connection, after all retries
│   ├── RateLimited           429, after all retries
│   ├── ServerFault           5xx, after all retries
│   ├── UnexpectedAnswer      not what the API documents: HTML, a cut body, another shape
│   ├── PagingLoop            a cursor that came back a second time
│   ├── RequestRefused        any other 4xx or 3xx
│   ├── PipelineBusy          another sync works in the same pipeline folder
│   ├── TooManyDeletes           more would be marked as deleted than max_deletes allows
│   ├── DataTooOld            no sync has succeeded lately
│   └── ProbeFailed           a passkey ceremony failed, or the tenant's WebAuthn policy is not what it was
├── CeremonyRefused           a browser refuses this passkey ceremony too; `dom_name` is what it would throw
│   ├── PasskeyNotAllowed     NotAllowedError: no passkey fits the request, or the user is not verified
│   ├── PasskeyExists         InvalidStateError: the site asked not to enrol this authenticator twice
│   ├── AlgorithmUnsupported  NotSupportedError: no signature algorithm in common
│   ├── ForeignRelyingParty   SecurityError: the relying party id is not the origin's to use
│   └── OptionsUnusable       TypeError: the options lack a field, or hold one in another form
├── QueryRefused              SQL that the MCP server does not run, or that is wrong
├── SignatureRefused          a webhook that Authsignal did not sign, or not lately
└── MutationRefused           a request was about to leave that its session must not send

Messages name the request by its route (`GET /users/{userId}`), never by the user, and never carry a key or a token.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution
from typing import ClassVar
from urllib.parse import unquote, urlsplit


class AuthsignalError(Exception):
    """Base of everything this package raises on purpose."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False


class ConfigurationError(AuthsignalError):
    """Something the caller set is missing or wrong."""

    exit_code = 2


class CredentialsMissing(ConfigurationError):
    """No credential was found, so no API can be read.

    Args:
        wanted: What they are needed for.
        blank: Settings that are there, but empty or still an example's.
    """

    def __init__(self, wanted: str = "any API", blank: Sequence[str] = ()) -> None:
        self.wanted = wanted
        self.blank = tuple(blank)
        noted = f" ({', '.join(blank)}: there, but empty or still the example's)" if blank else ""
        super().__init__(
            f"No Authsignal credentials found for {wanted}{noted}. Put api_secret_key (Server API: everybody's"
            " users, authenticators, actions, devices) or token and tenant_id (Client API: one user) under"
            " [sources.authsignal_source] in .dlt/secrets.toml, or set"
            " SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY. No account at hand? Run: dlt-authsignal demo"
        )


class HttpError(AuthsignalError):
    """An answer, or the lack of one, to one request.

    Attributes:
        request: Method and route template, such as `GET /users/{userId}`.
        status: HTTP status, None when no answer came.
        error_code: Authsignal's `errorCode`, None when the body had none.
        retry_after: Seconds the server asked to wait, None when it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str,
        status: int | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.request = request
        self.status = status
        self.error_code = error_code
        self.retry_after = retry_after
        super().__init__(message)

    @property
    def kind(self) -> str:
        """What it is, to be counted: the status, or that a success status came with something else than an answer."""
        return str(self.status) if self.status and not 200 <= self.status < 300 else "unreadable answer"


class Unauthorized(HttpError, ConfigurationError):
    """401 or 403: the key is wrong, or belongs to another region."""

    exit_code = 2


class TokenExpired(HttpError, ConfigurationError):
    """The bearer token of the Client API has expired."""

    exit_code = 2


class ListingRefused(HttpError, ConfigurationError):
    """The tenant refuses `GET /users` without a filter."""

    exit_code = 2


class UserIdsUnreadable(ConfigurationError):
    """What was named as a source of user ids cannot be read, or names nobody."""


class NoData(ConfigurationError):
    """The database that was to be looked at is not there."""

    def __init__(self, pipeline: str, place: str) -> None:
        super().__init__(
            f'Nothing has been synced by pipeline "{pipeline}" yet, as far as can be seen from here: there is no'
            f" {place}. Run: dlt-authsignal sync. Another --pipeline-name names another file."
        )


class NotACanary(ConfigurationError):
    """The user that a probe was to use may be a person."""

    def __init__(self, signs: str) -> None:
        super().__init__(
            f"This user has {signs} that no probe made, so it may be a person. Nothing was changed."
            " Give the probe a user id that nobody else uses, such as --user canary."
        )


class UserErased(ConfigurationError):
    """A user who was erased was named, by a token or as a canary.

    Attributes:
        erased_at: Date of the tombstone.
    """

    def __init__(self, erased_at: datetime) -> None:
        self.erased_at = erased_at
        super().__init__(
            f"This user was erased from the dataset on {erased_at:%Y-%m-%d} and is not loaded again. If they came back:"
            " dlt-authsignal erase --lift USER_ID"
        )


class ExtraMissing(ConfigurationError):
    """A part of the package that ships as an extra is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the '{extra}' extra. Install it with: pip install '{_installable()}[{extra}]'")


def _installable() -> str:
    """What pip installs again: the folder that this package came from, or its name on an index."""
    try:
        origin = json.loads(distribution("dlt-authsignal").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = urlsplit(str(origin.get("url", "")))
    return unquote(url.path) if url.scheme == "file" else "dlt-authsignal"


class RunFailed(AuthsignalError):
    """The run stopped; what it read was not loaded, and the next run starts over."""


class Unreachable(HttpError, RunFailed):
    """No answer came: refused, reset, timed out, or the name does not resolve.

    Attributes:
        kind: Which of these.
    """

    retryable = True
    kind = "no answer"


class RateLimited(HttpError, RunFailed):
    """429."""

    retryable = True


class ServerFault(HttpError, RunFailed):
    """5xx."""

    retryable = True


class UnexpectedAnswer(HttpError, RunFailed):
    """A success status with a body that is not what the API documents."""

    retryable = True


class PagingLoop(HttpError, RunFailed):
    """The listing handed out a cursor it had handed out before."""


class RequestRefused(HttpError, RunFailed):
    """A 4xx or 3xx that no other class names."""


class PipelineBusy(RunFailed):
    """Another process is running the same pipeline."""


class TooManyDeletes(RunFailed):
    """More rows would be marked as deleted than one run may.

    Attributes:
        table: The table they are in.
        gone: Rows that would be marked.
        held: Rows that are there.
        allowed: Rows that may be marked.
    """

    def __init__(self, *, table: str, gone: int, held: int, allowed: int) -> None:
        self.table, self.gone, self.held, self.allowed = table, gone, held, allowed
        super().__init__(
            f"{gone:,} of {held:,} rows of {table} would be marked as deleted: Authsignal no longer shows them. That is"
            f" more than the {allowed:,} that max_deletes allows, so nothing was loaded. Is this the key of the same"
            " tenant, are privacy and privacy_key what they were, and is Authsignal well? If they are really gone, run"
            " again with --accept-deletes."
        )


class DataTooOld(RunFailed):
    """No sync has succeeded for longer than was asked for."""


class ProbeFailed(RunFailed):
    """Passkeys do not work, or work otherwise than last time."""


class CeremonyRefused(AuthsignalError):
    """A passkey ceremony that a browser would have refused before anything was signed.

    Attributes:
        dom_name: Name of the DOMException (or TypeError) that a web page would see.
    """

    dom_name: ClassVar[str] = "UnknownError"

    def __init__(self, message: str) -> None:
        super().__init__(f"{self.dom_name}: {message}")


class PasskeyNotAllowed(CeremonyRefused):
    """No passkey fits the request, or the user is not verified and must be."""

    dom_name = "NotAllowedError"


class PasskeyExists(CeremonyRefused):
    """The authenticator holds a passkey that the site asked not to enrol again."""

    dom_name = "InvalidStateError"


class AlgorithmUnsupported(CeremonyRefused):
    """The site and the authenticator share no signature algorithm."""

    dom_name = "NotSupportedError"


class ForeignRelyingParty(CeremonyRefused):
    """The relying party id is neither the origin's host nor a parent domain of it."""

    dom_name = "SecurityError"


class OptionsUnusable(CeremonyRefused):
    """The options of a ceremony lack a field, or hold it in another form than WebAuthn's JSON."""

    dom_name = "TypeError"


class MutationRefused(AuthsignalError):
    """A request was about to leave a session that must not send it."""


class QueryRefused(AuthsignalError):
    """SQL that is no SELECT on the tables shown, or that DuckDB finds wrong."""


class SignatureRefused(AuthsignalError):
    """A webhook whose signature does not show that Authsignal sent these bytes lately."""
