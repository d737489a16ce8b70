"""Select the users to read in a run: due users of the sources, and users missing from a complete user list."""

from __future__ import annotations

import time
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from anyio import to_thread

from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.incremental.delete_guard import Limit
from dlt_authsignal.source.incremental.due import Policy, ask_again, ask_of, ask_of_missing, fresh_until, parts_of
from dlt_authsignal.source.incremental.part import Part
from dlt_authsignal.source.incremental.queue import Budget
from dlt_authsignal.source.incremental.state.keys import listed_hash
from dlt_authsignal.source.incremental.state.last_read import KEPT, LastRead, milliseconds
from dlt_authsignal.source.incremental.user_read import MISSING, ReadTask
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import KEEP, Privacy, StoredId
from dlt_authsignal.source.user_ids import KNOWN, LISTING, Candidate, ListState, UserIdSources, candidates, has_blanks

if TYPE_CHECKING:
    from dlt_authsignal.source.incremental.state.known_reads import KnownReads


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run reads.

    Attributes:
        tables: Selected tables.
        privacy: Privacy settings.
        user_ids: User id sources.
        part: The part of the users to read; None for all users.
        policy: Rules that decide which users are due.
        reads: State of earlier reads; None if there is none.
        budget: Limits of requests and time.
        limit: Limit of deletes.
        list_first: Whether to read the whole user list first, so that users who waited longest are read first.
        on_planned: Called once all due users are known, before the first is read, if the list is read first.
        had_data: Returns whether a stored user had attributes or was enrolled, by stored user id.
        has_detail: Returns whether an action's detail is loaded, by stored user id, action code and idempotency key.
        now: Clock for `read_at`.
    """

    tables: frozenset[str]
    privacy: Privacy = KEEP
    user_ids: UserIdSources = field(default_factory=UserIdSources)
    part: Part | None = None
    policy: Policy = field(default_factory=Policy)
    reads: KnownReads | None = None
    budget: Budget = field(default_factory=lambda: Budget(clock=time.monotonic))
    limit: Limit = field(default_factory=Limit)
    list_first: bool = False
    on_planned: Callable[[], None] = lambda: None
    had_data: Callable[[str], bool] = lambda _user: False
    has_detail: Callable[[str, str, str], bool] = lambda _user, _action, _key: False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @cached_property
    def parts(self) -> frozenset[str]:
        return parts_of(self.tables)

    def is_ours(self, candidate: Candidate) -> bool:
        """Return whether a user is in the part to read. A user of another part counts as contained in a user id source,
        so that all parts find the same missing users."""
        if self.part is None:
            return True
        stored_id = self.privacy.stored_id(candidate.user_id)
        if stored_id in self.part:
            return True
        if self.reads is not None:
            self.reads.named(stored_id)
        return False

    def errand(self, candidate: Candidate, now: int) -> ReadTask | None:
        """Return the task to read a user; None if the user is not due."""
        user_id, privacy = candidate.user_id, self.privacy
        stored_id = privacy.stored_id(user_id)
        index = self.reads.named(stored_id) if self.reads is not None else None
        listed = listed_hash(privacy.listed(candidate.listed), privacy.fingerprint_key)
        if index is not None and self._is_unchanged(index, listed, now) and user_id not in self.policy.named:
            return None
        last = self.reads[index] if self.reads is not None and index is not None else None
        if last is not None and (candidate.id_source == MISSING or _has_left_the_list(candidate, last)):
            ask = ask_of_missing(last, self.parts, now, self.policy)
        elif last is not None and last.privacy not in (0, privacy.fingerprint):
            ask = ask_again(user_id, last, listed, self.parts, now, self.policy)
        else:
            ask = ask_of(user_id, last, listed, self.parts, now, self.policy)
        return None if ask is None else ReadTask(candidate, listed, last, ask)

    def _is_unchanged(self, index: int, listed: int, now: int) -> bool:
        """Return whether a user of the list is not due: all parts are fresh, and the list entry has not changed."""
        is_same = listed and self.reads is not None and listed == self.reads.listed(index)
        return bool(is_same) and now < self._fresh_until[index]

    @cached_property
    def _fresh_until(self) -> array[int]:
        now, until = milliseconds(self.now()), array("q")
        for column in self.reads.blocks() if self.reads is not None else ():
            fresh = fresh_until(column, self.parts, now, self.policy, self.privacy.fingerprint)
            until.frombytes(fresh.tobytes())
        return until


_OWN: Final = ("file", "query", "named")
"""Sources of ids that users of this package write; ids of Authsignal's own list are not mistakes."""


