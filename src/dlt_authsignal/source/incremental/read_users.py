"""Read the due users: user record, authenticators, actions, devices.

Each user is read as a whole: either all requested parts were read, or the run fails.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import repeat
from typing import Any, Final, TypeVar

import msgspec
from anyio import EndOfStream, WouldBlock, create_memory_object_stream, create_task_group
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.api.server_endpoints import (
    GET_ACTION,
    GET_DEVICES,
    GET_USER,
    GET_USER_AUTHENTICATORS,
    QUERY_USER_ACTIONS,
)
from dlt_authsignal.errors import RequestRefused, UnexpectedAnswer
from dlt_authsignal.schema.tables.server import USERS
from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.incremental.due import ReadRequest
from dlt_authsignal.source.incremental.plan import Plan, due
from dlt_authsignal.source.incremental.queue import BoundedQueue
from dlt_authsignal.source.incremental.state.last_read import (
    PARTS,
    LastRead,
    after,
    is_active,
    later,
    milliseconds,
    moment,
    wants_detail,
)
from dlt_authsignal.source.incremental.user_read import MISSING, ReadTask, UserRead, merged
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.user_ids import KNOWN, Candidate

T = TypeVar("T")

MAX_POSITIONS_KEPT: Final = 20

_CHILDREN: Final = {
    "user_authenticators": GET_USER_AUTHENTICATORS,
    "user_actions": QUERY_USER_ACTIONS,
    "user_devices": GET_DEVICES,
}
_ROUTES: Final = {"users": GET_USER, **_CHILDREN}
_SAY_NOTHING: Final = frozenset({"userId", "createdAt", "allowedVerificationMethods"})
"""Fields that a response may contain even for an unknown id."""
_DECLARED: Final = frozenset(column.field for column in USERS.columns)


async def read_users(
    api: Api, plan: Plan, workers: int, meter: RunMetrics, out: MemoryObjectSendStream[UserRead]
) -> None:
    """Read the due users and send each to `out` when it is complete, in no particular order.

    Args:
        api: API to read from.
        plan: What to read.
        workers: Users read in parallel, each with one request in flight.
        meter: Counts users found, due and read.
        out: Receives complete users; reading waits while it is full.
    """
    send, receive = create_memory_object_stream[ReadTask](2 * workers)
    async with create_task_group() as tasks:
        for _ in range(workers):
            tasks.start_soon(read_tasks, api, plan, meter, repeat(None), receive.clone(), out)
        receive.close()
        await send_due(api, plan, meter, send, out)


async def send_due(
    api: Api,
    plan: Plan,
    meter: RunMetrics,
    send: MemoryObjectSendStream[ReadTask],
    out: MemoryObjectSendStream[UserRead],
) -> None:
    """Find the due users and send the task of each to `send`, which is closed then.

    Args:
        api: API to read from.
        plan: What to read.
        meter: Counts users found and due.
        send: Receives the tasks.
        out: Receives the users who are left for the next run.
    """
    async with send:
        if plan.list_first or plan.budget.is_limited:
            await _oldest_first(api, plan, meter, send, out)
        else:
            async for errand in due(api, plan, meter):
                await put(send, errand)


async def _oldest_first(
    api: Api,
    plan: Plan,
    meter: RunMetrics,
    send: MemoryObjectSendStream[ReadTask],
    out: MemoryObjectSendStream[UserRead],
) -> None:
    room = BoundedQueue()
    async for errand in due(api, plan, meter):
        if len(room) == room.size and not plan.budget.is_limited:
            await _hand_out(room, plan, meter, send, out)
        room.enter(errand.ask.rank, errand.candidate)
    meter.users_remaining = room.turned_away
    plan.on_planned()
    await _hand_out(room, plan, meter, send, out)


async def _hand_out(
    room: BoundedQueue,
    plan: Plan,
    meter: RunMetrics,
    send: MemoryObjectSendStream[ReadTask],
    out: MemoryObjectSendStream[UserRead],
) -> None:
    is_spent = False  # after the first user who must wait, none with a shorter wait is started
    for candidate in room.leave():
        errand = plan.errand(candidate, milliseconds(plan.now()))
        if errand is None:
            continue
        is_spent = is_spent or not plan.budget.begin(errand.ask, meter.requests)
        if not is_spent:
            await put(send, errand)
            continue
        meter.users_remaining += 1
        if errand.last is None:  # so that the next run knows how long they have waited
            await put(out, _left(errand, plan.now()))


def _left(errand: ReadTask, now: datetime) -> UserRead:
    return UserRead(
        candidate=errand.candidate,
        read_at=now,
        parts=frozenset(),
        is_known=True,
        user=None,
        children={},
        details=[],
        last=LastRead(first_seen=milliseconds(now)),
    )


async def read_tasks(
    api: Api,
    plan: Plan,
    meter: RunMetrics,
    turns: Iterator[object],
    errands: MemoryObjectReceiveStream[ReadTask],
    out: MemoryObjectSendStream[UserRead],
) -> None:
    """Read the users of the tasks, one after the other, and send each to `out`.

    Args:
        api: API to read from.
        plan: What to read.
        meter: Counts users read.
        turns: An item for each user to read. Several readers may share it.
        errands: The tasks.
        out: Receives complete users; reading waits while it is full.
    """
    async with errands:
        for _ in turns:
            if (errand := await _next(errands)) is None:
                return
            read = await read_user(api, plan, errand)
            plan.budget.end(errand.ask)
            meter.users_read += 1
            if read.is_unknown_id:
                _count_unknown(meter, errand.candidate)
            await put(out, read)


async def put(out: MemoryObjectSendStream[T], item: T) -> None:
    """Send without yielding to the event loop, as anyio would. There are many users, and they yield while they wait for
    responses."""
    try:
        out.send_nowait(item)
    except WouldBlock:
        await out.send(item)


async def _next(items: MemoryObjectReceiveStream[T]) -> T | None:
    try:
        return items.receive_nowait()
    except WouldBlock:
        try:
            return await items.receive()
        except EndOfStream:
            return None
    except EndOfStream:
        return None


def _count_unknown(meter: RunMetrics, candidate: Candidate) -> None:
    meter.unknown_users += 1
    if candidate.position is not None and len(meter.unknown_positions) < MAX_POSITIONS_KEPT:
        meter.unknown_positions.append(candidate.position)


async def read_user(api: Api, plan: Plan, errand: ReadTask) -> UserRead:
    """Read everything that the task requests for one user.

    Authsignal returns 200 even for unknown ids. So an id counts as unknown if it has no attribute, authenticator,
    action or device, and is not in the user list. A listed user is always known: users who never enrolled and have not
    signed in for a month have no data either.
    """
    candidate, listed, last, ask = errand
    read_at = later(plan.now(), last)
    if candidate.is_unlisted and last is not None:
        last = msgspec.structs.replace(last, listed=0)
        if candidate.id_source == MISSING and not plan.privacy.can_ask(candidate.user_id):
            return _gone(plan, candidate, last, read_at)
    is_doubtful = not candidate.listed and not (last and last.was_read and last.is_known)
    wanted = ask.parts | ({"users"} if is_doubtful else set())
    gathered = await _gather(api, candidate.user_id, ask, wanted)
    actions = gathered.get("user_actions") or []
    if ask.if_active and is_active(last, actions):
        gathered |= {part: await _read(api, _CHILDREN[part], candidate.user_id) for part in ask.if_active}
    page = gathered.pop("users", candidate.listed)
    _check_whose(candidate.user_id, GET_USER, [page or {}])
    for table, rows in gathered.items():
        _check_whose(candidate.user_id, _CHILDREN[table], rows or ())
    had_data = candidate.id_source == KNOWN and plan.had_data(plan.privacy.stored_id(candidate.user_id))
    is_silent = "users" in wanted and await _is_unknown(api, errand, page, gathered, had_data=had_data)
    is_known = not is_silent or (page is not None and not had_data and _is_expected(candidate, last))
    for table, rows in gathered.items():
        if is_known and rows is None:
            raise _not_found(_CHILDREN[table])
    parts = plan.tables & ((ask.parts | gathered.keys()) if is_known else plan.parts)
    seen = after(last, parts, milliseconds(read_at), listed, actions, is_known, plan.privacy.fingerprint)
    return UserRead(
        candidate=candidate,
        read_at=read_at,
        parts=parts,
        is_known=is_known,
        user=merged(candidate.listed, page or {}) if not is_silent and "users" in ask.parts else None,
        children=gathered if is_known else {},
        details=await _details(api, plan, errand, actions) if is_known else [],
        last=seen,
    )


def _is_expected(candidate: Candidate, last: LastRead | None) -> bool:
    """Return whether a user was in an earlier user list, and this run did not read the list. Such a user may have no
    data at all, so an empty response does not show that the user was deleted."""
    is_by_list = bool(candidate.listed) or candidate.is_unlisted
    return not is_by_list and last is not None and last.is_known and last.listed > 0


def _gone(plan: Plan, candidate: Candidate, last: LastRead, read_at: datetime) -> UserRead:
    """Return the deletion of a user who is missing from two user lists and cannot be looked up."""
    parts = plan.tables & plan.parts
    return UserRead(
        candidate=candidate,
        read_at=read_at,
        parts=parts,
        is_known=False,
        user=None,
        children={},
        details=[],
        last=after(last, parts, milliseconds(read_at), 0, [], is_known=False, privacy=plan.privacy.fingerprint),
    )


def _check_whose(user_id: str, endpoint: Endpoint, rows: Iterable[Any]) -> None:
    for row in rows:
        said = row.get("userId") if isinstance(row, dict) else None
        if isinstance(said, str) and said.strip().casefold() != user_id.strip().casefold():
            raise UnexpectedAnswer(
                f"{endpoint} returned a different user than requested. A cache between this machine and"
                " Authsignal may mix"
                " up responses. Nothing was loaded. Check proxies, then run again.",
                request=str(endpoint),
                status=200,
            )


async def _gather(api: Api, user_id: str, ask: ReadRequest, wanted: frozenset[str]) -> dict[str, Any]:
    """Send the requests one after the other: parallelism comes from reading several users."""
    return {part: await _read(api, _ROUTES[part], user_id, _query(part, ask)) for part in PARTS if part in wanted}


def _query(part: str, ask: ReadRequest) -> dict[str, str] | None:
    since = moment(ask.actions_from) if part == "user_actions" else None
    return {"fromDate": since.isoformat(timespec="milliseconds").replace("+00:00", "Z")} if since else None


async def _read(api: Api, endpoint: Endpoint, user_id: str, query: Mapping[str, str] | None = None) -> Any:
    """Return the response, or None for 404, which is undocumented but may occur for a user deleted meanwhile."""
    try:
        answer = await api.get(endpoint, dict if endpoint is GET_USER else list, query, userId=user_id)
    except RequestRefused as refused:
        if refused.status == 404:
            return None
        raise
    return answer


async def _is_unknown(
    api: Api, errand: ReadTask, page: Mapping[str, Any] | None, gathered: dict[str, Any], *, had_data: bool
) -> bool:
    """Return whether Authsignal returns no user for the id.

    Args:
        api: API to read from.
        errand: The task.
        page: The user record.
        gathered: Rows that were read, by table.
        had_data: Whether the user was stored with attributes or as enrolled, and the response no longer says so.
    """
    candidate, _, last, ask = errand
    if page is not None and _says_something(candidate, page):
        return False
    if candidate.is_unlisted or had_data:  # Authsignal keeps actions of deleted users
        own = "user_authenticators"
        return not (gathered[own] if own in gathered else await _read(api, _CHILDREN[own], candidate.user_id))
    for table, endpoint in _CHILDREN.items():
        is_all = table in gathered and not (table == "user_actions" and ask.actions_from)
        rows = gathered.get(table) or (None if is_all else await _read(api, endpoint, candidate.user_id))
        if rows and not _is_left_over(table, rows, last):
            return False
    return True


def _is_left_over(table: str, rows: list[Any], last: LastRead | None) -> bool:
    """Return whether rows may be leftovers of a user who was already deleted, because none is new."""
    if last is None or not last.was_read or last.is_known:
        return False
    return table == "user_devices" or (table == "user_actions" and not is_active(last, rows))


def _says_something(candidate: Candidate, page: Mapping[str, Any]) -> bool:
    """Return whether a user record differs from that of an unknown id. Fields added later may occur in all records."""
    if candidate.listed:
        return not _is_bare(page) or _is_bare(candidate.listed)
    return not _is_bare({name: value for name, value in page.items() if name in _DECLARED})


def _is_bare(page: Mapping[str, Any]) -> bool:
    return not any(value for name, value in page.items() if name not in _SAY_NOTHING)


def _not_found(endpoint: Endpoint) -> RequestRefused:
    return RequestRefused(
        f"Authsignal answered 404 to {endpoint} for a known user. Nothing was loaded. Run again.",
        request=str(endpoint),
        status=404,
    )


async def _details(
    api: Api, plan: Plan, errand: ReadTask, actions: list[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    if "action_details" not in plan.tables:
        return []
    user_id = errand.candidate.user_id
    stored_id = plan.privacy.stored_id(user_id)
    if not all(action.get("actionCode") and action.get("idempotencyKey") for action in actions):
        raise UnexpectedAnswer(
            f"{QUERY_USER_ACTIONS} returned an action without actionCode or idempotencyKey, so its detail cannot be"
            " requested. Nothing was loaded. Exclude action_details from --tables.",
            request=str(QUERY_USER_ACTIONS),
            status=200,
        )
    details = []
    for action in actions:
        names = str(action["actionCode"]), str(action["idempotencyKey"])
        if errand.ask.reason not in ("full", "privacy") and not wants_detail(
            errand.last, action, plan.has_detail(stored_id, *names)
        ):
            continue
        detail = await _detail(api, user_id, *names)
        if detail is not None:
            details.append((action, detail))
    return details


async def _detail(api: Api, user_id: str, action: str, key: str) -> Mapping[str, Any] | None:
    try:
        answer: Mapping[str, Any] = await api.get(GET_ACTION, dict, userId=user_id, action=action, idempotencyKey=key)
    except RequestRefused as refused:
        if refused.status != 404:  # the response for an unknown key is undocumented; 404 means deleted
            raise
        return None
    return answer
