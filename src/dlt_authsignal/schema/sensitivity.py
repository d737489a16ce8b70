"""What a column can say of a person: each column of the registry bears one of these marks."""

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
"""`words` is text for people that may quote anything; `secret` never loads, and stands for what `withheld` names."""

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
"""A direct identifier names a person, a quasi-identifier may together with others, and free-form is anything."""

FREE_FORM: Final = frozenset({"custom", "output"})
"""Fields that are the customer's own, wherever they turn up."""

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
    """What something undeclared holds, by its name alone, however that is spelt: `plain` where it says nothing."""
    words = [word.lower() for word in _WORD.findall(name)]
    together = "".join(words)
    for ending, kind in _BY_ENDING:
        if together.endswith(ending):
            return kind
    return next((kind for known, kind in _BY_WORD if any(map(known.fullmatch, words))), "plain")
