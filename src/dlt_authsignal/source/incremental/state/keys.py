"""Users, actions and list entries by 64-bit hashes, which take 8 bytes each."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


def key_of(*names: str) -> int:
    """Return a 64-bit hash of an id, or of a key with several parts."""
    text = "\0".join(names).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def place_of(values: array[int], value: int) -> int | None:
    """Return the index of a value in sorted values; None if it is not among them."""
    index = bisect_left(values, value)
    return index if index < len(values) and values[index] == value else None


def listed_hash(listed: Mapping[str, Any], key: bytes = b"") -> int:
    """Return the fingerprint of a user's list entry; 0 if it is empty. Field order and nulls do not matter.

    With a key, the entry cannot be guessed from the fingerprint."""
    said = {
        name: _unordered(value) if type(value) is list else value for name, value in listed.items() if value is not None
    }
    if not said:
        return 0
    text = msgspec.json.encode(said, order="sorted")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=key).digest(), "little") or 1


def _unordered(values: list[Any]) -> list[Any]:
    return sorted(values) if set(map(type, values)) <= {str} else values


class LoadedDetails:
    """The actions whose detail is loaded, with 8 bytes each.

    Args:
        keys: Sorted 64-bit hashes of the actions' keys.
    """

    def __init__(self, keys: bytes = b"") -> None:
        self._keys = array("Q")
        self._keys.frombytes(keys)

    def __bytes__(self) -> bytes:
        return self._keys.tobytes()

    def has(self, user_id: str, action_code: str, idempotency_key: str) -> bool:
        """Return whether the detail of an action is loaded."""
        return place_of(self._keys, key_of(user_id, action_code, idempotency_key)) is not None


class UserSet:
    """Users by a 64-bit hash of the id, with 8 bytes per user."""

    def __init__(self, user_ids: Iterable[str]) -> None:
        self._keys = array("Q", sorted(map(key_of, user_ids)))

    def __contains__(self, user_id: str) -> bool:
        return place_of(self._keys, key_of(user_id)) is not None
