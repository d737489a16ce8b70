"""`_row_hash` of Authsignal's responses: a sum over cells, so nulls and the order of columns do not matter.

Each cell's summand depends on the column name and the value, so a later value can be added to the sum. Rows are hashed
as the Arrow table that they would make: a table has one hash, however its rows are loaded.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pandas.util import hash_array

Hashes = npt.NDArray[np.uint64]

DIGITS: Final = 16


@lru_cache(maxsize=4096)
def _key(column: str) -> str:
    return hashlib.blake2b(column.encode("utf-8", "surrogatepass"), digest_size=DIGITS // 2).hexdigest()


def cells(column: str, values: Any) -> Hashes:
    """Return 64 bits for each value of an Arrow array; 0 for a null."""
    if pa.types.is_string(values.type):
        encoded = values.dictionary_encode()
        of_each: Hashes = hash_array(
            encoded.dictionary.to_numpy(zero_copy_only=False), hash_key=_key(column), categorize=False
        )
        if not values.null_count:
            return _taken(of_each, encoded.indices)
        return _taken(np.append(of_each, np.uint64(0)), encoded.indices.fill_null(len(of_each)))
    numbers = hash_array(_bits(values)) ^ np.uint64(int(_key(column), 16))
    mixed: Hashes = hash_array(numbers)
    return np.where(values.is_null().to_numpy(zero_copy_only=False), np.uint64(0), mixed)


def _taken(of_each: Hashes, places: Any) -> Hashes:
    found: Hashes = of_each[places.to_numpy()]
    return found


def _bits(values: Any) -> Hashes:
    if pa.types.is_floating(values.type):
        numbers: npt.NDArray[Any] = values.fill_null(0.0).to_numpy() + 0.0  # no negative zero
    else:
        numbers = values.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers.view(np.uint64)


def total(parts: Iterable[Hashes], rows: int) -> Hashes:
    """Return the sum of the cells' hashes for each row."""
    found = np.zeros(rows, np.uint64)
    for part in parts:
        found += part
    return found


def first_places(keys: Sequence[int] | Hashes, places: Iterable[int], seen: set[int]) -> list[int]:
    """The places whose key has not come before, in this batch or in an earlier one; adds the keys to `seen`."""
    found = []
    for place in places:
        before = len(seen)
        seen.add(int(keys[place]))
        if len(seen) > before:
            found.append(place)
    return found


def as_text(hashes: Hashes) -> Any:
    """Return the hashes as an Arrow array of 16 hex digits each."""
    digits = pa.py_buffer(hashes.astype(">u8").tobytes().hex().encode())
    places = pa.py_buffer(np.arange(0, DIGITS * len(hashes) + 1, DIGITS, dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), len(hashes), [None, places, digits])


def from_text(texts: Any) -> Hashes:
    """Return the hashes of an Arrow array or chunked array of 16 hex digits each, without nulls."""
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    digits = b"".join(_characters(chunk.drop_null().cast(pa.string())) for chunk in chunks)
    return np.frombuffer(bytes.fromhex(digits.decode()), ">u8").astype(np.uint64)


def _characters(texts: Any) -> bytes:
    _, places, characters = texts.buffers()
    if not len(texts):
        return b""
    ends = np.frombuffer(places, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return bytes(characters[ends[0] : ends[1]])
