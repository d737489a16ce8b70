"""Clean and check credentials: white space from copying is removed, and only valid header text is accepted.

Messages name the setting and the fault, never the value.
"""

import re
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError

_PLACEHOLDER: Final = re.compile(r"your_\w+_here|<configure me>|")
_FAULTS: Final = (
    (re.compile(r"\s"), "contains white space. Set only the value, on one line and without a word like Bearer"),
    (
        re.compile(r"[^\x21-\x7e]"),
        "contains a character that no key or token has, such as a typographic dash. Copy it again",
    ),
    (re.compile(r"[\"'\[\]{}<>]"), "contains quotes or brackets. Set one text without them"),
)


def clean_credential(name: str, value: Any) -> str | None:
    """Return the value without white space around it; None if it is missing, empty or an example value.

    Args:
        name: Name of the setting, for messages.
        value: Value that was found.

    Raises:
        ConfigurationError: The value is not text, or cannot be a credential.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise _unusable(name, f"is of type {type(value).__name__}, and must be text")
    text = value.strip().removeprefix("\ufeff").strip()  # a key's own file may begin with a byte-order mark
    if _PLACEHOLDER.fullmatch(text):
        return None
    for pattern, fault in _FAULTS:
        if pattern.search(text):
            raise _unusable(name, fault)
    return text


def _unusable(name: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} is not valid: it {fault}. Correct it in .dlt/secrets.toml under [sources.authsignal_source], in the"
        f" environment variable SOURCES__AUTHSIGNAL_SOURCE__{name.upper()}, or where you set it."
    )
