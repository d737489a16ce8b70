"""Combine user id sources: the user list is read first, then the others in the given order."""

import logging
from collections.abc import AsyncGenerator, Callable, Container, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from tempfile import SpooledTemporaryFile
from typing import Final

import msgspec
from anyio import to_thread

from dlt_authsignal.errors import ListingRefused, UserIdsUnreadable
from dlt_authsignal.source.http.client import Api
from dlt_authsignal.source.user_ids.candidate import Candidate
from dlt_authsignal.source.user_ids.files import from_file
from dlt_authsignal.source.user_ids.id_set import SeenKeys
from dlt_authsignal.source.user_ids.listing import listing
from dlt_authsignal.source.user_ids.sql_connection import Query
from dlt_authsignal.source.user_ids.sql_query import from_query

LISTING: Final = "listing"
KNOWN: Final = "known"
IDS_AT_ONCE: Final = 1000

logger = logging.getLogger(__name__)


Source = str | Query
"""`listing`, `known`, the path of a file, or a query."""


def _no_ids() -> Iterable[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class UserIdSources:
    """The users to read.

    Attributes:
        sources: User id sources.
        column: Id column in files and queries.
        page_size: Users per page of the user list.
        exclude_users: Ids to skip, such as the canary user of a probe.
        erased: Hashes of erased ids, which are skipped.
        known: Returns the ids of earlier runs.
    """

    sources: Sequence[Source] = (LISTING,)
    column: str | None = None
    page_size: int = 100
    exclude_users: frozenset[str] = frozenset()
    erased: Container[str] = frozenset()
    known: Callable[[], Iterable[str]] = _no_ids

    def is_skipped(self, user_id: str) -> bool:
        """Return whether a user is always skipped, whatever source contains the id."""
        return user_id in self.exclude_users or user_id in self.erased


@dataclass
class ListState:
    """Whether the user list was read to its end. Then a user who is missing from it was deleted, or the list was
    truncated: the user has to be looked up."""

    is_complete: bool = False


async def candidates(
    api: Api, wanted: UserIdSources, state: ListState | None = None
) -> AsyncGenerator[list[Candidate]]:
    """Yield pages of all users to read, each id once. The first source that contains an id determines its origin.

    Args:
        api: API to read from.
        wanted: The users to read.
        state: Changed when the user list was read.

    Raises:
        ListingRefused: The tenant does not list its users, and there is no other source.
        UserIdsUnreadable: A file or query cannot be used, or `known` is the only source and there are no known ids.
    """
    state = state or ListState()
    async with aclosing(_pages(api, wanted, state)) as pages:
        async for page in pages:
            wanted_ones = [one for one in page if not wanted.is_skipped(one.user_id)]
            if state.is_complete:
                wanted_ones = [msgspec.structs.replace(one, is_unlisted=True) for one in wanted_ones]
            if wanted_ones:
                yield wanted_ones


async def _pages(api: Api, wanted: UserIdSources, state: ListState) -> AsyncGenerator[list[Candidate]]:
    seen = SeenKeys()
    refusal: ListingRefused | None = None
    is_empty = True
    with ExitStack() as opened:
        # opened first, so that a mistake shows before the user list is read, which may take long
        others = [
            await to_thread.run_sync(_ready, opened, source, wanted) for source in wanted.sources if source != LISTING
        ]
        if LISTING in wanted.sources:
            try:
                async for page in listing(api, wanted.page_size, seen):
                    yield page
                state.is_complete = True
            except ListingRefused as error:
                if not others:
                    raise
                refusal = error
                logger.warning("This tenant does not list its users. Reading the users of the other user id sources.")
        for ids in others:
            while page := await to_thread.run_sync(_next, ids):
                is_empty = False
                yield [one for one in page if seen.add(one.user_id)]
    if is_empty and refusal:
        raise refusal
    if is_empty and wanted.sources == (KNOWN,):
        raise UserIdsUnreadable(
            "There are no user ids of earlier runs (known) yet. Nothing was read. Add another user id source,"
            " such as --users-from listing."
        )


def _ready(opened: ExitStack, source: Source, wanted: UserIdSources) -> Iterator[Candidate]:
    """Return the ids of a source after checking that it is readable: run the query, or open the file."""
    if source == KNOWN:
        known = (Candidate(user_id=user_id, id_source=KNOWN) for user_id in wanted.known())
        return opened.enter_context(kept(known))
    if isinstance(source, Query):
        return opened.enter_context(kept(from_query(source, wanted.column)))
    ids = opened.enter_context(closing(from_file(source, wanted.column)))
    return chain(list(islice(ids, 1)), ids)


def _next(ids: Iterator[Candidate]) -> list[Candidate]:
    return list(islice(ids, IDS_AT_ONCE))


MOST_IN_MEMORY: Final = 8 * 1024 * 1024
"""Bytes to keep in memory; more are stored in an unnamed file that disappears with the process."""


@contextmanager
def kept(ids: Generator[Candidate]) -> Iterator[Iterator[Candidate]]:
    """Read all ids immediately, and yield them one by one during the block.

    Reading users may take hours, while reading their ids from a database takes seconds. A query should not stay open
    for hours.
    """
    decoder = msgspec.json.Decoder(Candidate)
    with SpooledTemporaryFile(MOST_IN_MEMORY) as file:
        with closing(ids):
            for one in ids:  # writelines would first collect all of them in memory
                file.write(msgspec.json.encode(one) + b"\n")
        file.seek(0)
        yield map(decoder.decode, file)
