"""The user list as a user id source."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dlt_authsignal.api.server_endpoints import QUERY_USERS
from dlt_authsignal.errors import DOCS, ListingRefused, PagingLoop, RequestRefused, UnexpectedAnswer
from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.user_ids.candidate import Candidate
from dlt_authsignal.source.user_ids.id_set import SeenKeys

MOST_REPEATED: Final = 10
"""Pages in a row that list only users listed before. Pages overlap by chance only where the list changes meanwhile."""

MOST_EMPTY: Final = 1_000
"""Pages in a row without users. A database that filters after it has counted a page returns such pages."""


async def listing(api: Api, page_size: int, seen: SeenKeys | None = None) -> AsyncIterator[list[Candidate]]:
    """Yield the users of each page of the user list who were not listed before. A page may be short or empty although
    further pages follow.

    Args:
        api: API to read from.
        page_size: Users per page.
        seen: Ids of listed users, to which this function adds.

    Raises:
        ListingRefused: The tenant does not list users without a filter.
        PagingLoop: The list does not end: Authsignal returned a page cursor twice, or page after page without a user
            who was not listed before.
    """
    seen = SeenKeys() if seen is None else seen
    paging = _Paging()
    query = {"limit": str(page_size)}
    while True:
        page = await _page(api, query)
        if "limit" not in page.asked:
            query.pop("limit", None)
        listed = [Candidate(user_id=_id(user), id_source="listing", listed=user) for user in page.users]
        new = [one for one in listed if seen.add(one.user_id)]
        yield new
        if page.cursor is None:
            return
        paging.check(page, has_new=bool(new))
        query["lastEvaluatedUserId"] = page.cursor


class _Paging:
    """Notices that a list does not end."""

    def __init__(self) -> None:
        self._cursors: set[str] = set()
        self._repeated = 0
        self._empty = 0

    def check(self, page: "_Page", *, has_new: bool) -> None:
        """Look at a page that another one follows."""
        if has_new:
            self._repeated = self._empty = 0
        elif page.users:
            self._repeated += 1
        else:
            self._empty += 1
        fault = ""
        if page.cursor in self._cursors:
            fault = "the same lastEvaluatedUserId twice"
        elif self._repeated >= MOST_REPEATED:
            fault = f"{self._repeated} pages in a row with only users that it had listed before"
        elif self._empty >= MOST_EMPTY:
            fault = f"{self._empty:,} pages in a row without a user"
        self._cursors.add(str(page.cursor))
        if fault:
            raise PagingLoop(
                f"{QUERY_USERS} returned {fault}, after {len(self._cursors):,} pages, so the list would never end."
                " Nothing was loaded. If it happens again, report it to Authsignal, and supply user ids yourself with"
                " --users-from.",
                request=str(QUERY_USERS),
            )


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
