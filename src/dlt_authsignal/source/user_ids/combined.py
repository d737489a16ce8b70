"""One or several sources of user ids, read one after the other: the listing first, then as they were named."""

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


def _nobody() -> Iterable[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class UserIdSources:
    """Who is to be read.

    Attributes:
        sources: Where their ids come from.
        column: Column that holds the ids, in files and queries.
        page_size: Users per page of the listing.
        exclude_users: Ids to pass over, such as a probe's canary.
        erased: Ids to pass over since they were erased: nothing is known of them but hashes.
        known: Gives the ids of earlier runs.
    """

    sources: Sequence[Source] = (LISTING,)
    column: str | None = None
    page_size: int = 100
    exclude_users: frozenset[str] = frozenset()
    erased: Container[str] = frozenset()
    known: Callable[[], Iterable[str]] = _nobody

    def passes_over(self, user_id: str) -> bool:
        """Whether a user is not to be read, whoever names them."""
        return user_id in self.exclude_users or user_id in self.erased


async def candidates(api: Api, wanted: UserIdSources) -> AsyncGenerator[list[Candidate]]:
    """Pages of everybody who is to be read, each id once: the first source that names it wins.

    Raises:
        ListingRefused: The tenant does not list its users, and no other source names anybody.
        UserIdsUnreadable: A file or a query cannot be used, or nobody is known yet and nobody else was to be read.
    """
    seen = SeenKeys()
    async with aclosing(_pages(api, wanted)) as pages:
        async for page in pages:
            new = [one for one in page if not wanted.passes_over(one.user_id) and seen.add(one.user_id)]
            if new:
                yield new


async def _pages(api: Api, wanted: UserIdSources) -> AsyncGenerator[list[Candidate]]:
    refusal: ListingRefused | None = None
    nobody = True
    with ExitStack() as opened:
        # what is wrong with one of these had better be found now than after a long listing
        others = [
            await to_thread.run_sync(_ready, opened, source, wanted) for source in wanted.sources if source != LISTING
        ]
        if LISTING in wanted.sources:
            try:
                async for page in listing(api, wanted.page_size):
                    yield page
            except ListingRefused as error:
                if not others:
                    raise
                refusal = error
                logger.warning("This tenant does not list its users: reading those that the other sources name.")
        for ids in others:
            while page := await to_thread.run_sync(_next, ids):
                nobody = False
                yield page
    if nobody and refusal:
        raise refusal
    if nobody and wanted.sources == (KNOWN,):
        raise UserIdsUnreadable(
            "Nobody is known from earlier runs yet: name another source of user ids too, as --users-from listing."
        )


def _ready(opened: ExitStack, source: Source, wanted: UserIdSources) -> Iterator[Candidate]:
    """The ids of a source that has been found readable: a query has been answered, a file has been begun."""
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
"""Bytes; more go into a file that has no name, and is gone with the process."""


@contextmanager
def kept(ids: Generator[Candidate]) -> Iterator[Iterator[Candidate]]:
    """Reads all ids at once, and gives them back one by one for as long as the block lasts.

    Reading the users takes hours where taking their ids out of a database takes seconds, and no database likes a query
    that stays open for so long.
    """
    decoder = msgspec.json.Decoder(Candidate)
    with SpooledTemporaryFile(MOST_IN_MEMORY) as file:
        with closing(ids):
            for one in ids:  # writelines would keep all of them in memory first
                file.write(msgspec.json.encode(one) + b"\n")
        file.seek(0)
        yield map(decoder.decode, file)
