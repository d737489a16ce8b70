"""Columns of numbers in files, for values that are needed of few users only."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import AbstractContextManager
from tempfile import TemporaryFile
from typing import Any, Final, Literal

_BYTES: Final = 8
_AT_ONCE: Final = 100_000


def blocks(count: int) -> Iterator[slice]:
    """Yield the ranges of so many values that are processed at once, to use little memory."""
    return (slice(start, start + _AT_ONCE) for start in range(0, count, _AT_ONCE))


class DiskColumn:
    """A column of 64-bit numbers in a file without a name. The operating system may remove its pages from memory.

    Args:
        kind: "q" for numbers with a sign, "Q" without, as in `array`.
        file: The file's content; None for an empty column.
    """

    def __init__(self, kind: Literal["q", "Q"], file: mmap.mmap | None = None) -> None:
        self._file = file
        self._values: memoryview[int] = memoryview(file if file is not None else b"").cast(kind)

    def __getitem__(self, index: int) -> int:
        return self._values[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._values[index] = value

    def copied(self, block: slice) -> Any:
        """Return these values as a NumPy array. Afterwards, the column uses no memory again."""
        import numpy as np

        values = np.array(self._values[block])
        if self._file is not None and hasattr(self._file, "madvise"):  # not on Windows
            self._file.madvise(mmap.MADV_DONTNEED)
        return values


def zeros(count: int) -> DiskColumn:
    """Return a column of zeros that can be changed. It is not in a file, and uses memory for what is changed."""
    return DiskColumn("q", mmap.mmap(-1, _BYTES * count) if count else None)


class ColumnFile(AbstractContextManager["ColumnFile"]):
    """Writes a column to a file without a name, which exists until its last user ends.

    Args:
        kind: "q" for numbers with a sign, "Q" without, as in `array`.
        folder: Folder of the file; None for the folder of temporary files.
    """

    def __init__(self, kind: Literal["q", "Q"], folder: str | None) -> None:
        self._kind = kind
        self._folder = folder
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, values: Any) -> None:
        """Add the values of a NumPy array."""
        self._file.write(values.tobytes())

    def sorted_by(self, order: Any) -> DiskColumn:
        """Return the column in the order of these indexes, a NumPy array."""
        import numpy as np

        if not len(order):
            return DiskColumn(self._kind)
        self._file.flush()
        with (
            mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as held,
            TemporaryFile(dir=self._folder) as sorted_file,
        ):
            values = np.frombuffer(held, self._kind)
            for block in blocks(len(order)):
                sorted_file.write(values[order[block]].tobytes())
            del values  # or the map could not be closed
            sorted_file.flush()
            return DiskColumn(self._kind, mmap.mmap(sorted_file.fileno(), 0, access=mmap.ACCESS_READ))
