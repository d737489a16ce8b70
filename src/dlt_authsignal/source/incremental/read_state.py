"""What earlier runs read of one user, and what follows from it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS

PARTS: Final = ("users", "user_authenticators", "user_actions", "user_devices")
"""Tables of which each user has a part of their own, read by one request each."""


KEPT: Final = (*PARTS, "action_details")
"""Tables of which it is known when each user's part was last read."""


TOLD_BY_THE_LIST: Final = frozenset({"users", "user_authenticators", "user_actions", "action_details"})
"""Read again when the list shows something else than before. Devices come from actions: they are read when there are
new ones."""


DAY: Final = 24 * 60 * 60 * 1000


ACTION_OVERLAP: Final = 3 * DAY
"""How far before the newest action known the next look begins: for the minutes that a challenge may take, and for
states that somebody corrects by hand."""


CLOCK_SKEW: Final = 5 * 60 * 1000


SETTLED: Final = frozenset(
    {"ALLOW", "BLOCK", "CHALLENGE_SUCCEEDED", "CHALLENGE_FAILED", "REVIEW_SUCCEEDED", "REVIEW_FAILED"}
)


ABANDONED: Final = "CHALLENGE_REQUIRED"
"""What a challenge nobody met stays for ever; it is open for as long as the overlap lasts."""


_CHANGED: Final = ("createdAt", "updatedAt", "stateUpdatedAt")


_ALIKE: Final = len("2026-11-02T09:00:00.000Z")


class LastRead(msgspec.Struct, frozen=True, gc=False):
    """What is known of the last read of a user.

    Attributes:
        first_seen: When the roster first named the user.
        users: When the user's own page was last read; the others likewise.
        newest_action: When the newest action known changed last, by Authsignal's clock.
        actions_from: From when on actions are to be asked for next; 0 for all there are.
        actions_complete_from: From when on all actions are surely there.
        listed: Fingerprint of what the list last said of them; 0 if they were never listed.
        privacy: Fingerprint of the settings under which their rows were stored; 0 if that is not known.
        is_known: Whether Authsignal knew the id.
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

    def at(self, part: str) -> int:
        when: int = getattr(self, part)
        return when

    @property
    def has_hole(self) -> bool:
        """Whether actions may be lacking that happened while the user was known here."""
        return self.actions_complete_from > self.first_seen

    @property
    def was_read(self) -> bool:
        return bool(
            self.users or self.user_authenticators or self.user_actions or self.user_devices or self.action_details
        )


def later(now: datetime, last: LastRead | None) -> datetime:
    """When reading a user begins: after the read before, also where the clock has been set back a little since. Rows
    that are gone are told by their times."""
    latest = max(last.at(part) for part in KEPT) if last else 0
    is_ahead = 0 <= latest - milliseconds(now) < CLOCK_SKEW
    return _EPOCH + timedelta(milliseconds=latest + 1) if is_ahead else now


def is_active(last: LastRead | None, actions: Iterable[Mapping[str, Any]]) -> bool:
    """Whether an action is new, or has changed, since the last read."""
    known = last.newest_action if last else 0
    return any(_latest(action) > known for action in actions)


def wants_detail(last: LastRead | None, action: Mapping[str, Any], is_loaded: bool) -> bool:
    """Whether an action's detail may say something that is not known: it is open, or new, or changed, or not loaded."""
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
    """What is known of a user after a read.

    Args:
        last: What was known before.
        read: Parts that were read completely.
        read_at: When reading began.
        listed: Fingerprint of what the list says; 0 if it does not say anything.
        actions: Actions that the read brought.
        is_known: Whether Authsignal knows the id.
        privacy: Fingerprint of the settings under which rows are stored now.
    """
    parts = frozenset(read)
    before = last or LastRead(first_seen=read_at)
    times = dict.fromkeys(parts, read_at)
    if listed and listed != before.listed:
        # what was not read now may have changed too, and the list will not say so again
        times |= dict.fromkeys(TOLD_BY_THE_LIST - parts, 0)
    if before.privacy not in (0, privacy) or (is_known and not before.is_known):
        # stored otherwise, or marked as gone with all they had
        times |= dict.fromkeys(frozenset(KEPT) - parts, 0)
    if "user_actions" in parts:
        times |= _horizon(before, list(actions), read_at)
        times["actions_complete_from"] = _complete_from(before, read_at)
    return msgspec.structs.replace(
        before, listed=(listed or before.listed) if is_known else 0, privacy=privacy, is_known=is_known, **times
    )


def _horizon(before: LastRead, actions: list[Mapping[str, Any]], read_at: int) -> dict[str, int]:
    """Where the next look at the actions begins: before the newest by an overlap, and before any that is still open.

    Authsignal's own times, never this machine's: their clocks may differ. But not a time that is still to come: from
    then on there would be no actions to be found.
    """
    newest = max((at for at in (_newest(actions), before.newest_action) if at <= read_at + DAY), default=0)
    open_since = [_moment(action.get("createdAt")) for action in actions if _is_open(action)]
    return {"newest_action": newest, "actions_from": max(0, min([newest - ACTION_OVERLAP, *open_since]))}


def _complete_from(before: LastRead, read_at: int) -> int:
    """Authsignal forgets actions: what happened since the read before, and is older than it remembers, is lost."""
    horizon = read_at - ACTION_WINDOW_DAYS * DAY
    return before.actions_complete_from if before.user_actions >= horizon else horizon


def _is_open(action: Mapping[str, Any]) -> bool:
    return str(action.get("state")) not in {*SETTLED, ABANDONED}


def _newest(actions: list[Mapping[str, Any]]) -> int:
    texts = [text for action in actions for name in _CHANGED if (text := action.get(name))]
    if all(isinstance(text, str) and len(text) == _ALIKE and text[-1] == "Z" for text in texts):
        return _moment(max(texts, default=None))  # in this form, the greatest text is the latest time
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
    """Since 1970; a time without a zone is taken for UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def moment(since_1970: int) -> datetime | None:
    """The time; None for 0."""
    return _EPOCH + timedelta(milliseconds=since_1970) if since_1970 else None


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
