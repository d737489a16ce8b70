"""Refuse privacy keys that can be guessed: repeated patterns, sequences, words, and published examples."""

import base64
import hashlib
import re
from functools import cache
from operator import eq
from typing import Final

LEAST_KEY: Final = 32
LEAST_DIFFERENT: Final = 8
"""Minimum length of a key and of its distinct characters; 16 random bytes in hex satisfy both."""

_LEAST_REST: Final = 16
"""Minimum characters that are left without sequences and words."""

_LEAST_NEW_TRIPLES: Final = 0.75
"""Minimum share of different triples of characters. A pattern that occurs twice has half; a random key has all."""

_ALPHABETS: Final = ("0123456789abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm")
_SHORTEST_SEQUENCE: Final = 4
_WORDS: Final = re.compile(
    r"privacy|secret|password|passw0rd|authsignal|pseudonym|example|changeme|change|replace|insert|default|sample|dummy"
    r"|test|demo|local|admin|letmein|welcome|token|random|string|characters|at least|your|this|that|with|the|key|my|me"
    r"|here|super|very|long|and|for|not|use|256|bit|deadbeef|cafebabe|badc0ffee|feedface|c0ffee|correct|horse|battery"
    r"|staple|quick|brown|fox|jumps|over|lazy|dog|lorem|ipsum|dolor|foo|bar|baz|abc|xyz|123|[\s_.!?-]+"
)
_EXAMPLES: Final = re.compile(
    r"2b7e151628aed2a6abf7158809cf4f3c|603deb1015ca71be2b73aef0857d7781.*|8e73b0f7da0e6452c810f32b809079e5.*"  # AES
    r"|6a09e667.*|428a2f98.*|31415926.*|14159265.*|27182818.*|16180339.*|14142135.*"  # SHA-256, mathematics
    r"|550e8400-?e29b-?41d4-?a716-?446655440000|123e4567-?e89b-?12d3-?a456-?426614174000"
)
_HASHED_WORDS: Final = (
    *(
        "",
        "password",
        "password1",
        "password123",
        "secret",
        "test",
        "hello",
        "abc",
        "admin",
        "changeme",
        "123456",
        "key",
    ),
    *(
        "12345678",
        "qwerty",
        "letmein",
        "authsignal",
        "privacy",
        "privacy_key",
        "privacykey",
        "dlt-authsignal",
        "example",
    ),
)
_LEAST_PERIOD: Final = 0.5
"""A key whose characters are so often equal to those some places earlier counts up, or repeats a pattern."""

_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_SEPARATOR: Final = re.compile(r"[-_ .:/]+")
_ONE_WORD: Final = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}|v?\d{1,4}")


def is_weak(key: str) -> bool:
    """Return whether a key is too short, or simpler than a random one."""
    plain = key.strip().lower()
    if len(key) < LEAST_KEY or len(set(key)) < LEAST_DIFFERENT or _EXAMPLES.fullmatch(plain):
        return True
    if plain in _published_hashes() or _is_words(key.strip()) or _repeats(plain) or _hides_text(key.strip()):
        return True
    triples = [plain[place : place + 3] for place in range(len(plain) - 2)]
    if len(set(triples)) < len(triples) * _LEAST_NEW_TRIPLES:
        return True
    halves = plain[::2], plain[1::2]
    if all(len(_without_sequences(half)) < len(half) / 2 for half in halves):
        return True
    rest = _WORDS.sub("", _without_sequences(plain))
    return len(rest) < _LEAST_REST or len(set(rest)) < LEAST_DIFFERENT


@cache
def _published_hashes() -> frozenset[str]:
    ways = (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.sha512)
    return frozenset(way(word.encode(), usedforsecurity=False).hexdigest() for way in ways for word in _HASHED_WORDS)


def _is_words(key: str) -> bool:
    """Return whether the key is words and short numbers with separators, as a person writes them."""
    parts = _SEPARATOR.split(key)
    return len(parts) > 2 and all(map(_ONE_WORD.fullmatch, parts))


def _repeats(plain: str) -> bool:
    """Return whether the key repeats a pattern, even with a few changes in it, as `3f9c3f9d3f9e` does."""
    return any(
        sum(map(eq, plain, plain[period:])) >= (len(plain) - period) * _LEAST_PERIOD
        for period in range(1, len(plain) // 2 + 1)
    )


def _hides_text(key: str) -> bool:
    """Return whether the key is text in hex or base64: random bytes are not all printable."""
    try:
        if _HEX.fullmatch(key):
            return bytes.fromhex(key).decode("ascii").isprintable()
        return base64.b64decode(key, validate=True).decode("ascii").isprintable()
    except ValueError:
        return False


def _without_sequences(text: str) -> str:
    """Return the text without parts such as `4567`, `fedc`, `aaaa` or `2468`."""
    for alphabet in _ALPHABETS:
        places = {character: place for place, character in enumerate(alphabet)}
        text = _without_even_steps(text, [places.get(character, ord(character) * 100) for character in text])
    return text


def _without_even_steps(text: str, places: list[int]) -> str:
    kept, begin = [], 0
    while begin < len(text):
        end = begin + 1
        while end < len(text) and (
            end == begin + 1 or places[end] - places[end - 1] == places[begin + 1] - places[begin]
        ):
            end += 1
        if end - begin >= _SHORTEST_SEQUENCE:
            begin = end
        else:
            kept.append(text[begin])
            begin += 1
    return "".join(kept)
