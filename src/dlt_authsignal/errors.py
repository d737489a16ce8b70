"""Every public exception, grouped by who has to act.

AuthsignalError
├── ConfigurationError        you have to change something; the command exits with 2
│   ├── CredentialsMissing    no key or token was found
│   ├── Unauthorized          wrong key, or a key of another region
│   ├── TokenExpired          the bearer token has expired
│   ├── ListingRefused        the tenant refuses to list users without a filter
│   ├── UserIdsUnreadable     a user id source (file or query) cannot be read or has no ids
│   ├── NoData                the database to be read does not exist yet
│   ├── NotACanary            the user given to a probe may be a real person
│   ├── OtherTenant           the dataset holds another tenant, or was loaded with another key
│   ├── DatasetTooOld         an earlier version made the dataset, with tables that cannot be upgraded
│   ├── UserErased            the requested user was erased and must not be loaded again
│   ├── FixtureInvalid        a fixture or a state file of the sandbox cannot be read
│   ├── RecordingUnreadable   a file is not a recording of the sandbox
│   └── ExtraMissing          an optional part is not installed
├── RunFailed                 the run did not complete; the command exits with 1
│   ├── Unreachable           no connection, after all retries
│   ├── RateLimited           429, after all retries
│   ├── ServerFault           5xx, after all retries
│   ├── UnexpectedAnswer      an undocumented response: HTML, a truncated body, another structure
│   │   └── TooLarge          a body above the size limit; not retried
│   ├── PagingLoop            the user list does not end
│   ├── RequestRefused        any other 3xx or 4xx
│   ├── WorkerLost            a process that reads users ended twice before it was done
│   ├── RayUnavailable        Ray cannot be reached, or starts no worker
│   ├── PipelineBusy          another run uses the same pipeline or dataset
│   ├── TooManyDeletes        more rows would be marked as deleted than max_deletes allows
│   ├── SpoolUnavailable      the spool of events cannot be written or read
│   │   ├── SpoolFull         its disk or quota is full
│   │   ├── SpoolFileMissing  one of its files was deleted
│   │   └── SpoolFileUnreadable  this account may not read one of its files
│   ├── ShardsMissing         shards of a round have not been read
│   ├── ShardsUnusable        the shard folder cannot be used, or its files do not belong together
│   ├── AlertsNotSent         a receiver did not accept an alert, after all retries
│   ├── DataTooOld            the last successful sync, or a user's last read, is too old
│   └── ProbeFailed           a passkey ceremony failed, or the tenant's WebAuthn policy changed
├── CeremonyRefused           a browser would refuse this passkey ceremony; `dom_name` is its exception
│   ├── PasskeyNotAllowed     NotAllowedError: no passkey fits the request, or the user is not verified
│   ├── PasskeyExists         InvalidStateError: this authenticator is already enrolled at the site
│   ├── AlgorithmUnsupported  NotSupportedError: no signature algorithm in common
│   ├── ForeignRelyingParty   SecurityError: the relying party id does not belong to the origin
│   └── OptionsUnusable       TypeError: a field of the options is missing or malformed
├── QueryRefused              SQL that the MCP server does not allow, or that has an error
├── SignatureRefused          a webhook whose signature is wrong or too old
│   └── SignatureTooOld       it is older than the tolerance allows
└── MutationRefused           a read-only session was asked to send a request that writes

Messages identify a request by its route (`GET /users/{userId}`). They never contain a user id, a key or a token.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, distribution
from typing import ClassVar, Final
from urllib.parse import unquote, urlsplit

# to be set at publication: messages link here, because the package does not contain docs/
DOCS: Final = "https://github.com/dlt-authsignal/dlt-authsignal/blob/main/docs"


class AuthsignalError(Exception):
    """Base class of all exceptions that this package raises on purpose."""

    exit_code: ClassVar[int] = 1
    retryable: bool = False


class ConfigurationError(AuthsignalError):
    """A setting or argument is missing or wrong."""

    exit_code = 2


class FixtureInvalid(ConfigurationError, ValueError):
    """A fixture or a state file of the sandbox cannot be read. The sandbox is unchanged."""


class CredentialsMissing(ConfigurationError):
    """No credential was found, so no API can be read.

    Args:
        wanted: API or task that needs credentials.
        blank: Settings that exist, but are empty or still hold the example value.
    """

    def __init__(self, wanted: str = "any API", blank: Sequence[str] = ()) -> None:
        self.wanted = wanted
        self.blank = tuple(blank)
        noted = f" ({', '.join(blank)}: empty, or still the example value)" if blank else ""
        super().__init__(
            f"No Authsignal credentials found for {wanted}{noted}. Nothing was read. Put api_secret_key (Server API:"
            " all users), management_secret_key (Management API: the tenant's configuration), or token and tenant_id"
            " (Client API: one user) under [sources.authsignal_source] in"
            " .dlt/secrets.toml, or set SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY. To try it without an account, run:"
            " dlt-authsignal demo"
        )


class RecordingUnreadable(ConfigurationError):
    """A file is not a recording of the sandbox, or a line of it is not."""


class HttpError(AuthsignalError):
    """One HTTP request failed: with an error response, or without any response.

    Attributes:
        request: Method and route template, such as `GET /users/{userId}`.
        status: HTTP status, None if no response came.
        error_code: Authsignal's `errorCode`, None if the body had none.
        retry_after: Seconds that the server asked to wait, None if it sent no `Retry-After`.
        auth: Authentication scheme of the route, if the credentials were refused; None for other failures.
    """

    def __init__(
        self,
        message: str,
        *,
        request: str,
        status: int | None = None,
        error_code: str | None = None,
        retry_after: float | None = None,
        auth: str | None = None,
    ) -> None:
        self.request = request
        self.auth = auth
        self.status = status
        self.error_code = error_code
        self.retry_after = retry_after
        super().__init__(message)

    @property
    def kind(self) -> str:
        """Return the label under which this failure is counted: the status, or `unreadable response` for a 2xx."""
        return str(self.status) if self.status and not 200 <= self.status < 300 else "unreadable response"


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
    """A user id source cannot be read, or contains no user id."""


class NoData(ConfigurationError):
    """The database to be read does not exist."""

    def __init__(self, pipeline: str, place: str) -> None:
        super().__init__(
            f'Pipeline "{pipeline}" has no data here: {place} does not exist. Run: dlt-authsignal sync. If you synced'
            " under another pipeline name, pass it as --pipeline-name."
        )


class NotACanary(ConfigurationError):
    """The user given to a probe may be a real person."""

    def __init__(self, signs: str) -> None:
        super().__init__(
            f"This user has {signs} that no probe created, so it may be a real person. Nothing was changed."
            " Pass a user id that is used only by the probe, such as --user canary."
        )


class OtherTenant(ConfigurationError):
    """The dataset holds another tenant, or was loaded with another key only."""


class DatasetTooOld(ConfigurationError):
    """An earlier version made the dataset, with tables that cannot be upgraded."""

    def __init__(self, pipeline: str, dataset: str, table: str, column: str) -> None:
        super().__init__(
            f'Dataset "{dataset}" was made by an earlier version of dlt-authsignal, and cannot be upgraded: its table'
            f" {table} was made without the column {column}. The dataset was not changed. Load a new one, with a"
            f" new pipeline: dlt-authsignal sync --pipeline-name {pipeline}_2 --dataset {dataset}_2. Keep the"
            f" old one: only it has actions of more than 30 days ago."
            f" See {DOCS}/versions.md#databases-of-earlier-versions"
        )


class UserErased(ConfigurationError):
    """The user of a token, or the canary user, was erased from the dataset.

    Attributes:
        erased_at: Date of the tombstone.
    """

    def __init__(self, erased_at: datetime) -> None:
        self.erased_at = erased_at
        super().__init__(
            f"This user was erased from the dataset on {erased_at:%Y-%m-%d}, so their data is not loaded. Nothing was"
            " changed. To load the user again, remove the tombstone: dlt-authsignal erase --lift USER_ID"
        )


class ExtraMissing(ConfigurationError):
    """An optional part of the package (an extra) is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the '{extra}' extra. Install it with: pip install '{_installable()}[{extra}]'")


