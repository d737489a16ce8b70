"""Every user of the roster, read completely: own page, authenticators, actions, devices.

One user is one unit: either all that was asked for was read, or the run fails.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from anyio import create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.api.endpoints import (
    GET_ACTION,
    GET_DEVICES,
    GET_USER,
    GET_USER_AUTHENTICATORS,
    QUERY_USER_ACTIONS,
    Endpoint,
)
from dlt_authsignal.errors import RequestRefused, UnexpectedAnswer
from dlt_authsignal.source import roster
from dlt_authsignal.source.http import Api
from dlt_authsignal.source.meter import Meter
from dlt_authsignal.source.roster import Candidate

MAX_POSITIONS_KEPT: Final = 20

_CHILDREN: Final = {
    "user_authenticators": GET_USER_AUTHENTICATORS,
    "user_actions": QUERY_USER_ACTIONS,
    "user_devices": GET_DEVICES,
}
_SAY_NOTHING: Final = frozenset({"userId", "createdAt", "allowedVerificationMethods"})
"""Fields that an answer about anybody may carry."""


@dataclass(frozen=True, kw_only=True)
class UserRead:
    """One user, as read.

    Attributes:
        candidate: The roster's entry.
        read_at: When reading began.
        user: The user's own page over what the listing said; None when Authsignal does not know the id.
        children: Rows by table: `user_authenticators`, `user_actions`, `user_devices`.
        details: (action row, detail) pairs.
    """

    candidate: Candidate
    read_at: datetime
    user: Mapping[str, Any] | None
    children: Mapping[str, list[Any]]
    details: list[tuple[Mapping[str, Any], Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to read.

    Attributes:
        tables: Tables wanted.
        users_from: File of user ids; None to ask the tenant for the list.
        users_column: Column of that file.
        page_size: Users per page of the listing.
        without_users: Ids to pass over, such as a probe's canary.
        now: Clock for `read_at`.
    """

    tables: frozenset[str]
    users_from: str | None = None
    users_column: str | None = None
    page_size: int = 100
    without_users: frozenset[str] = frozenset()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


async def sweep(api: Api, plan: Plan, workers: int, meter: Meter, out: MemoryObjectSendStream[UserRead]) -> None:
    """Reads the roster's users and sends them out as they are complete, in no particular order.

    Args:
        api: Where to read.
        plan: What to read.
        workers: Users in the making at once; each has up to four requests of its own.
        meter: Counts users found and read.
        out: Where complete users go; waits while it is full.
    """
    send, receive = create_memory_object_stream[Candidate](2 * workers)
    async with create_task_group() as tasks:
        for _ in range(workers):
            tasks.start_soon(_work, api, plan, meter, receive.clone(), out)
        receive.close()
        async with send:
            async for candidate in _candidates(api, plan, meter):
                await send.send(candidate)


async def _candidates(api: Api, plan: Plan, meter: Meter) -> AsyncIterator[Candidate]:
    seen: set[str] = set(plan.without_users)
    async for page in _pages(api, plan):
        for candidate in page:
            if candidate.user_id not in seen:
                seen.add(candidate.user_id)
                meter.users_found += 1
                yield candidate
    meter.roster_complete = True


async def _pages(api: Api, plan: Plan) -> AsyncIterator[list[Candidate] | Iterator[Candidate]]:
    if plan.users_from:
        yield roster.from_file(Path(plan.users_from), plan.users_column)
        return
    async for page in roster.listing(api, plan.page_size):
        yield page


async def _work(
    api: Api,
    plan: Plan,
    meter: Meter,
    candidates: MemoryObjectReceiveStream[Candidate],
    out: MemoryObjectSendStream[UserRead],
) -> None:
    async with candidates:
        async for candidate in candidates:
            read = await read_user(api, plan, candidate)
            meter.users_read += 1
            if read.user is None:
                _count_unknown(meter, candidate)
            await out.send(read)


def _count_unknown(meter: Meter, candidate: Candidate) -> None:
    meter.unknown_users += 1
    if candidate.position is not None and len(meter.unknown_positions) < MAX_POSITIONS_KEPT:
        meter.unknown_positions.append(candidate.position)


