"""Match the values of two responses: ids, times and secrets differ each time, everything else must be equal."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from dlt_authsignal.sandbox.recording.masks import MASK

TIMES_SECONDS: Final = 60.0
"""How far two times may be apart: the clocks of both sandboxes show the same time at each request."""

_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_CHANGING: Final = re.compile(rf"{MASK.pattern}|{_UUID}|{_TIME}")
_OPAQUE: Final = re.compile(r"[A-Za-z0-9_-]{20,}")
_WORD: Final = re.compile(r"[A-Za-z0-9_-]{4,}")
_LATE: Final = 1_000_000_000
"""Numbers from here on are times: seconds or milliseconds since 1970."""

_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One difference between two responses.

    Attributes:
        path: Where it is, such as `users[0].email`; `status` for the status.
        recorded: The recorded value, shortened; None if only the new response has one.
        now: The new value, shortened; None if it is missing.
    """

    path: str
    recorded: str | None
    now: str | None


@dataclass
class Values:
    """Which recorded values stand for which new ones.

    Attributes:
        bound: New values by recorded ones.
        sent: Words that the client itself sent: they must not change.
    """

    bound: dict[str, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)

    def fill(self, text: str) -> str:
        """Return text with the new values in place of the recorded ones."""
        return _WORD.sub(lambda found: self.bound.get(found[0], found[0]), text)

    def filled(self, value: Any) -> Any:
        """Return JSON with the new values."""
        if isinstance(value, dict):
            return {self.fill(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        return self.fill(value) if isinstance(value, str) else value

    def unknown(self, text: str) -> Iterator[str]:
        """Yield the masks in a text that stand for no known value."""
        for found in MASK.finditer(text):
            if found[0] not in self.bound:
                yield found[0]

    def was_sent(self, text: str) -> None:
        """Remember the words of a request before they are filled."""
        self.sent.update(word for word in _WORD.findall(text) if word not in self.bound)

    def differences(self, recorded: Any, now: Any, path: str = "") -> Iterator[Difference]:
        """Yield differences, and bind changing values where both have one."""
        if isinstance(recorded, dict) and isinstance(now, dict):
            yield from self._fields(recorded, now, path)
        elif isinstance(recorded, list) and isinstance(now, list):
            if len(recorded) != len(now):
                yield Difference(path=path, recorded=f"{len(recorded)} entries", now=f"{len(now)} entries")
            for place, (before, after) in enumerate(zip(recorded, now, strict=False)):
                yield from self.differences(before, after, f"{path}[{place}]")
        elif not self._are_equal(recorded, now):
            yield Difference(path=path or "body", recorded=_shown(recorded), now=_shown(now))

    def _fields(self, recorded: dict[str, Any], now: dict[str, Any], path: str) -> Iterator[Difference]:
        recorded = {self.fill(name): value for name, value in recorded.items()}
        for name in dict.fromkeys((*recorded, *now)):
            place = f"{path}.{name}" if path else name
            if name not in now:
                yield Difference(path=place, recorded=_shown(recorded[name]), now=None)
            elif name not in recorded:
                yield Difference(path=place, recorded=None, now=_shown(now[name]))
            else:
                yield from self.differences(recorded[name], now[name], place)

    def _are_equal(self, recorded: Any, now: Any) -> bool:
        if isinstance(recorded, bool) or isinstance(now, bool) or recorded is None or now is None:
            return recorded is now
        if isinstance(recorded, int | float) and isinstance(now, int | float):
            return recorded == now or _are_times(recorded, now)
        if isinstance(recorded, str) and isinstance(now, str):
            return self.are_same_text(recorded, now)
        return False

    def are_same_text(self, recorded: str, now: str) -> bool:
        """Return whether two texts are equal but for changing values, which it binds."""
        if self.fill(recorded) == now:
            return True
        pieces = list(_CHANGING.finditer(recorded))
        if not pieces:
            return self._are_same_opaque(recorded, now)
        found = re.fullmatch(_pattern(recorded, pieces), now, re.DOTALL)
        return found is not None and all(
            self._is_same_piece(piece[0], value) for piece, value in zip(pieces, found.groups(), strict=True)
        )

    def _is_same_piece(self, recorded: str, now: str) -> bool:
        if re.fullmatch(_TIME, recorded):
            return re.fullmatch(_TIME, now) is not None and _seconds_apart(recorded, now) <= TIMES_SECONDS
        return self._bind(recorded, now)

    def _are_same_opaque(self, recorded: str, now: str) -> bool:
        are_opaque = _OPAQUE.fullmatch(recorded) and _OPAQUE.fullmatch(now) and len(recorded) == len(now)
        return bool(are_opaque) and self._bind(recorded, now)

    def _bind(self, recorded: str, now: str) -> bool:
        """Return whether the recorded value stands for this new one, or for none so far."""
        if recorded in self.bound:
            return self.bound[recorded] == now
        if recorded in self.sent:
            return recorded == now
        self.bound[recorded] = now
        return True


def _pattern(text: str, pieces: list[re.Match[str]]) -> str:
    parts, end = [], 0
    for piece in pieces:
        kind = rf"({_TIME})" if re.fullmatch(_TIME, piece[0]) else r"([^\s&]+)"
        kind = rf"({_UUID})" if re.fullmatch(_UUID, piece[0]) else kind
        parts += [re.escape(text[end : piece.start()]), kind]
        end = piece.end()
    return "".join((*parts, re.escape(text[end:])))


def _are_times(recorded: float, now: float) -> bool:
    unit = 1000 if recorded > _LATE * 100 else 1
    return min(recorded, now) > _LATE and abs(recorded - now) <= TIMES_SECONDS * unit


def _seconds_apart(one: str, other: str) -> float:
    first, second = (datetime.fromisoformat(text).astimezone(UTC) for text in (one, other))
    return abs((first - second).total_seconds())


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else f"{len(value)} entries"
    if isinstance(value, bool) or value is None:
        return str(value).lower().replace("none", "null")
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
