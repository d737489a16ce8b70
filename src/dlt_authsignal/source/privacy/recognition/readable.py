"""Undo the notations that hide an identifier: percent-encoding, Unicode look-alikes, invisible characters."""

import html
import re
import unicodedata
from typing import Final
from urllib.parse import unquote

_ENCODED: Final = re.compile(r"%[0-9A-Fa-f]{2}|&(?:#|amp;|commat|plus|period)|(?:\\x|[\\%]u00)[0-9A-Fa-f]{2}")
_ESCAPE: Final = re.compile(r"(?:\\x|[\\%]u00)([0-9A-Fa-f]{2})")
_MOST_LAYERS: Final = 4
_LOOK_ALIKES: Final = {
    "➕": "+",
    "。": ".",
    "｡": ".",
    "·": ".",
    "⁄": "/",
    "⓪": "0",
    "❿": "10",
    "⠀": " ",
    "\u1160": " ",
    "ⓐ": "@",
}
_TAGS: Final = range(0xE0020, 0xE007F)
_DASH: Final = "Pd"


def readable(text: str) -> str:
    """Return the text without encoding, with ASCII digits, plain spaces and dashes; most texts are unchanged."""
    if text.isascii() and not _ENCODED.search(text):
        return text
    plain = _folded(text)
    for _ in range(_MOST_LAYERS):
        decoded = _decoded(plain)
        if decoded == plain:
            break
        plain = _folded(decoded)
    return plain


def _decoded(text: str) -> str:
    if not _ENCODED.search(text):
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), html.unescape(unquote(text)))


def _folded(text: str) -> str:
    if text.isascii():
        return text
    return "".join(map(_character, unicodedata.normalize("NFKC", "".join(map(_character, text)))))


def _character(character: str) -> str:
    if character.isascii():
        return character
    if known := _LOOK_ALIKES.get(character):
        return known
    if ord(character) in _TAGS:
        return chr(ord(character) - 0xE0000)
    if (digit := unicodedata.digit(character, None)) is not None:
        return str(digit)
    category = unicodedata.category(character)
    if category == _DASH or character == "\u2212":
        return "-"
    if category.startswith("Z"):
        return " "
    return "" if category in ("Cf", "Me") or "\ufe00" <= character <= "\ufe0f" else character
