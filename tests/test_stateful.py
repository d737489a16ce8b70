"""Whatever happens at Authsignal and to syncs, in whatever order, the tables say what an independent oracle says."""

import hashlib
import hmac
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Device, User
from tests.crash.points import IN_DUCKDB
from tests.crash.syncs import SETTINGS, SMALL_FILES, Zygote
from tests.helpers import at, table
from tests.oracle import PARTS, WITH_HISTORY, Attempt, Known, Oracle, Promise, Unit, World
from tests.tiers import examples

KEYS = {"users": "user_id", "user_authenticators": "user_authenticator_id", "user_devices": "device_id"}
FILE = "authsignal_pipeline.duckdb"
IN_SHORT, IN_ALL = 1, 40
EXAMPLES, STEPS = 2, 8
WINDOW, OVERLAP = timedelta(days=30), timedelta(days=3)
PRIVACY_KEY = "b82d60f4917ce35a0c49d7e16fb3852e71a0c9d54f683be2960d1ef7a4538c2b"
ROUTES = {
    "users": "GET /users/{userId}",
    "user_authenticators": "GET /users/{userId}/authenticators",
    "user_actions": "GET /users/{userId}/actions",
    "user_devices": "GET /users/{userId}/devices",
}

people, few = st.integers(0, 3), st.integers(0, 2)
changes = st.one_of(
    st.tuples(st.just("user"), people, few, few),
    st.tuples(st.just("no_user"), people, st.booleans()),
    st.tuples(st.just("authenticator"), people, few, few),
    st.tuples(st.just("no_authenticator"), people, few),
    st.tuples(st.just("device"), people, few, few),
    st.tuples(st.just("no_device"), people, few),
    st.tuples(st.just("action"), people, few, st.sampled_from(["ALLOW", "CHALLENGE_REQUIRED", "REVIEW_REQUIRED"])),
    st.tuples(st.just("state"), people, few, st.sampled_from(["CHALLENGE_SUCCEEDED", "REVIEW_FAILED", "BLOCK"])),
    st.tuples(st.just("days"), st.sampled_from([1, 2, 4, 10, 29, 31, 60])),
)
several = st.lists(changes, max_size=4)


