"""What is known of the text in undeclared columns: where it is hashed, and the words that occurred elsewhere."""

from collections.abc import Mapping
from typing import Final

MOST_PLACES: Final = 1000
"""Undeclared columns, and keys in them, whose text is judged one by one. Text in further ones is always hashed."""


class Places:
    """The places of one table whose text is hashed, and the words at the others.

    Args:
        remembered: Places that earlier runs hashed; new ones are added.
    """

    def __init__(self, remembered: list[str] | None = None) -> None:
        self.remembered: list[str] = [] if remembered is None else remembered
        self._hashed = set(self.remembered)
        self._words: dict[str, set[str]] = {}

    @property
    def words(self) -> Mapping[str, set[str]]:
        """Return the words at places whose text is not hashed, by place."""
        return self._words

    def is_hashed(self, path: str) -> bool:
        """Return whether text at a place is hashed."""
        if path in self._hashed or len(self._hashed) >= MOST_PLACES:
            return True
        return len(self._words) >= MOST_PLACES and path not in self._words

    def hash_from_now(self, path: str) -> None:
        """Record that text at a place is hashed, in later runs too."""
        self._words.pop(path, None)
        if path not in self._hashed:
            self._hashed.add(path)
            self.remembered.append(path)

    def words_with(self, path: str, word: str) -> int:
        """Record a word at a place; return the number of its different words."""
        words = self._words.setdefault(path, set())
        words.add(word)
        return len(words)
