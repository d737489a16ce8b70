"""Lists in pages, which the server divides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST_DIGITS: Final = 9


@dataclass(frozen=True)
class Paged(Generic[T]):
    """One page of a list.

    Attributes:
        rows: The rows of this page.
        number: Number of this page, from 1.
        pages: Number of pages, at least 1.
        total: Number of rows of all pages.
        first: Number of the first row of this page, from 1. 0 without rows.
    """

    rows: Sequence[T]
    number: int
    pages: int
    total: int
    first: int

    @property
    def last(self) -> int:
        """Number of the last row of this page."""
        return self.first + len(self.rows) - 1 if self.rows else 0


def paged(rows: Sequence[T], asked: str, size: int) -> Paged[T]:
    """Return one page of a list. A page that does not exist is replaced by the nearest one.

    Args:
        rows: The whole list.
        asked: The number of the page, as the address has it.
        size: Rows of a page.

    Example:
        >>> paged("abcde", "2", 2).rows, paged("abcde", "99", 2).rows, paged("", "x", 2).pages
        ('cd', 'e', 1)
    """
    pages = max(1, -(-len(rows) // size))
    number = min(max(1, _whole(asked)), pages)
    start = (number - 1) * size
    return Paged(rows[start : start + size], number, pages, len(rows), start + 1 if rows else 0)


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 1
