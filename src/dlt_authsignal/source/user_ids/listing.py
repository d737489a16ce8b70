"""The user list as a user id source."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlt_authsignal.api.server_endpoints import QUERY_USERS
from dlt_authsignal.errors import DOCS, ListingRefused, PagingLoop, RequestRefused, UnexpectedAnswer
from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.user_ids.candidate import Candidate


async def listing(api: Api, page_size: int) -> AsyncIterator[list[Candidate]]:
    """Yield the pages of the user list. A page may be short or empty although further pages follow.

    Raises:
        ListingRefused: The tenant does not list users without a filter.
        PagingLoop: Authsignal returned a page cursor twice.
    """
    cursors: set[str] = set()
    query = {"limit": str(page_size)}
    while True:
        page = await _page(api, query)
        if "limit" not in page.asked:
            query.pop("limit", None)
        yield [Candidate(user_id=_id(user), id_source="listing", listed=user) for user in page.users]
        if page.cursor is None:
            return
        if page.cursor in cursors:
            raise PagingLoop(
                f"{QUERY_USERS} returned the same lastEvaluatedUserId twice, after {len(cursors)} pages, so the list"
                " would never end. Nothing was loaded. If it happens again, report it to Authsignal, and supply user"
                " ids yourself with --users-from.",
                request=str(QUERY_USERS),
            )
        cursors.add(page.cursor)
        query["lastEvaluatedUserId"] = page.cursor


@dataclass(frozen=True)
class _Page:
    asked: Mapping[str, str]
    users: list[Any]
    cursor: str | None


async def _page(api: Api, query: Mapping[str, str]) -> _Page:
    try:
        answer = await api.get(QUERY_USERS, dict, query)
    except RequestRefused as refused:
        if refused.status != 400 or "lastEvaluatedUserId" in query:
            raise
        if "limit" in query:  # the maximum limit is not documented: request again without one
            return await _page(api, {name: value for name, value in query.items() if name != "limit"})
        raise ListingRefused(
            f"Authsignal answered 400 ({refused.error_code}) to {QUERY_USERS} without a filter: this tenant does not"
            " list its users. Nothing was loaded. Supply user ids yourself: pass --users-from with a file, a database"
            f" query, or known for the ids of earlier syncs; or set users_from. See {DOCS}/user-ids.md",
            request=refused.request,
            status=refused.status,
            error_code=refused.error_code,
        ) from None
    users, cursor = answer.get("users"), answer.get("lastEvaluatedUserId")
    if not isinstance(users, list) or not (cursor is None or isinstance(cursor, str)):
        raise UnexpectedAnswer(
            f"{QUERY_USERS} returned no list of users, or a cursor that is not text.",
            request=str(QUERY_USERS),
            status=200,
        )
    return _Page(query, users, cursor or None)


def _id(user: Any) -> str:
    user_id = user.get("userId") if isinstance(user, dict) else None
    if not isinstance(user_id, str) or not user_id:
        raise UnexpectedAnswer(
            f"{QUERY_USERS} listed a user whose userId is missing or not text.", request=str(QUERY_USERS), status=200
        )
    return user_id
