"""The state of one user's last read, and the rules for updating it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS

PARTS: Final = ("users", "user_authenticators", "user_actions", "user_devices")
"""Tables of which each user's part is read by one request."""


KEPT: Final = (*PARTS, "action_details")
"""Tables with a last-read time for each user."""


TOLD_BY_EVENTS: Final = frozenset({"users", "user_authenticators", "user_actions", "action_details"})
"""Tables that are re-read when an event named the user."""


TOLD_BY_THE_LIST: Final = frozenset({"users", "user_authenticators", "user_actions", "action_details"})
"""Tables that are re-read when the user's list entry changed. Devices come from actions, so new actions cause their
read."""


DAY: Final = 24 * 60 * 60 * 1000


ACTION_OVERLAP: Final = 3 * DAY
"""How far before the newest known action the next read starts. It covers challenges in progress and manual corrections
of states."""


CLOCK_SKEW: Final = 5 * 60 * 1000


SETTLED: Final = frozenset(
    {"ALLOW", "BLOCK", "CHALLENGE_SUCCEEDED", "CHALLENGE_FAILED", "REVIEW_SUCCEEDED", "REVIEW_FAILED"}
)


ABANDONED: Final = "CHALLENGE_REQUIRED"
"""State of an unanswered challenge. It stays permanently, but counts as open only during the overlap."""


_CHANGED: Final = ("createdAt", "updatedAt", "stateUpdatedAt")


_ALIKE: Final = len("2026-11-02T09:00:00.000Z")


class LastRead(msgspec.Struct, frozen=True, gc=False):
    """The state of a user's last read.

    Attributes:
        first_seen: When a user id source first contained the user.
        users: When the user record was last read; likewise for the other tables.
        newest_action: When the newest known action last changed, by Authsignal's clock.
        actions_from: Start of the period of actions in the next read; 0 for all actions.
        actions_complete_from: Time since when all actions are loaded.
        listed: Fingerprint of the user's last list entry; 0 if never listed.
        privacy: Fingerprint of the privacy settings under which the rows were stored; 0 if unknown.
        is_known: Whether Authsignal returned a user for the id.
        reported: Reads that started before this may have missed an event of the user; 0 without events. It is not
            stored: it comes from the tables of events.
    """

    first_seen: int
    users: int = 0
    user_authenticators: int = 0
    user_actions: int = 0
    user_devices: int = 0
    action_details: int = 0
    newest_action: int = 0
    actions_from: int = 0
    actions_complete_from: int = 0
    listed: int = 0
    privacy: int = 0
    is_known: bool = True
    reported: int = 0

    def at(self, part: str) -> int:
        when: int = getattr(self, part)
        return when

    def is_outdated(self, part: str) -> bool:
        """Return whether an event of the user arrived after this part was read."""
        return 0 < self.at(part) < self.reported

    @property
    def has_hole(self) -> bool:
        """Return whether actions since the user was first seen may be missing."""
        return self.actions_complete_from > self.first_seen

    @property
    def was_read(self) -> bool:
        return bool(
            self.users or self.user_authenticators or self.user_actions or self.user_devices or self.action_details
        )


def later(now: datetime, last: LastRead | None) -> datetime:
    """Return the start time of a read, later than the previous one even if the clock was set back a little.

    Deleted rows are recognised by these times."""
    latest = max(last.at(part) for part in KEPT) if last else 0
    is_ahead = 0 <= latest - milliseconds(now) < CLOCK_SKEW
    return _EPOCH + timedelta(milliseconds=latest + 1) if is_ahead else now


def is_active(last: LastRead | None, actions: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether an action is new or changed since the last read."""
    known = last.newest_action if last else 0
    return any(_latest(action) > known for action in actions)


def wants_detail(last: LastRead | None, action: Mapping[str, Any], is_loaded: bool) -> bool:
    """Return whether to read an action's detail: the action is open, new or changed, or its detail is not loaded."""
    known = last.newest_action if last else 0
    return not is_loaded or action.get("state") not in SETTLED or _latest(action) > known


def after(
    last: LastRead | None,
    read: Iterable[str],
    read_at: int,
    listed: int,
    actions: Iterable[Mapping[str, Any]],
    is_known: bool,
    privacy: int = 0,
) -> LastRead:
    """Return the state of a user after a read.

    Args:
        last: State before the read.
        read: Parts that were read in full.
        read_at: Start of the read.
        listed: Fingerprint of the user's list entry; 0 if not listed.
        actions: Actions that the read returned.
        is_known: Whether Authsignal returned a user for the id.
        privacy: Fingerprint of the present privacy settings.
    """
    parts = frozenset(read)
    before = last or LastRead(first_seen=read_at)
    times = dict.fromkeys(parts, read_at)
    if listed and listed != before.listed:
        # parts that were not read may have changed too, and the list will not show that again
        times |= dict.fromkeys(TOLD_BY_THE_LIST - parts, 0)
    if before.privacy not in (0, privacy) or (is_known and not before.is_known):
        # stored under other settings, or marked as deleted with all rows
        times |= dict.fromkeys(frozenset(KEPT) - parts, 0)
    if "user_actions" in parts:
        times |= _horizon(before, list(actions), read_at)
        times["actions_complete_from"] = _complete_from(before, read_at)
    return msgspec.structs.replace(
        before, listed=(listed or before.listed) if is_known else 0, privacy=privacy, is_known=is_known, **times
    )


def _horizon(before: LastRead, actions: list[Mapping[str, Any]], read_at: int) -> dict[str, int]:
    """Return where the next read of actions starts: an overlap before the newest action, and before any open one.

    It uses Authsignal's times, because this machine's clock may differ. A time in the future is not used, since no
    actions would be found from then on.
    """
    newest = max((at for at in (_newest(actions), before.newest_action) if at <= read_at + DAY), default=0)
    open_since = [_moment(action.get("createdAt")) for action in actions if _is_open(action)]
    return {"newest_action": newest, "actions_from": max(0, min([newest - ACTION_OVERLAP, *open_since]))}


def _complete_from(before: LastRead, read_at: int) -> int:
    """Return since when actions are complete. Newer actions that left Authsignal's window before this read are lost."""
    horizon = read_at - ACTION_WINDOW_DAYS * DAY
    return before.actions_complete_from if before.user_actions >= horizon else horizon


def _is_open(action: Mapping[str, Any]) -> bool:
    return str(action.get("state")) not in {*SETTLED, ABANDONED}


def _newest(actions: list[Mapping[str, Any]]) -> int:
    texts = [text for action in actions for name in _CHANGED if (text := action.get(name))]
    if all(isinstance(text, str) and len(text) == _ALIKE and text[-1] == "Z" for text in texts):
        return _moment(max(texts, default=None))  # in this format, the greatest text is the latest time
    return max(map(_moment, texts), default=0)


def _latest(action: Mapping[str, Any]) -> int:
    return max(_moment(action.get(name)) for name in _CHANGED)


def _moment(text: Any) -> int:
    if not isinstance(text, str):
        return 0
    try:
        return milliseconds(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return 0


def milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970; a time without a zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def moment(since_1970: int) -> datetime | None:
    """Return the time of milliseconds since 1970; None for 0."""
    return _EPOCH + timedelta(milliseconds=since_1970) if since_1970 else None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
