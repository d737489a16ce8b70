"""Attempts: each is one tracked action, with what the sandbox knows of its course."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG
from dlt_authsignal.sandbox.app.console.words import method_name, state_kind, step_name
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Event

Key = tuple[str, str, str]

EVER: Final = timedelta(days=3650)
"""Farther back than any invented attempt."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Something that happened in an attempt, or to an authenticator.

    Attributes:
        at: When.
        text: What, in words.
        kind: good, bad, warn, or nothing.
        detail: More, such as an address.
        type: Type of the event, as webhooks name it.
    """

    at: datetime
    text: str
    kind: str = ""
    detail: str = ""
    type: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt and its steps, oldest first. `waits` says what it waits for."""

    action: Action
    steps: tuple[Step, ...]
    waits: tuple[str, ...] = ()

    @property
    def at(self) -> datetime:
        return self.action.created_at


class Attempts:
    """Finds the steps of attempts.

    Args:
        sandbox: The sandbox. It reads the recorded events and the open challenges once.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._events: defaultdict[Key, list[Event]] = defaultdict(list)
        for event in list(sandbox.recorded_events):
            if event.type == CHALLENGE_LOG and (key := _key(event.about)):
                self._events[key].append(event)
        self._waits: defaultdict[Key, list[str]] = defaultdict(list)
        for challenge in sandbox.challenges.live(sandbox.clock.now()):
            about = {name: getattr(challenge, name) for name in ("user_id", "action_code", "idempotency_key")}
            if challenge.verified_at is None and challenge.method != "ANY" and (key := _key(about)):
                self._waits[key].append(_open(challenge.method, challenge.attempts))

    def of(self, action: Action) -> Attempt:
        """Return the attempt of an action."""
        key = (action.user_id, action.action_code, action.idempotency_key)
        recorded = [_recorded(event) for event in self._events.get(key, ())]
        steps = [_tracked(action), *(recorded or _invented(self._sandbox, action)), *_ended(self._sandbox, action)]
        waits = self._waits.get(key, ()) if action.state == "CHALLENGE_REQUIRED" else ()
        return Attempt(action=action, steps=tuple(sorted(steps, key=attrgetter("at"))), waits=tuple(waits))


def recent(sandbox: Sandbox) -> list[Action]:
    """Return the present form of the actions that were tracked since the start or the last reset, newest first.

    Invented attempts of the past are not among them: to find the newest, all of them would have to be created.
    """
    found: dict[Key, Action] = {}
    for event in reversed(list(sandbox.recorded_events)):
        if event.type == ACTION_LOG:
            known: Action = event.about
            now = sandbox.store.get_action(known.user_id, known.action_code, known.idempotency_key)
            found.setdefault((known.user_id, known.action_code, known.idempotency_key), now or known)
    return list(found.values())


def attempts_of(sandbox: Sandbox, user_id: str) -> list[Action]:
    """Return all actions of a user, newest first."""
    actions = sandbox.store.actions(user_id, sandbox.clock.now() - EVER)
    return sorted(actions, key=attrgetter("created_at"), reverse=True)


def authenticator_steps(sandbox: Sandbox, user_id: str) -> list[Step]:
    """Return when the authenticators of a user were enrolled, changed and deleted, newest first."""
    held = sandbox.store.authenticators(user_id)
    known = {value.user_authenticator_id for value in held}
    steps = [_enrolled(value.created_at, "created", value) for value in held]
    for event in list(sandbox.recorded_events):
        value = event.about
        if isinstance(value, Authenticator) and value.user_id == user_id:
            change = event.type.rpartition(".")[2]
            if change != "created" or value.user_authenticator_id not in known:
                steps.append(_enrolled(event.at, change, value))
    return sorted(steps, key=attrgetter("at"), reverse=True)


def _key(about: Any) -> Key | None:
    parts = (about.get("user_id"), about.get("action_code"), about.get("idempotency_key"))
    return parts if all(parts) else None


def _open(method: str, wrong: int) -> str:
    codes = f", {wrong} wrong {'code' if wrong == 1 else 'codes'} so far" if wrong else ""
    return f"{method_name(method)}{codes}"


def _tracked(action: Action) -> Step:
    decision = action.result or action.state.partition("_")[0]
    rules = ", ".join(rule.name for rule in action.rules)
    detail = f"by rule: {rules}" if rules else "by the default of the action" if action.result else ""
    return Step(at=action.created_at, text=f"Tracked: {decision}", detail=detail, kind=state_kind(decision))


def _ended(sandbox: Sandbox, action: Action) -> Iterator[Step]:
    at = action.state_updated_at
    if at is None or not action.state.endswith(("_SUCCEEDED", "_FAILED")):
        return
    held = {value.user_authenticator_id: value for value in sandbox.store.authenticators(action.user_id)}
    used = held.get(action.verified_by or "")
    detail = f"with {method_name(action.verification_method)}" if action.verification_method else ""
    if used and used.credential:
        detail += f" ({used.credential.name})"
    yield Step(at=at, text=action.state.replace("_", " ").capitalize(), detail=detail, kind=state_kind(action.state))


def _recorded(event: Event) -> Step:
    about, kind = event.about, event.about["type"]
    parts = (about.get("email") or about.get("phone_number"), about.get("error_description"))
    return Step(
        at=event.at,
        text=step_name(kind, about.get("verification_method")),
        detail=", ".join(str(part) for part in parts if part),
        kind="bad" if kind.endswith(("EXPIRED", "EXCEEDED", "FAILED")) else "",
        type=kind,
    )


def _invented(sandbox: Sandbox, action: Action) -> Iterable[Step]:
    for step in action.steps or ():
        kind = step.type or sandbox.config.unpublished_steps.get(step.method) or ""
        text = step_name(kind, step.method) if kind else f"{method_name(step.method)}: started"
        yield Step(at=step.at, text=text, detail=step.email or step.phone_number or "", type=kind)


def _enrolled(at: datetime, change: str, value: Authenticator) -> Step:
    word = {"created": "enrolled", "updated": "changed", "deleted": "deleted"}[change]
    about = value.credential.name if value.credential else value.email or value.phone_number or ""
    return Step(
        at=at, text=f"{method_name(value.verification_method)} {word}", detail=about, type=f"authenticator.{change}"
    )
