"""Credentials as they were found: without what a copy leaves around them, and only what a header can carry.

Messages name the setting and the fault, never the value.
"""

import re
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError

_PLACEHOLDER: Final = re.compile(r"your_\w+_here|<configure me>|")
_FAULTS: Final = (
    (re.compile(r"\s"), "has white space inside; give the value alone, on one line and without a word like Bearer"),
    (
        re.compile(r"[^\x21-\x7e]"),
        "holds a character that no key or token has, such as a typographic dash; copy it again",
    ),
    (re.compile(r"[\"'\[\]{}<>]"), "has quotes or brackets in it; give one text without them"),
)


def clean_credential(name: str, value: Any) -> str | None:
    """The value without white space around it; None for none, and for what an example file or dlt put there.

    Args:
        name: Name of the setting, for messages.
        value: What was found.

    Raises:
        ConfigurationError: No text, or one that cannot be a credential.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise _unusable(name, f"is of type {type(value).__name__}; it has to be text")
    text = value.strip()
    if _PLACEHOLDER.fullmatch(text):
        return None
    for pattern, fault in _FAULTS:
        if pattern.search(text):
            raise _unusable(name, fault)
    return text


def _unusable(name: str, fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"{name} cannot be used: it {fault}. It stands in .dlt/secrets.toml under [sources.authsignal_source], in"
        f" SOURCES__AUTHSIGNAL_SOURCE__{name.upper()}, or wherever else you keep it."
    )
