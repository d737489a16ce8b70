"""Split the names of fields into words, in any spelling."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[A-Z]+s?(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=8192)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: `apiKeys_v2` has the words api, keys, v and 2."""
    return tuple(word.lower() for word in _WORD.findall(unicodedata.normalize("NFKC", name)))


def joined(name: str) -> str:
    """Return the words of a name without anything between them."""
    return "".join(words_of(name))
