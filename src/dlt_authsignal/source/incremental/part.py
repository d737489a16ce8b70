"""One part of N of a tenant's users, chosen by a hash of the stored user id."""

import re
from dataclasses import dataclass
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.source.incremental.state.keys import key_of

MOST_PARTS: Final = 256
_FORM: Final = re.compile(r"(\d{1,3})\s*/\s*(\d{1,3})")


@dataclass(frozen=True, order=True)
class Part:
    """The users whose hash modulo `of` is `number` - 1. Each user is in exactly one part.

    The hash is blake2b of the stored user id with 8 bytes, read as a little-endian number.

    Attributes:
        number: Number of the part, from 1.
        of: Number of parts.
    """

    number: int
    of: int

    def __contains__(self, stored_id: object) -> bool:
        return isinstance(stored_id, str) and key_of(stored_id) % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def part_of(text: Any) -> Part:
    """Return the part that a text such as `1/4` names.

    Raises:
        ConfigurationError: It names none.
    """
    found = _FORM.fullmatch(str(text).strip())
    part = Part(int(found[1]), int(found[2])) if found else Part(0, 0)
    if not 1 <= part.number <= part.of <= MOST_PARTS:
        raise ConfigurationError(
            f'shard must be K/N, such as "1/4": K from 1 to N, and N at most {MOST_PARTS}; got "{text}". Nothing was'
            " read."
        )
    return part