class Tenant:
    """The people at Authsignal, what happens to them, and what it says of them."""

    def __init__(self, running: RunningSandbox, *, is_hashed: bool) -> None:
        self._store, self._clock = running.sandbox.store, running.sandbox.clock
        self._is_hashed = is_hashed

    def change(self, what: str, *how: Any) -> None:
        if what == "days":
            self._clock.advance(timedelta(days=how[0]))
            return
        getattr(self, f"_{what}")(self.user_id(how[0]), *how[1:])

    def user_id(self, number: int) -> str:
        return f"u{number}@example.com" if self._is_hashed else f"u{number}"

    def _user(self, user_id: str, email: int, locale: int) -> None:
        user = self._store.get_user(user_id) or User(user_id=user_id, created_at=self._clock.now())
        self._store.put_user(replace(user, email=f"e{email}@example.com", locale=("de", "en", None)[locale]))

    def _no_user(self, user_id: str, actions: bool) -> None:
        self._store.remove_user(user_id, actions=actions)

    def _authenticator(self, user_id: str, which: int, email: int) -> None:
        if self._store.get_user(user_id):
            verified_at = self._clock.now() if email else None
            method = ("EMAIL_OTP", "EMAIL_MAGIC_LINK", "EMAIL_OTP")[which]
            self._store.put_authenticator(
                Authenticator(
                    user_authenticator_id=f"{user_id[:2]}-a{which}",
                    user_id=user_id,
                    verification_method=method,
                    created_at=self._clock.now(),
                    verified_at=verified_at,
                    email=f"e{email}@example.com",
                )
            )

    def _no_authenticator(self, user_id: str, which: int) -> None:
        self._store.remove_authenticator(user_id, f"{user_id[:2]}-a{which}")

    def _device(self, user_id: str, which: int, method: int) -> None:
        if self._store.get_user(user_id):
            used = ("PASSKEY", "SMS", None)[method]
            self._store.put_device(
                Device(
                    user_id=user_id,
                    device_id=f"d{which}",
                    created_at=self._clock.now(),
                    last_verification_method=used,
                )
            )

    def _no_device(self, user_id: str, which: int) -> None:
        self._store.remove_device(user_id, f"d{which}")

    def _action(self, user_id: str, which: int, state: str) -> None:
        if self._store.get_user(user_id) and not self._store.get_action(user_id, "signIn", f"k{which}"):
            now = self._clock.now()
            self._store.put_action(
                Action(
                    user_id=user_id,
                    action_code="signIn",
                    idempotency_key=f"k{which}",
                    created_at=now,
                    updated_at=now,
                    state=state,
                    state_updated_at=now,
                )
            )

    def _state(self, user_id: str, which: int, state: str) -> None:
        if action := self._store.get_action(user_id, "signIn", f"k{which}"):
            now = self._clock.now()
            self._store.put_action(replace(action, state=state, updated_at=now, state_updated_at=now))

    def stored(self, text: str | None) -> str | None:
        """An identifier as it is loaded."""
        if text is None or not self._is_hashed:
            return text
        return hmac.new(PRIVACY_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()

    def world(self, drift: dict[str, str]) -> World:
        """What Authsignal says now.

        Args:
            drift: By part, in what way its answers are not as they used to be.
        """
        listed: dict[str, Any] = {}
        shown: dict[Unit, dict[str, Any]] = {}
        old: set[Unit] = set()
        for user in self._store.users():
            own = str(self.stored(user.user_id))
            authenticators = self._store.authenticators(user.user_id)
            methods = tuple(dict.fromkeys(each.verification_method for each in authenticators if each.verified_at))
            new = {part: "tomorrow" if drift.get(part) == "unknown_fields" else None for part in PARTS}
            verified = "false" if drift.get("users") == "changed_types" else False
            listed[own] = (self.stored(user.email), frozenset(methods), _second(user.created_at))
            of_user = (self.stored(user.email), user.locale, methods, _second(user.created_at), verified, new["users"])
            shown["users", own] = {own: of_user}
            shown["user_authenticators", own] = {
                each.user_authenticator_id: (
                    self.stored(each.email),
                    each.verification_method,
                    each.verified_at is not None,
                    new["user_authenticators"],
                )
                for each in authenticators
            }
            shown["user_devices", own] = {
                str(self.stored(each.device_id)): (each.last_verification_method, new["user_devices"])
                for each in self._store.devices(user.user_id)
            }
            actions = self._store.actions(user.user_id, self._clock.now() - WINDOW)
            newest = max((action.updated_at or action.created_at for action in actions), default=None)
            for action in actions:
                unit = ("user_actions", own, action.idempotency_key)
                shown[unit] = {action.idempotency_key: (action.state, new["user_actions"])}
                if newest and action.created_at < newest - OVERLAP:
                    old.add(unit)
        return World(listed, shown, frozenset(old))


def _second(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _value(part: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """What is compared of a row."""
    new = row.get("sandbox_new_text")
    if part == "users":
        methods = tuple(json.loads(row["enrolled_verification_methods"]))
        verified = row.get("email_verified", row.get("email_verified__v_text"))
        return (row.get("email"), row.get("locale"), methods, _second(row["created_at"]), verified, new)
    if part == "user_authenticators":
        return (row.get("email"), row["verification_method"], "verified_at" in row, new)
    if part == "user_devices":
        return (row.get("last_verification_method"), new)
    return (row["state"], new)


def _rows(file: Path, name: str) -> list[dict[str, Any]]:
    try:
        return table(name, str(file))
    except duckdb.CatalogException:
        return []


def _found(file: Path) -> dict[Unit, Known]:
    """What the tables hold, by unit. AssertionError for rows that are there twice, and versions that overlap."""
    rows: dict[Unit, dict[str, tuple[Any, bool]]] = {}
    for part in PARTS:
        for row in _rows(file, part):
            key = row[KEYS.get(part, "idempotency_key")]
            unit = (part, row["user_id"]) if part in KEYS else (part, row["user_id"], key)
            assert key not in rows.setdefault(unit, {}), f"{unit} {key} is there twice"
            rows[unit][key] = (_value(part, row), "deleted_at" not in row)
    past = {part: _versions(file, part) for part in WITH_HISTORY}
    return {
        unit: Known(
            rows=tuple(sorted((key, *row) for key, row in of_unit.items())),
            versions=tuple(sorted((key, past[unit[0]].get(key, ())) for key in of_unit if unit[0] in past)),
        )
        for unit, of_unit in rows.items()
    }


def _versions(file: Path, part: str) -> dict[str, tuple[tuple[Any, bool], ...]]:
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(file, f"{part}_history"):
        by_key.setdefault(row[KEYS[part]], []).append(row)
    for rows in by_key.values():
        rows.sort(key=lambda row: (row["valid_from"], "valid_to" not in row))
        for earlier, later in pairwise(rows):
            assert earlier["valid_from"] < earlier["valid_to"] <= later["valid_from"], f"versions overlap: {rows}"
    return {key: tuple((_value(part, row), "valid_to" not in row) for row in rows) for key, rows in by_key.items()}


class Syncs(RuleBasedStateMachine):
    """A tenant that changes before each sync, and syncs that meet with all kinds of trouble."""

    def __init__(self, zygote: Zygote, folder: Path, compared: list[Promise], *, is_hashed: bool) -> None:
        super().__init__()
        self._compared = compared
        self._stack = ExitStack()
        self._running = self._stack.enter_context(run_in_thread(SandboxConfig(seed=1)))
        self._tenant = Tenant(self._running, is_hashed=is_hashed)
        self._zygote, self._folder, self._is_hashed = zygote, folder, is_hashed
        self._oracle = Oracle()
        folder.mkdir()

    @initialize(begins=st.lists(changes, min_size=3, max_size=8))
    def begin(self, begins: list[tuple[Any, ...]]) -> None:
        self._change([("user", 0, 0, 0), ("user", 1, 1, 1), *begins])

    @rule(before=several)
    def full_sync(self, before: list[tuple[Any, ...]]) -> None:
        self._change(before)
        self._sync("--full", promise="everything")

    @rule(before=several)
    def sync(self, before: list[tuple[Any, ...]]) -> None:
        self._change(before)
        self._sync(promise="what the list shows")

    @rule(before=several)
    def sync_of_the_stale(self, before: list[tuple[Any, ...]]) -> None:
        self._change(before)
        self._sync("--max-staleness", "0", promise="everything but old actions")

    @rule(before=several, requests=st.integers(2, 14))
    def bounded_sync(self, before: list[tuple[Any, ...]], requests: int) -> None:
        self._change(before)
        self._sync("--max-requests", str(requests), promise="nothing")

    @rule(before=several, tables=st.sets(st.sampled_from(PARTS), min_size=1, max_size=3), full=st.booleans())
    def sync_of_some_tables(self, before: list[tuple[Any, ...]], tables: set[str], full: bool) -> None:
        self._change(before)
        wanted = tuple(part for part in PARTS if part in tables)
        promise: Promise = "everything" if full else "what the list shows"
        self._sync("--tables", ",".join(wanted), *["--full"][: int(full)], wanted=wanted, promise=promise)

    @rule(before=several, named=st.sets(people, min_size=1, max_size=2))
    def sync_of_named_users(self, before: list[tuple[Any, ...]], named: set[int]) -> None:
        self._change(before)
        ids = [self._tenant.user_id(number) for number in sorted(named)]
        self._sync(*[word for each in ids for word in ("--refresh-user", each)], promise="what the list shows")

    @rule(before=several, part=st.sampled_from(PARTS), kind=st.sampled_from(["unknown_fields", "changed_types"]))
    def full_sync_of_drifted_answers(self, before: list[tuple[Any, ...]], part: str, kind: str) -> None:
        self._change(before)
        fields = ("emailVerified",) if kind == "changed_types" else ()
        self._add(Fault(route=ROUTES[part], kind=kind, times=None, fields=fields))
        self._sync("--full", promise="everything", drift={part: kind})

    @rule(
        before=several,
        route=st.sampled_from(["*", "GET /users", *ROUTES.values()]),
        kind=st.sampled_from(["status", "throttled", "reset", "cut", "body", "html", "skip_cursor", "drop_user"]),
        lasts=st.booleans(),
        after=st.integers(0, 12),
    )
    def sync_in_trouble(self, before: list[tuple[Any, ...]], route: str, kind: str, lasts: bool, after: int) -> None:
        self._change(before)
        is_misleading = kind in ("skip_cursor", "drop_user")
        route = {"skip_cursor": "GET /users", "drop_user": ROUTES["user_actions"]}.get(kind, route)
        body, status = '{"error": "internal", "errorCode": "internal"}', 429 if kind == "throttled" else 503
        kind = "status" if kind == "throttled" else kind
        times = None if lasts and not is_misleading else 1
        self._add(Fault(route=route, kind=kind, times=times, after=after, body=body, status=status))
        if kind == "drop_user":
            self._oracle.attempts.append(Attempt(self._tenant.world({}), PARTS))
        self._sync("--full", promise="nothing" if is_misleading else "everything", may_fail=lasts)

    @rule(
        before=several,
        how=st.one_of(
            st.sampled_from([{"point": list(point)} for point in IN_DUCKDB.values()]),
            st.builds(lambda nth: {"fatal": {"statement": nth}}, st.integers(1, 120)),
            st.builds(lambda nth: {"fatal": {"file operation": nth}}, st.integers(1, 250)),
        ),
        full=st.booleans(),
        loses_disk=st.booleans(),
    )
    def killed_sync(self, before: list[tuple[Any, ...]], how: dict[str, Any], full: bool, loses_disk: bool) -> None:
        self._change(before)
        promise: Promise = "everything" if full else "what the list shows"
        code = self._sync(*["--full"][: int(full)], promise=promise, **how)
        if code and loses_disk:
            shutil.rmtree(self._folder / "dlt", ignore_errors=True)
            self._oracle.attempts = [each._replace(may_be_partial=True) for each in self._oracle.attempts]

    def teardown(self) -> None:
        try:
            self._sync("--full", promise="everything")
        finally:
            self._stack.close()
            shutil.rmtree(self._folder)

    def _change(self, changes: list[tuple[Any, ...]]) -> None:
        for change in changes:
            self._tenant.change(*change)

    def _add(self, fault: Fault) -> None:
        self._running.sandbox.faults.add(fault)

    def _sync(
        self,
        *arguments: str,
        promise: Promise,
        wanted: tuple[str, ...] = PARTS,
        drift: dict[str, str] | None = None,
        may_fail: bool = False,
        **how: Any,
    ) -> int:
        """Exit code of one sync; if it succeeded, the tables are what they may be."""
        before = self._tenant.world(drift or {})
        code = self._zygote.run(self._folder, self._env(), ["sync", *arguments], **how)
        self._running.sandbox.faults.clear()
        said = (self._folder / "err.txt").read_text("utf-8")
        assert code == 0 or (code == 1 and may_fail) or (code == -9 and how), said
        if code == 0:
            self._oracle.synced(self._tenant.world(drift or {}), wanted, promise, _found(self._folder / FILE))
            self._compared.append(promise)
        if code == -9:
            self._oracle.attempts.append(Attempt(before, wanted))
        return code

    def _env(self) -> dict[str, str]:
        privacy = {"PRIVACY": "pseudonymize", "PRIVACY_KEY": PRIVACY_KEY} if self._is_hashed else {}
        return {
            **at(self._running, **{**SETTINGS, "PAGE_SIZE": "2", "ACCEPT_DELETES": "true", **privacy}),
            **SMALL_FILES,
            "DESTINATION__DUCKDB__CREDENTIALS": str(self._folder / FILE),
            "DLT_DATA_DIR": str(self._folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    """The process that forks syncs."""
    found = Zygote()
    yield found
    found.close()


def run(zygote: Zygote, folder: Path, start: int, *, times: int, is_hashed: bool = False) -> list[Promise]:
    """Run random walks; return what was promised of each sync whose tables were compared with the oracle."""
    numbers, compared = count(), list[Promise]()
    machine = seed(start)(lambda: Syncs(zygote, folder / f"run-{next(numbers)}", compared, is_hashed=is_hashed))
    run_state_machine_as_test(
        cast(type[RuleBasedStateMachine], machine),
        settings=settings(
            max_examples=times,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    return compared


@pytest.mark.deep
@pytest.mark.examples
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "start", [pytest.param(start, marks=pytest.mark.crash) if start >= IN_SHORT else start for start in range(IN_ALL)]
)
def test_tables_and_histories_equal_those_of_the_oracle(zygote: Zygote, workdir: Path, start: int) -> None:
    times = examples(EXAMPLES, quick=1)
    assert run(zygote, workdir, start, times=times).count("everything") >= times  # each walk ends with a full sync


@pytest.mark.examples
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "start", [pytest.param(start, marks=pytest.mark.crash) if start >= IN_SHORT else start for start in range(IN_ALL)]
)
@pytest.mark.deep
def test_tables_of_hashed_ids_equal_those_of_the_oracle(zygote: Zygote, workdir: Path, start: int) -> None:
    times = examples(EXAMPLES // 2, quick=1)
    assert run(zygote, workdir, start, times=times, is_hashed=True).count("everything") >= times
