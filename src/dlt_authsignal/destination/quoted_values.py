"""Remove quoted values from messages of databases: they may be personal data."""

import re
from typing import Final

_QUOTED: Final = re.compile(r"[\"'].*[\"']|[\"'].*")

LEFT_OUT: Final = "(quoted values are left out: they may be personal)"


def without_values(text: str) -> str:
    """Return the first line without the text between its first and last quotation mark, which may be personal data."""
    lines = text.strip().splitlines() or [""]
    return _QUOTED.sub("…", lines[0]) + (" …" if len(lines) > 1 else "")
