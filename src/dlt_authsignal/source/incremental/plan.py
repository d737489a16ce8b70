"""Who is to be read in a run: the roster's people who are due, and those whom a complete list no longer names."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property

from anyio import to_thread

from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.incremental.delete_guard import Limit
from dlt_authsignal.source.incremental.due import Policy, ask_again, ask_of, ask_of_missing, parts_of
from dlt_authsignal.source.incremental.queue import Budget
from dlt_authsignal.source.incremental.read_state import KEPT, milliseconds
from dlt_authsignal.source.incremental.state_table import KnownReads, listed_hash
from dlt_authsignal.source.incremental.user_read import MISSING, ReadTask
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from dlt_authsignal.source.user_ids import LISTING, Candidate, UserIdSources, candidates


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to read.

    Attributes:
        tables: Tables wanted.
        privacy: How ids are stored.
        user_ids: Sources of user ids to read, if they are due.
        policy: Who counts as due.
        reads: What is known of earlier reads; None for nothing.
        budget: What may be spent.
        limit: How much may vanish.
        list_first: Whether the whole list is read before the first user is, which is then the one who waits longest.
        on_planned: Called once all users who are due are known, before the first is read, if the list is read first.
        has_detail: Whether an action's detail has been loaded, by stored user id, action code and idempotency key.
        now: Clock for `read_at`.
    """

    tables: frozenset[str]
    privacy: Privacy = KEEP
    user_ids: UserIdSources = field(default_factory=UserIdSources)
    policy: Policy = field(default_factory=Policy)
    reads: KnownReads | None = None
    budget: Budget = field(default_factory=lambda: Budget(clock=time.monotonic))
    limit: Limit = field(default_factory=Limit)
    list_first: bool = False
    on_planned: Callable[[], None] = lambda: None
    has_detail: Callable[[str, str, str], bool] = lambda _user, _action, _key: False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @cached_property
    def parts(self) -> frozenset[str]:
        return parts_of(self.tables)

    def errand(self, candidate: Candidate) -> ReadTask | None:
        """What to read of a user now; None for one who is not due."""
        user_id, privacy = candidate.user_id, self.privacy
        stored_id = privacy.stored_id(user_id)
        last = self.reads.named(stored_id) if self.reads is not None else None
        listed = listed_hash(privacy.listed(candidate.listed), privacy.fingerprint_key)
        now = milliseconds(self.now())
        if candidate.id_source == MISSING and last is not None:
            ask = ask_of_missing(last, self.parts, now, self.policy)
        elif last is not None and last.privacy not in (0, privacy.fingerprint):
            ask = ask_again(user_id, last, listed, self.parts, now, self.policy)
        else:
            ask = ask_of(user_id, last, listed, self.parts, now, self.policy)
        return None if ask is None else ReadTask(candidate, listed, last, ask)


async def due(api: Api, plan: Plan, meter: RunMetrics) -> AsyncIterator[ReadTask]:
    """Users who are due, with what to ask of them, in the order of the roster; then those named whom it lacks."""
    async for page in _everybody(api, plan):
        for candidate in page:
            meter.users_found += 1
            errand = plan.errand(candidate)
            if errand is not None:
                meter.users_due += 1
                meter.users_with_old_privacy += errand.ask.reason == "privacy"
                meter.requests_due += errand.ask.most_requests
                yield errand
    meter.user_ids_complete = True


async def _everybody(api: Api, plan: Plan) -> AsyncIterator[list[Candidate]]:
    lacking = {user_id for user_id in plan.policy.named if not plan.user_ids.passes_over(user_id)}
    is_listed = plan.user_ids.sources == (LISTING,)
    async for page in candidates(api, plan.user_ids):
        lacking -= {candidate.user_id for candidate in page} if lacking else set()
        is_listed = is_listed or page[0].id_source == LISTING
        yield page
    if is_listed:  # whom the list named before, and does not now, is asked for as such, below
        lacking = {user_id for user_id in lacking if not _was_listed(plan, user_id)}
    named = [Candidate(user_id=user_id, id_source="named", is_unlisted=is_listed) for user_id in sorted(lacking)]
    yield named
    if is_listed and plan.reads is not None:
        missing = await to_thread.run_sync(_missing, plan, plan.reads)
        yield await confirmed(api, plan.user_ids, plan.privacy, missing)


def _was_listed(plan: Plan, user_id: str) -> bool:
    last = None if plan.reads is None else plan.reads.get(plan.privacy.stored_id(user_id))
    return last is not None and last.is_known and last.listed > 0


def _missing(plan: Plan, reads: KnownReads) -> list[Candidate]:
    """Users of earlier runs whom a complete list no longer names: each is asked for, since a list may be cut.

    Raises:
        TooManyDeletes: They are so many that the list cannot be right.
    """
    gone = reads.count_not_named(lambda last: last.is_known and last.listed > 0)
    plan.limit.check("users", gone, reads.count_read(*KEPT))
    ids = reads.not_named(
        lambda last: ask_of_missing(last, plan.parts, milliseconds(plan.now()), plan.policy) is not None
    )
    passed = plan.user_ids.exclude_users | plan.privacy.stored_ids(plan.user_ids.exclude_users)
    return [
        Candidate(user_id=user_id, id_source=MISSING, is_unlisted=True)
        for user_id in ids
        if user_id not in passed and user_id not in plan.user_ids.erased
    ]


async def confirmed(api: Api, user_ids: UserIdSources, privacy: Privacy, missing: list[Candidate]) -> list[Candidate]:
    """Of users whom the list no longer names, those who are to be asked about; and of those who cannot be, the ones
    whom a second list leaves out too: the first may have been cut."""
    hashed = {one.user_id for one in missing if not privacy.can_ask(one.user_id)}
    if not hashed:
        return missing
    async for page in candidates(api, replace(user_ids, sources=(LISTING,))):
        hashed -= {privacy.stored_id(one.user_id) for one in page}
    return [one for one in missing if one.user_id in hashed or privacy.can_ask(one.user_id)]
