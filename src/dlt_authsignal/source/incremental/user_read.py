"""A user to read, and the result of reading one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from dlt_authsignal.schema.sensitivity import FREE_FORM
from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.incremental.state.last_read import LastRead
from dlt_authsignal.source.user_ids import KNOWN, Candidate

MISSING: Final = "missing"


class ReadTask(NamedTuple):
    """A user to read.

    Attributes:
        candidate: The user id and its source.
        listed: Fingerprint of the user's list entry; 0 if not listed.
        last: State of the last read; None for a new user.
        ask: Requests to send.
    """

    candidate: Candidate
    listed: int
    last: LastRead | None
    ask: ReadRequest


@dataclass(frozen=True, kw_only=True)
class UserRead:
    """The result of reading one user.

    Attributes:
        candidate: The user id and its source.
        read_at: Start of the read.
        parts: Parts that were read; empty for a user left for the next run.
        is_known: Whether Authsignal returned a user for the id.
        user: The user record merged over the list entry, if it was read.
        children: Rows by table: `user_authenticators`, `user_actions`, `user_devices`.
        details: (action row, detail) pairs.
        last: State of the user after this read.
    """

    candidate: Candidate
    read_at: datetime
    parts: frozenset[str]
    is_known: bool
    user: Mapping[str, Any] | None
    children: Mapping[str, list[Any]]
    details: list[tuple[Mapping[str, Any], Mapping[str, Any]]]
    last: LastRead

    @property
    def is_unknown_id(self) -> bool:
        """Return whether the id is new to Authsignal and to earlier runs: ids of earlier runs were reported then, or
        belong to users who were deleted since."""
        return not self.is_known and self.candidate.id_source not in (MISSING, KNOWN)


def merged(listed: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user record over the list entry. Objects are merged too: each may have fields that the other has not.
    Free-form objects are those of the record, which is newer."""
    found = {**listed, **page}
    for name in listed.keys() & page.keys() - FREE_FORM:
        if isinstance(listed[name], dict) and isinstance(page[name], dict):
            found[name] = merged(listed[name], page[name])
    return found
