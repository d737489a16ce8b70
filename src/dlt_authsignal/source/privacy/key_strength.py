"""Refuse privacy keys that can be guessed: repeated patterns, sequences, words, and published examples."""

import re
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
    r"|staple|lorem|ipsum|dolor|foo|bar|baz|abc|xyz|123|[\s_.!?-]+"
)
_EXAMPLES: Final = frozenset(
    {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",  # SHA-256 of an empty text
        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",  # … of "password"
        "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",  # … of "secret"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",  # … of "test"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",  # … of "hello"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",  # … of "abc"
        "d41d8cd98f00b204e9800998ecf8427e",  # MD5 of an empty text
        "5f4dcc3b5aa765d61d8327deb882cf99",  # … of "password"
        "2b7e151628aed2a6abf7158809cf4f3c",  # AES keys in the standards
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
    }
)


def is_weak(key: str) -> bool:
    """Return whether a key is too short, or simpler than a random one."""
    plain = key.strip().lower()
    if len(key) < LEAST_KEY or len(set(key)) < LEAST_DIFFERENT or plain in _EXAMPLES:
        return True
    triples = [plain[place : place + 3] for place in range(len(plain) - 2)]
    if len(set(triples)) < len(triples) * _LEAST_NEW_TRIPLES:
        return True
    halves = plain[::2], plain[1::2]
    if all(len(_without_sequences(half)) < len(half) / 2 for half in halves):
        return True
    rest = _WORDS.sub("", _without_sequences(plain))
    return len(rest) < _LEAST_REST or len(set(rest)) < LEAST_DIFFERENT


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