def _installable() -> str:
    """Return what to pass to pip: the folder that this package was installed from, or its name."""
    try:
        origin = json.loads(distribution("dlt-authsignal").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        origin = {}
    url = urlsplit(str(origin.get("url", "")))
    return unquote(url.path) if url.scheme == "file" else "dlt-authsignal"


class RunFailed(AuthsignalError):
    """The run failed. Its rows were not loaded; the next run reads them again."""


class Unreachable(HttpError, RunFailed):
    """No response came: connection refused or reset, timeout, or unknown host name.

    Attributes:
        kind: Label under which the failure is counted, such as `timeout`.
    """

    retryable = True
    kind = "no response"


class RateLimited(HttpError, RunFailed):
    """429: too many requests."""

    retryable = True


class ServerFault(HttpError, RunFailed):
    """5xx: an error at Authsignal."""

    retryable = True


class UnexpectedAnswer(HttpError, RunFailed):
    """A success status whose body does not match the API documentation."""

    retryable = True


class TooLarge(UnexpectedAnswer):
    """A body above the size limit. Another attempt would receive it again."""

    retryable = False


class PagingLoop(HttpError, RunFailed):
    """The user list does not end: it repeats a cursor, or lists no new user for many pages."""


class RequestRefused(HttpError, RunFailed):
    """A 3xx or 4xx status without a separate class."""


class WorkerLost(RunFailed):
    """A process that reads users ended before it was done, and so did the one that replaced it.

    Attributes:
        code: Exit code of the process; a negative number is the signal that ended it. None if unknown.
        users: Users that it was reading.
    """

    def __init__(self, code: int | None, users: int = 0) -> None:
        self.code, self.users = code, users
        what = f"while it read {users:,} users" if users else "when it started"
        how = "" if code is None else f" (signal {-code})" if code < 0 else f" (exit code {code})"
        super().__init__(
            f"A worker ended unexpectedly {what}{how}, and so did the one that replaced it. Nothing was loaded. The"
            " system may have too little memory: check its log, then run again with fewer workers, such as --workers 1."
        )


class RayUnavailable(RunFailed):
    """The Ray cluster cannot be reached, or it starts no worker."""


class PipelineBusy(RunFailed):
    """Another process uses the same pipeline or dataset."""


class TooManyDeletes(RunFailed):
    """More rows would be marked as deleted than one run is allowed to mark.

    Attributes:
        table: Table that contains the rows.
        gone: Rows that would be marked.
        held: Rows that are not marked yet.
        allowed: Rows that may be marked; 0 if all rows would be.
        is_everything: Whether all rows of the table would be marked, which no run does without confirmation.
    """

    def __init__(self, *, table: str, gone: int, held: int, allowed: int, is_everything: bool = False) -> None:
        self.table, self.gone, self.held, self.allowed = table, gone, held, allowed
        self.is_everything = is_everything
        rule = (
            "A run does not mark every row of a table without confirmation"
            if is_everything
            else f"max_deletes allows {allowed:,}"
        )
        super().__init__(
            f"{gone:,} of {held:,} rows of {table} would be marked as deleted, because Authsignal no longer returns"
            f" them. {rule}, so nothing was loaded. Check that the key belongs to the same"
            " tenant, that privacy and privacy_key are unchanged, and that Authsignal has no outage. If the rows really"
            " were deleted, run again with --accept-deletes, or accept_deletes=True in Python."
        )


class SpoolUnavailable(RunFailed):
    """The spool of events cannot be written, read or listed.

    Args:
        url: Folder or URL of the spool.
        what: What failed, such as "cannot be read".
        why: Reason that the operating system or the object store gives.
    """

    retryable = True
    advice: ClassVar[str] = "Check that it exists, its permissions and credentials, and try again."

    def __init__(self, url: str, what: str, why: str) -> None:
        self.url, self.what, self.why = url, what, why
        super().__init__(f"The spool {url} {what}: {why}. {self.advice}")


class SpoolFull(SpoolUnavailable):
    """The disk or quota of the spool is full."""

    advice = "Free space, or move the spool to a larger disk. Nothing was deleted."


class SpoolFileMissing(SpoolUnavailable):
    """A file of the spool was deleted after it was listed."""

    retryable = False
    advice = "It was probably deleted by spool_retention or by hand."


class SpoolFileUnreadable(SpoolUnavailable):
    """This account may not read one file of the spool."""

    retryable = False
    advice = "Allow the account that loads events to read it."


class ShardsMissing(RunFailed):
    """Some shards of a round have not been read, or were stopped before they were complete. Nothing was loaded.

    Attributes:
        round: Name of the round.
        missing: The missing shards, such as `2/4`.
    """

    retryable = True

    def __init__(self, round_: str, missing: Sequence[str], url: str) -> None:
        self.round, self.missing = round_, tuple(missing)
        ending, are = ("", "is") if len(missing) == 1 else ("s", "are")
        super().__init__(
            f"Round {round_} in {url} is not complete: shard{ending} {', '.join(missing)} {are} missing. Nothing was"
            f" loaded. Run the missing shards with --round {round_}, then load again. To load the other shards anyway,"
            " without marking rows of users as deleted, pass --accept-missing-shards."
        )


class ShardsUnusable(RunFailed):
    """The shard folder cannot be used, or its files are damaged or do not belong together. Nothing was loaded.

    Attributes:
        is_missing: Whether a file is missing.
    """

    def __init__(
        self, fault: str, advice: str = "Run the shard again, then load again.", *, is_missing: bool = False
    ) -> None:
        self.is_missing = is_missing
        super().__init__(f"{fault} Nothing was loaded. {advice}")


class AlertsNotSent(RunFailed):
    """A receiver did not accept an alert, after all retries.

    Attributes:
        sent: Alerts of this run that it accepted before.
        left: Alerts that were not sent; the next run sends them.
    """

    retryable = True

    def __init__(self, receiver: str, why: str, advice: str, *, sent: int, left: int) -> None:
        self.sent, self.left = sent, left
        super().__init__(
            f"The {receiver} receiver did not accept an alert: {why}. {sent:,} of {sent + left:,} alerts were sent;"
            f" {left:,} were not, and the next run sends them. The detections are in the table. {advice}"
        )


class DataTooOld(RunFailed):
    """The last successful sync, or a user's last read, is older than `status` was told to accept."""


class ProbeFailed(RunFailed):
    """A passkey ceremony failed, the tenant's WebAuthn policy changed, or the passkey could not be removed."""


class CeremonyRefused(AuthsignalError):
    """A browser would refuse this passkey ceremony before anything is signed.

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
    """The authenticator already has a passkey that the site excludes from enrolment."""

    dom_name = "InvalidStateError"


class AlgorithmUnsupported(CeremonyRefused):
    """The site and the authenticator share no signature algorithm."""

    dom_name = "NotSupportedError"


class ForeignRelyingParty(CeremonyRefused):
    """The relying party id is neither the origin's host nor a parent domain of it."""

    dom_name = "SecurityError"


class OptionsUnusable(CeremonyRefused):
    """A field of the ceremony's options is missing, or does not have the form of WebAuthn's JSON."""

    dom_name = "TypeError"


class MutationRefused(AuthsignalError):
    """A read-only session was asked to send a request that could change something."""


class QueryRefused(AuthsignalError):
    """The SQL is not a SELECT on the visible tables, or DuckDB reports an error in it."""


class SignatureRefused(AuthsignalError):
    """The signature of a webhook is wrong or too old."""


class SignatureTooOld(SignatureRefused):
    """The signature of a webhook is older than the tolerance allows."""
