"""Recognise secrets by their form, whatever their field is called."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

from dlt_authsignal.schema.secret_fields import is_secret, is_suspicious
from dlt_authsignal.schema.words import words_of
from dlt_authsignal.source.privacy.recognition.readable import readable

_FORMS: Final = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{2,}|\beyJ[\w-]{16,}"  # JWT and JWE, and a part of one
    r"|otpauth(?:-migration)?:"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?:Bearer|Basic) [\w+/.~-]{8,}"
    r"|\b(?:Token|ApiKey) (?=\S{0,64}\d)[\w+/.~-]{10,}"
    r"|://[^/\s:@]*:[^/\s@]+@"  # a password in a URL
    r"|\b(?:token|secret|passw(?:or)?d|pwd|(?:api|access|account)[ _-]?key)s?[\"']?\s?[:=]\s?[\"']?(?=\S{0,64}\d)\S{6,}"
    r"|PuTTY-User-Key-File|AGE-SECRET-KEY-|\{S?SHA\d*\}|\bpbkdf2[_:]\w+[$:]|\bvault:v\d+:|\bscrypt:\d"
    r"|\$(?:2[abxy]?|argon2(?:id|i|d)|scrypt|pbkdf2[\w-]*|[156y])\$"  # hashes of passwords
    r"|\b(?:sk|rk|pk|whsec)_(?:live|test)?_?[A-Za-z0-9]{16,}"
    r"|\b(?:npm_|dop_v1_|shp(?:at|ss|ca)_|hf_|pypi-|glsa_|xkeysib-|sk-|sk-(?:proj|ant)-|ya29\.|GOCSPX-|hvs\.)[\w-]{16,}|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(r"(^|[?&#;\s])([\w.~%\[\]-]{1,64})=([^&#;\s]+)")
_CANDIDATE: Final = re.compile(r"[\w+/~-]{16,}={0,2}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BASE32: Final = re.compile(r"[A-Z2-7]{16,}={0,6}")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_RANDOM_HEX: Final = 40
_RANDOM: Final = 20
_SHORT: Final = 100
_LONGEST_LOOK: Final = 20_000
_IDENTIFYING: Final = frozenset(
    [
        "id",
        "ids",
        "uuid",
        "guid",
        "uid",
        "checksum",
        "etag",
        "fingerprint",
        "digest",
        "cursor",
        "trace",
        "request",
        "correlation",
        "version",
        "commit",
    ]
)


def is_secret_text(text: str) -> bool:
    """Return whether a text certainly contains a secret: a JWT, a private key, a link with a token, …"""
    if len(text) < 8 or _UUID.fullmatch(text):
        return False
    return _is_secret_short_text(text) if len(text) <= _SHORT else _has_secret_form(text)


@lru_cache(maxsize=4096)
def _is_secret_short_text(text: str) -> bool:
    """Return the same for a text that may come in every event, such as the name of a rule."""
    return _has_secret_form(text)


def _has_secret_form(text: str) -> bool:
    plain = readable(text)
    return _FORMS.search(plain) is not None or (
        "=" in plain and any(map(_is_secret_parameter, _PARAMETER.findall(plain)))
    )


def _is_secret_parameter(found: tuple[str, str, str]) -> bool:
    before, name = found[0].strip(), unquote(found[1])
    return is_secret(name) or (bool(before) and is_suspicious(name))


def is_random_text(text: str, name: str) -> bool:
    """Return whether a text contains a long random word, such as a key, and its field is not named like an id."""
    if len(text) < 16 or not _IDENTIFYING.isdisjoint(words_of(name.rpartition("__")[2])):
        return False
    return any(map(_is_random, _CANDIDATE.findall(text[:_LONGEST_LOOK])))


def _is_random(word: str) -> bool:
    if _UUID.fullmatch(word):
        return False
    digits = sum(map(str.isdigit, word))
    if _HEX.fullmatch(word):
        return len(word) >= _RANDOM_HEX and 0 < digits < len(word)
    if _BASE32.fullmatch(word):
        return digits > 0 and _changes(word) > 1
    return len(word) >= _RANDOM and _changes(word) >= len(word) * (0.3 if digits > 1 else 0.4)


def _changes(word: str) -> int:
    """Return how often the kind of character changes: a random word has no longer parts of one kind."""
    kinds = ["d" if each.isdigit() else "u" if each.isupper() else "l" if each.islower() else "" for each in word]
    letters = [kind for kind in kinds if kind]
    return sum(one != other for one, other in pairwise(letters))
