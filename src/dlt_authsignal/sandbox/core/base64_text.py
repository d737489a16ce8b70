"""Base64 as clients send it: the standard or the URL-safe alphabet, padded or not.

Authsignal's SDKs differ: iOS sends URL-safe text without padding, Android and the browser send the standard form.
"""

import base64
import binascii
from typing import Final

_TO_STANDARD: Final = str.maketrans("-_", "+/", "\r\n")
_TO_URL_SAFE: Final = str.maketrans("+/", "-_", "\r\n")


def decoded(text: str) -> bytes | None:
    """Decode base64 in either alphabet, with or without padding and line breaks. None if it is not base64.

    Example:
        >>> decoded("-_8"), decoded("+/8="), decoded("+_8=="), decoded("!"), decoded("")
        (b'\\xfb\\xff', b'\\xfb\\xff', b'\\xfb\\xff', None, b'')
    """
    plain = text.translate(_TO_STANDARD).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def url_safe(text: str) -> str:
    """Return the same text in the URL-safe alphabet without padding, so that all spellings of a value are equal.

    Example:
        >>> url_safe("+/8="), url_safe("-_8")
        ('-_8', '-_8')
    """
    return text.translate(_TO_URL_SAFE).rstrip("=")
