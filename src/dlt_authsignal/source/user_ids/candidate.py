"""A user id and where it came from; what can be an id, and which column holds it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite, isnan
from typing import Any, Final, Literal
from uuid import UUID

IdSource = Literal["listing", "file", "query", "known", "named", "missing"]
"""What named a user id. `named`: `refresh_users`; `missing`: nothing any more, for who was listed and no longer is."""

ID_COLUMNS: Final = ("user_id", "userid", "id")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z _]{0,30}")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A user id, and where it came from.

    Attributes:
        user_id: The id.
        id_source: What named it.
        position: Line (text formats) or row (parquet, queries) that named it, from 1; None for the others.
        listed: What the listing said of the user; empty for the others.
        is_unlisted: Whether a complete list does not name them.
    """

    user_id: str
    id_source: IdSource
    position: int | None = None
    listed: Mapping[str, Any] = field(default_factory=dict)
    is_unlisted: bool = False


class NotAnId(TypeError):
    """A value that cannot be an id; says its type."""


def as_id(value: Any) -> str:
    """An id as text, without white space around it; empty for none.

    Raises:
        NotAnId: Neither text, a whole number nor a UUID.
        UnicodeEncodeError: Text that UTF-8 cannot hold.
    """
    if isinstance(value, float | Decimal):
        value = None if isnan(value) else int(value) if _is_whole(value) else value
    if value is None:  # or NaN, which is how some tools write it
        return ""
    if not isinstance(value, str | int | UUID) or isinstance(value, bool):
        raise NotAnId(type(value).__name__)
    text = str(value).strip()
    text.encode()
    return text


def _is_whole(value: float | Decimal) -> bool:
    return isfinite(value) and value == (value.to_integral_value() if isinstance(value, Decimal) else int(value))


def id_column(names: Iterable[str], column: str | None) -> int | None:
    """Which of the columns holds ids: the one that is named, else the first called `user_id`, `userId` or `id`."""
    plain = [name.strip() for name in names]
    if column:
        return plain.index(column) if column in plain else None
    lower = [name.lower() for name in plain]
    return next((lower.index(name) for name in ID_COLUMNS if name in lower), None)


def no_column(names: Iterable[str], column: str | None) -> str:
    """That no column holds ids, and which there are, as far as they look like names: others may be somebody's data."""
    wanted = f'column "{column}"' if column else f"column called {', '.join(ID_COLUMNS)}"
    found = ", ".join([name for name in names if _HEADER.fullmatch(name)][:10]) or "no names"
    return f"has no {wanted} (found: {found}). Name it with users_column (--users-column)."