async def due(api: Api, plan: Plan, meter: RunMetrics) -> AsyncIterator[ReadTask]:
    """Yield read tasks for due users in the order of the sources, then for requested users not in any source."""
    async for page in _everybody(api, plan):
        now = milliseconds(plan.now())
        for candidate in page:
            if not plan.is_ours(candidate):
                continue
            meter.users_found += 1
            meter.ids_with_blanks += candidate.id_source in _OWN and has_blanks(candidate.user_id)
            errand = plan.errand(candidate, now)
            if errand is not None:
                meter.users_due += 1
                meter.users_reported += errand.ask.reason == "reported"
                meter.users_with_old_privacy += errand.ask.reason == "privacy"
                meter.requests_due += errand.ask.most_requests
                yield errand
    meter.user_ids_complete = True


async def _everybody(api: Api, plan: Plan) -> AsyncIterator[list[Candidate]]:
    lacking = {user_id for user_id in plan.policy.named if not plan.user_ids.is_skipped(user_id)}
    state = ListState()
    async for page in candidates(api, plan.user_ids, state):
        lacking -= {candidate.user_id for candidate in page} if lacking else set()
        yield [candidate for candidate in page if not _is_added_below(plan, candidate)]
    is_listed = state.is_complete
    if is_listed:  # users missing from the list are added below
        lacking = {user_id for user_id in lacking if not _was_listed(plan, user_id)}
    named = [Candidate(user_id=user_id, id_source="named", is_unlisted=is_listed) for user_id in sorted(lacking)]
    yield named
    if is_listed and plan.reads is not None:
        missing = await to_thread.run_sync(_missing, plan, plan.reads)
        yield await confirmed(api, plan.user_ids, plan.privacy, missing)


def _is_added_below(plan: Plan, candidate: Candidate) -> bool:
    """Return whether a user is known from earlier runs only, and missing from a complete user list."""
    is_left = candidate.id_source == KNOWN and candidate.is_unlisted
    return is_left and plan.reads is not None and plan.reads.get(plan.privacy.stored_id(candidate.user_id)) is not None


def _has_left_the_list(candidate: Candidate, last: LastRead) -> bool:
    """Return whether a user was in the list and is not in the present one, but in a file or a query."""
    return candidate.is_unlisted and last.is_known and last.was_read and last.listed > 0


def _was_listed(plan: Plan, user_id: str) -> bool:
    last = None if plan.reads is None else plan.reads.get(plan.privacy.stored_id(user_id))
    return last is not None and last.is_known and last.listed > 0


def _missing(plan: Plan, reads: KnownReads) -> list[Candidate]:
    """Return users of earlier runs who are missing from a complete list. They are looked up: lists may be truncated.

    Raises:
        TooManyDeletes: So many are missing that the list is probably truncated.
    """
    gone = reads.count_not_named(lambda last: last.is_known and last.listed > 0)
    plan.limit.check("users", gone, reads.count_read(*KEPT))
    ids = reads.not_named(
        lambda last: ask_of_missing(last, plan.parts, milliseconds(plan.now()), plan.policy) is not None
    )
    passed = plan.user_ids.exclude_users | plan.privacy.stored_ids(plan.user_ids.exclude_users)
    return [
        Candidate(user_id=StoredId(user_id), id_source=MISSING, is_unlisted=True)
        for user_id in ids
        if (plan.part is None or user_id in plan.part) and user_id not in passed and user_id not in plan.user_ids.erased
    ]


async def confirmed(api: Api, user_ids: UserIdSources, privacy: Privacy, missing: list[Candidate]) -> list[Candidate]:
    """Return the missing users to look up. Users stored as hashes cannot be looked up, so they are returned only if a
    second read of the user list does not contain them either: the first may have been truncated."""
    hashed = {one.user_id for one in missing if not privacy.can_ask(one.user_id)}
    if not hashed:
        return missing
    async for page in candidates(api, replace(user_ids, sources=(LISTING,))):
        hashed -= {privacy.stored_id(one.user_id) for one in page}
    return [one for one in missing if one.user_id in hashed or privacy.can_ask(one.user_id)]
