"""What a sync and its workers tell each other, as MessagePack.

Nothing of it is written to a file: it goes through pipes that only the two processes have open.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.incremental.state.last_read import LastRead
from dlt_authsignal.source.incremental.user_read import ReadTask
from dlt_authsignal.source.metrics.schema_drift import Converted, TableDrift
from dlt_authsignal.source.privacy.policy import Privacy, StoredId
from dlt_authsignal.source.user_ids import Candidate


class Job(msgspec.Struct, kw_only=True):
    """What a worker needs to know before it reads users. It contains keys, so it has no representation as text.

    Attributes:
        base: Base URL.
        api_secret_key: The tenant's Server API secret key.
        tenant_id: Stored in each row.
        limits: Request limits of this worker; the rate is that of all processes together.
        privacy: Privacy settings.
        tables: Selected tables.
        stored: Types of the columns in the destination, by table.
        hashed: Places whose text is hashed, by table.
        details: The actions whose detail is loaded, see `LoadedDetails`.
    """

    base: str
    api_secret_key: str
    tenant_id: str | None
    limits: RequestLimits
    privacy: Privacy
    tables: frozenset[str]
    stored: dict[str, dict[str, str]]
    hashed: dict[str, list[str]]
    details: bytes

    def __repr__(self) -> str:
        return "Job(…)"


class Errand(msgspec.Struct, array_like=True):
    """A user to read.

    Attributes:
        candidate: The user id and its source.
        is_stored: Whether the id is in its stored form.
        listed: Fingerprint of the user's list entry.
        last: State of the last read.
        ask: Requests to send.
        had_data: Whether the user was stored with attributes or as enrolled.
    """

    candidate: Candidate
    is_stored: bool
    listed: int
    last: LastRead | None
    ask: ReadRequest
    had_data: bool

    @classmethod
    def of(cls, task: ReadTask, had_data: bool) -> "Errand":
        """Return the errand of a task."""
        candidate, listed, last, ask = task
        is_stored = isinstance(candidate.user_id, StoredId)
        if is_stored:
            candidate = msgspec.structs.replace(candidate, user_id=str(candidate.user_id))
        return cls(candidate, is_stored, listed, last, ask, had_data)

    def task(self) -> ReadTask:
        """Return the task to read the user."""
        candidate = self.candidate
        if self.is_stored:
            candidate = msgspec.structs.replace(candidate, user_id=StoredId(candidate.user_id))
        return ReadTask(candidate, self.listed, self.last, self.ask)


class Slice(msgspec.Struct, tag="slice", kw_only=True):
    """Some of the due users, which one worker reads as a whole.

    Attributes:
        number: Its number in the run.
        errands: The users.
    """

    number: int
    errands: list[Errand]


class Pace(msgspec.Struct, tag="pace", kw_only=True):
    """The worker's part of the rate.

    Attributes:
        rate: Requests per second; None for no limit.
        held_until: Time until which no request may be sent, by the machine's monotonic clock.
    """

    rate: float | None
    held_until: float


class Reply(msgspec.Struct, tag="reply"):
    """The answer to a `Question`."""

    value: Any


class End(msgspec.Struct, tag="end"):
    """There are no more slices."""


class Question(msgspec.Struct, tag="ask"):
    """A decision about an undeclared column that all workers must make alike.

    Attributes:
        about: What to decide: a method of `Decisions`.
        arguments: Its arguments.
    """

    about: str
    arguments: list[Any]


class Progress(msgspec.Struct, tag="progress", kw_only=True):
    """What was sent and received since the last message.

    Attributes:
        served: Responses: for each, when it came and how long it took.
        counters: Increase of each counter.
        errors: Failed requests by kind.
        waiting: Requests that wait because a response asked for a pause.
    """

    served: list[tuple[float, float]]
    counters: dict[str, int]
    errors: dict[str, int]
    waiting: int


class Refused(msgspec.Struct, tag="refused", kw_only=True):
    """A 429 response; see `RateLimiter.refused`."""

    now: float
    sent_at: float
    pause: float


class Shaped(msgspec.Struct, tag="shaped", kw_only=True):
    """The result of a slice: its rows, protected, and what was found while reading it.

    Attributes:
        number: Number of the slice.
        users: Users that were read.
        unknown: Number of ids that Authsignal does not know.
        positions: Lines or rows of the first of them.
        tables: Arrow tables as Arrow IPC streams, by table.
        guard: What the delete guard counts; see `Shown.hashes`.
        drift: Schema drift by table; see `drift_as_plain`.
    """

    number: int
    users: int
    unknown: int
    positions: list[int]
    tables: dict[str, bytes]
    guard: dict[str, list[bytes]]
    drift: dict[str, dict[str, Any]]

    def table(self, name: str) -> Any:
        """Return the rows of a table; None if there are none."""
        import pyarrow as pa

        return pa.ipc.open_stream(self.tables[name]).read_all() if name in self.tables else None


class Failed(msgspec.Struct, tag="failed", kw_only=True):
    """The worker's error. The run fails with it.

    Attributes:
        name: Name of the class.
        arguments: Arguments of the exception.
        attributes: Attributes of the exception.
        where: Last line of this package that ran, for a fault of this package.
    """

    name: str
    arguments: list[Any]
    attributes: dict[str, Any]
    where: str


ToWorker = Slice | Pace | Reply | End
FromWorker = Question | Progress | Refused | Shaped | Failed | End

_COUNTED: Final = ("without_column", "others", "escaped", "left_out")
_NAMED: Final = ("filtered", "suspected", "hashed", "was_plain")


def drift_as_plain(found: TableDrift) -> dict[str, Any]:
    """Return the schema drift of one table as plain values."""
    return {
        "converted": [[*each, times] for each, times in found.converted.items()],
        "withheld": found.withheld,
        **{name: dict(getattr(found, name)) for name in _COUNTED},
        **{name: list(getattr(found, name)) for name in _NAMED},
    }


def drift_of(plain: Mapping[str, Any]) -> TableDrift:
    """Return the schema drift of plain values."""
    found = TableDrift(withheld=plain["withheld"])
    for column, came_as, kept_in, times in plain["converted"]:
        found.converted[Converted(column, came_as, kept_in)] = times
    for name in (*_COUNTED, *_NAMED):
        getattr(found, name).update(plain[name])
    return found
