"""Kinds of personal data. Every column of the table registry has one of them."""

import re
from functools import lru_cache
from typing import Final, Literal

Kind = Literal[
    "plain",
    "email",
    "phone",
    "name",
    "user_id",
    "ip",
    "user_agent",
    "device",
    "credential",
    "free-form",
    "words",
    "secret",
]
"""`words` is human-readable text that may quote anything. `secret` is never loaded; `secret_fields` lists the names."""

Sensitivity = Literal["plain", "direct", "quasi", "free-form", "secret"]

SENSITIVITY: Final[dict[Kind, Sensitivity]] = {
    "plain": "plain",
    "email": "direct",
    "phone": "direct",
    "name": "direct",
    "user_id": "direct",
    "ip": "quasi",
    "user_agent": "quasi",
    "device": "quasi",
    "credential": "quasi",
    "free-form": "free-form",
    "words": "free-form",
    "secret": "secret",
}
"""A direct identifier identifies a person; a quasi-identifier may do so with others; free-form may be anything."""

FREE_FORM: Final = frozenset({"custom", "output"})
"""Fields with free-form data of the customer, in any table."""

_BY_ENDING: Final[tuple[tuple[str, Kind], ...]] = (
    ("useragent", "user_agent"),
    ("deviceid", "device"),
    ("credentialid", "credential"),
)
_BY_WORD: Final[tuple[tuple[re.Pattern[str], Kind], ...]] = (
    (re.compile(r"e?mail.*|.*email"), "email"),
    (re.compile(r"phone.*|.*phone|mobile|tel|msisdn"), "phone"),
    (re.compile(r"ip|ips|ipv[46]|ipaddress(es)?"), "ip"),
    (re.compile(r".*names?|.*address(es)?|street|birth.*"), "name"),
)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@lru_cache(maxsize=4096)
def kind_by_name(name: str) -> Kind:
    """Return the kind of an undeclared field, judged by its name in any spelling; `plain` if the name is unknown."""
    words = [word.lower() for word in _WORD.findall(name)]
    together = "".join(words)
    for ending, kind in _BY_ENDING:
        if together.endswith(ending):
            return kind
    return next((kind for known, kind in _BY_WORD if any(map(known.fullmatch, words))), "plain")
