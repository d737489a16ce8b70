"""A user id with its source, the validation of ids, and the choice of the id column."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from math import isfinite, isnan
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

IdSource = Literal["listing", "file", "query", "known", "named", "missing"]
"""What named a user id. `named`: `refresh_users`; `missing`: nothing any more, for who was listed and no longer is."""

ID_COLUMNS: Final = ("user_id", "userid", "id")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z _]{0,30}")


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A user id, and where it came from.

    Attributes:
        user_id: The id.
        id_source: `listing`, `file`, `query`, `known`, `named` (requested), or `missing` (no longer listed).
        position: Line (text formats) or row (Parquet, queries) with the id, from 1; None for other sources.
        listed: The user's entry in the user list; empty for other sources.
        is_unlisted: Whether a complete user list does not contain the user.
    """

    user_id: str
    id_source: IdSource
    position: int | None = None
    listed: Mapping[str, Any] = msgspec.field(default_factory=dict)
    is_unlisted: bool = False


def has_blanks(user_id: str) -> bool:
    """Return whether an id begins or ends with white space, which is often a fault of its source."""
    return user_id != user_id.strip()


class NotAnId(TypeError):
    """The value cannot be a user id. The message is its type."""


def as_id(value: Any) -> str:
    """Return an id as text, exactly as it stands; empty if there is none, or only white space.

    Raises:
        NotAnId: The value is neither text, a whole number nor a UUID.
        UnicodeEncodeError: The text cannot be encoded as UTF-8.
    """
    if isinstance(value, float | Decimal):
        value = None if isnan(value) else int(value) if _is_whole(value) else value
    if value is None:  # or NaN, which some tools write instead
        return ""
    if not isinstance(value, str | int | UUID) or isinstance(value, bool):
        raise NotAnId(type(value).__name__)
    text = str(value)
    text.encode()
    return text if text.strip() else ""


def _is_whole(value: float | Decimal) -> bool:
    return isfinite(value) and value == (value.to_integral_value() if isinstance(value, Decimal) else int(value))


def id_column(names: Iterable[str], column: str | None) -> int | None:
    """Return the index of the id column: `column` if given, else the first of `user_id`, `userId` and `id`."""
    plain = [name.strip() for name in names]
    if column:
        return plain.index(column) if column in plain else None
    lower = [name.lower() for name in plain]
    return next((lower.index(name) for name in ID_COLUMNS if name in lower), None)


def no_column(names: Iterable[str], column: str | None) -> str:
    """Return the message that the id column is missing. Headers that may be personal data are not quoted."""
    wanted = f'column "{column}"' if column else f"column called {', '.join(ID_COLUMNS)}"
    found = ", ".join([name for name in names if _HEADER.fullmatch(name)][:10]) or "no names"
    return f"has no {wanted} (found: {found}). Set the id column with users_column (--users-column)."
