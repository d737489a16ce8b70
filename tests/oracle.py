"""What the tables have to say, worked out in another way: from what Authsignal held whenever a sync read it.

Shares no code with the product. Where a sync may or may not have read something (it was killed, bounded, or gated),
each possibility is kept, until the tables rule it out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

TOLD_BY_THE_LIST = ("users", "user_authenticators", "user_actions")
WITH_HISTORY = ("users", "user_authenticators")
PARTS = (*TOLD_BY_THE_LIST, "user_devices")

Unit = tuple[str, ...]
"""What is read as one: a user's part of a table, or one action."""

Versions = tuple[tuple[Any, bool], ...]
Promise = Literal["everything", "everything but old actions", "what the list shows", "nothing"]


class World(NamedTuple):
    """What Authsignal says at one time.

    Attributes:
        listed: By user, what the list says.
        shown: By unit and key, what it says of it.
        old: Actions that a sync that is not full need not ask for again.
    """

    listed: Mapping[str, Any]
    shown: Mapping[Unit, Mapping[str, Any]]
    old: frozenset[Unit] = frozenset()


class Known(NamedTuple):
    """What may be known of one unit.

    Attributes:
        rows: By key, the last values and whether it is there.
        versions: By key, every version's values, and whether it is the one that is valid.
        listed: What the list said when it was last read; None if the user was not there.
    """

    rows: tuple[tuple[str, Any, bool], ...] = ()
    versions: tuple[tuple[str, Versions], ...] = ()
    listed: Any = None

    def read(self, shown: Mapping[str, Any], listed: Any, *, forgets: bool) -> "Known":
        """After a complete read."""
        last = {key: value for key, value, _ in self.rows}
        there = {key for key, _, is_there in self.rows if is_there and not forgets} | shown.keys()
        values = {**last, **shown}
        past = dict(self.versions)
        return Known(
            rows=tuple(sorted((key, value, key in there) for key, value in values.items())),
            versions=tuple(sorted((key, _next(past.get(key, ()), values[key], key in there)) for key in values)),
            listed=listed,
        )


def _next(past: Versions, value: Any, is_there: bool) -> Versions:
    if is_there and past and past[-1] == (value, True):
        return past
    closed = tuple((each, False) for each, _ in past)
    return (*closed, (value, True)) if is_there else closed


class Attempt(NamedTuple):
    """A sync that may have come to something."""

    world: World
    wanted: tuple[str, ...]
    may_be_partial: bool = False


@dataclass
class Oracle:
    """What the tables may hold."""

    known: dict[Unit, set[Known]] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    def synced(self, world: World, wanted: tuple[str, ...], promise: Promise, found: Mapping[Unit, Known]) -> None:
        """Takes in what the tables hold after a sync that succeeded. AssertionError where they cannot."""
        attempts = [*self.attempts, Attempt(world, wanted)]
        units = {*self.known, *found, *(unit for attempt in attempts for unit in attempt.world.shown)}
        for unit in sorted(units):
            possible = set(self.known.get(unit, {Known()}))
            for attempt in attempts[:-1]:
                possible |= {after for known in possible for after in _after(unit, known, attempt, everything=False)}
            exact = promise == "everything"
            read = {after for known in possible for after in _after(unit, known, attempts[-1], everything=exact)}
            if unit[0] in wanted and promise.startswith("everything"):
                possible = read
            else:
                possible |= read
            if unit[0] in wanted and promise == "what the list shows":
                possible = {
                    known
                    for known in possible
                    if _is_kept(unit, known, world) or self._is_unheard_of(unit, known, world)
                }
            held = _seen(unit, found.get(unit, Known()))
            self.known[unit] = {known for known in possible if _seen(unit, known) == held}
            assert self.known[unit], _told(unit, found.get(unit, Known()), possible)
        self.attempts = []

    def _is_unheard_of(self, unit: Unit, known: Known, world: World) -> bool:
        """Whether it is an action of somebody who may have been read since the list last changed: it does not show."""
        read = self.known.get(("users", unit[1]), set())
        listed = world.listed.get(unit[1])
        return unit[0] == "user_actions" and known == Known() and any(each.listed == listed for each in read)


def _after(unit: Unit, known: Known, attempt: Attempt, *, everything: bool) -> Iterator[Known]:
    """What may be known of a unit once a sync has read it."""
    part, user = unit[:2]
    world = attempt.world
    listed = world.listed.get(user)
    if listed is not None and part not in attempt.wanted:
        return
    shown = world.shown.get(unit, {})
    yield known.read(shown, listed, forgets=part != "user_actions")
    if attempt.may_be_partial:
        yield known.read(shown, known.listed, forgets=False)
    if unit in world.old and known.rows and not everything:
        yield known._replace(listed=listed)


def _is_kept(unit: Unit, known: Known, world: World) -> bool:
    """Whether a sync that reads who changed in the list keeps its promise."""
    part, user = unit[:2]
    listed = world.listed.get(user)
    return known.listed == listed if part in TOLD_BY_THE_LIST else (known.listed is None) == (listed is None)


def _seen(unit: Unit, known: Known) -> tuple[Any, Any]:
    return known.rows, known.versions if unit[0] in WITH_HISTORY else ()


def _told(unit: Unit, found: Known, possible: Iterable[Known]) -> str:
    return "\n".join([f"{unit}: the tables hold", *_lines(found), "and could hold", *(
        line for known in possible for line in (*_lines(known), "    or")
    )])  # fmt: skip


def _lines(known: Known) -> list[str]:
    return [*(f"    {row}" for row in known.rows), *(f"        past {each}" for each in known.versions)]
