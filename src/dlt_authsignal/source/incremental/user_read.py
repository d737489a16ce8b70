"""One user to read, and what was read of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.incremental.read_state import LastRead
from dlt_authsignal.source.user_ids import Candidate

MISSING: Final = "missing"


class ReadTask(NamedTuple):
    """A user to be read.

    Attributes:
        candidate: The roster's entry.
        listed: Fingerprint of what the list says; 0 if it does not say anything.
        last: What is known of the last read; None for a user never seen.
        ask: What to ask.
    """

    candidate: Candidate
    listed: int
    last: LastRead | None
    ask: ReadRequest


@dataclass(frozen=True, kw_only=True)
class UserRead:
    """One user, as read.

    Attributes:
        candidate: The roster's entry.
        read_at: When reading began.
        parts: What was read of them; nothing of a user who is left for the next run.
        is_known: Whether Authsignal knows the id.
        user: The user's own page over what the listing said, if it was read.
        children: Rows by table: `user_authenticators`, `user_actions`, `user_devices`.
        details: (action row, detail) pairs.
        last: What is known of the user now.
    """

    candidate: Candidate
    read_at: datetime
    parts: frozenset[str]
    is_known: bool
    user: Mapping[str, Any] | None
    children: Mapping[str, list[Any]]
    details: list[tuple[Mapping[str, Any], Mapping[str, Any]]]
    last: LastRead
