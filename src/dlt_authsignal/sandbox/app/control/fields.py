"""Fields of a request's body, checked."""

from datetime import UTC, datetime
from typing import Any

Body = dict[str, Any]


def whole(body: Body, name: str, default: int) -> int:
    """Return a whole number from 0 on.

    Raises:
        ValueError: The field has another value.
    """
    value = body.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} must be a whole number, 0 or more.")
    return value


def name_in(body: Body) -> str:
    """Return the field `name`.

    Raises:
        ValueError: It is missing, or not text.
    """
    if not isinstance(name := body.get("name"), str):
        raise ValueError("name must be text.")
    return name


def moment(text: Any) -> datetime | None:
    """Return a time; in UTC if it names no time zone.

    Raises:
        ValueError: It is not in ISO 8601.
    """
    if text is None:
        return None
    found = datetime.fromisoformat(str(text))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
