"""Ids put by until it is their turn."""

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from tempfile import SpooledTemporaryFile
from typing import Final

import msgspec

from dlt_authsignal.source.user_ids.candidate import Candidate

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