async def read_user(api: Api, plan: Plan, candidate: Candidate) -> UserRead:
    """Everything the plan wants of one user.

    Authsignal answers 200 for ids it has never seen, so an id counts as unknown when nothing at all is said of it:
    no attribute, no authenticator, no action, no device, and not in the listing (or no longer as listed).
    """
    read_at = plan.now()
    gathered: dict[str, Any] = {}
    wanted = [table for table in _CHILDREN if table in plan.tables or _needed_for_details(table, plan)]
    needs_page = "users" in plan.tables or not candidate.listed
    async with create_task_group() as tasks:
        if needs_page:
            tasks.start_soon(_into, gathered, "users", partial(_read, api, GET_USER, candidate.user_id))
        for table in wanted:
            tasks.start_soon(_into, gathered, table, partial(_read, api, _CHILDREN[table], candidate.user_id))
    page = gathered.pop("users", {} if needs_page else candidate.listed)
    if await _is_unknown(api, candidate, page, gathered):
        return UserRead(candidate=candidate, read_at=read_at, user=None, children={}, details=[])
    for table, rows in gathered.items():
        if rows is None:
            raise _not_found(_CHILDREN[table])
    details = await _details(api, candidate.user_id, gathered["user_actions"]) if _wants_details(plan) else []
    user = {**candidate.listed, **(page or {})}
    return UserRead(candidate=candidate, read_at=read_at, user=user, children=gathered, details=details)


def _wants_details(plan: Plan) -> bool:
    return "action_details" in plan.tables


def _needed_for_details(table: str, plan: Plan) -> bool:
    return table == "user_actions" and _wants_details(plan)


async def _into(gathered: dict[str, Any], name: str, read: Callable[[], Any]) -> None:
    gathered[name] = await read()


async def _read(api: Api, endpoint: Endpoint, user_id: str) -> Any:
    """The answer, or None for 404: no documented answer for a user, yet what a user deleted meanwhile may give."""
    try:
        answer = await api.get(endpoint, dict if endpoint is GET_USER else list, userId=user_id)
    except RequestRefused as refused:
        if refused.status == 404:
            return None
        raise
    return answer


async def _is_unknown(api: Api, candidate: Candidate, page: Mapping[str, Any] | None, gathered: dict[str, Any]) -> bool:
    if page is not None and (not _is_bare(page) or (candidate.listed and _is_bare(candidate.listed))):
        return False
    for table, endpoint in _CHILDREN.items():
        rows = gathered[table] if table in gathered else await _read(api, endpoint, candidate.user_id)
        if rows:
            return False
    return True


def _is_bare(page: Mapping[str, Any]) -> bool:
    return not any(value for name, value in page.items() if name not in _SAY_NOTHING)


def _not_found(endpoint: Endpoint) -> RequestRefused:
    return RequestRefused(
        f"Authsignal answered 404 to {endpoint} for a user it knows. Nothing was loaded; run again.",
        request=str(endpoint),
        status=404,
    )


async def _details(
    api: Api, user_id: str, actions: list[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    found: dict[int, Mapping[str, Any] | None] = {}
    if not all(action.get("actionCode") and action.get("idempotencyKey") for action in actions):
        raise UnexpectedAnswer(
            f"{QUERY_USER_ACTIONS} answered with an action without actionCode or idempotencyKey: its detail cannot be"
            " asked for. Leave action_details out.",
            request=str(QUERY_USER_ACTIONS),
            status=200,
        )
    async with create_task_group() as tasks:
        for index, action in enumerate(actions):
            tasks.start_soon(_detail, api, user_id, action, found, index)
    return [(actions[index], detail) for index, detail in sorted(found.items()) if detail is not None]


async def _detail(
    api: Api,
    user_id: str,
    action: Mapping[str, Any],
    found: dict[int, Mapping[str, Any] | None],
    index: int,
) -> None:
    try:
        found[index] = await api.get(
            GET_ACTION,
            dict,
            userId=user_id,
            action=str(action["actionCode"]),
            idempotencyKey=str(action["idempotencyKey"]),
        )
    except RequestRefused as refused:
        if refused.status != 404:  # how an unknown key is answered is not documented; a 404 says it is gone
            raise
        found[index] = None
