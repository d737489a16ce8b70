"""A small tenant that changes, and what a sync that nobody disturbs makes of it."""

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.crash.points import Point
from tests.crash.syncs import Project, Rows, Zygote

STAGES: Final = ("begun", "changed", "more")
"""The tenant's states, in order."""


class Laboratory:
    """Projects in which syncs are killed, beside the ones in which none was.

    Args:
        zygote: Forks the syncs.
        folder: For all projects.
        database: Where the first one loads into; the others get copies.
    """

    def __init__(self, zygote: Zygote, folder: Path, database: Any) -> None:
        self._zygote, self._folder, self._database = zygote, folder, database
        self._numbers = count(1)
        self._done: dict[str, Project] = {}
        self._expected: dict[str, Rows] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.running = self._stack.enter_context(run_in_thread(SandboxConfig(users=8, days=45, seed=7)))
        for stage, change in zip(STAGES, (_nothing, _changed, _more), strict=True):
            change(self.running)
            self.running.snapshot(stage)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def stage(self, name: str) -> None:
        """Makes the tenant what it is at that stage."""
        self.running.restore(name)

    def project(self, *, synced: bool) -> Project:
        """A project that was never synced, or one that was when the tenant had begun."""
        place = self._folder / f"project-{next(self._numbers)}"
        origin = self._undisturbed("begun") if synced else self._empty
        return origin.copy(place)

    def expected(self, stage: str) -> Rows:
        """What the tables hold after undisturbed syncs at each stage up to this one."""
        self._undisturbed(stage)
        return self._expected[stage]

    @cached_property
    def _empty(self) -> Project:
        folder = self._folder / "empty"
        folder.mkdir()
        return Project(self._zygote, folder, self._database)

    def _undisturbed(self, stage: str) -> Project:
        """The project after undisturbed syncs at each stage up to this one."""
        if stage not in self._done:
            place = STAGES.index(stage)
            project = (self._undisturbed(STAGES[place - 1]) if place else self._empty).copy(self._folder / stage)
            self.stage(stage)
            assert project.sync(self.running, fatal={}) == 0, project.said()
            self._done[stage] = project
            self._expected[stage] = project.tables()
        return self._done[stage]

    def check(self, project: Project, stage: str, *, every_version: bool = True) -> None:
        """One more sync succeeds, and the tables are what they would be had none been killed.

        Args:
            project: Where.
            stage: The tenant's.
            every_version: Whether the histories are the same too. Where the data changed between a kill and the next
                sync, nobody may have seen what it was in between.
        """
        assert project.sync(self.running) == 0, project.said()
        found, expected = project.tables(), self.expected(stage)
        for name in expected:
            if every_version or not name.endswith("_history"):
                assert found.get(name) == expected[name], f"{name} differs"
        assert found.keys() == expected.keys()
        assert project.database.faults(project.folder) == []

    def effort(self, stage: str) -> dict[str, int]:
        """Milliseconds, file operations and statements of the undisturbed sync at a stage."""
        return self._undisturbed(stage).seen()


def kill_at(project: Project, running: RunningSandbox, point: Point) -> None:
    """A sync that is killed at a point; it has to come by it."""
    assert project.sync(running, point=point) == -9, f"{point} is never reached: {project.said()}"


def _nothing(_running: RunningSandbox) -> None:
    pass


def _changed(running: RunningSandbox) -> None:
    """One user has another address, one is gone, one has lost the only authenticator, one is new."""
    store = running.sandbox.store
    first, second, *others = store.users()
    store.put_user(replace(first, email="second@example.com"))
    store.remove_user(second.user_id, actions=True)
    single = next(user for user in others if len(list(store.authenticators(user.user_id))) == 1)
    (only,) = store.authenticators(single.user_id)
    store.remove_authenticator(single.user_id, only.user_authenticator_id)
    _put_newcomer(running, "newcomer")


def _more(running: RunningSandbox) -> None:
    """What was changed changes again, and what was lost is back."""
    store = running.sandbox.store
    first, *others = store.users()
    store.put_user(replace(first, email="third@example.com"))
    bare = next(user for user in others if not list(store.authenticators(user.user_id)))
    _put_authenticators(running, bare.user_id, "back")
    _put_newcomer(running, "latecomer")


def _put_newcomer(running: RunningSandbox, user_id: str) -> None:
    store = running.sandbox.store
    model = next(iter(store.users()))
    store.put_user(replace(model, user_id=user_id, email=f"{user_id}@example.com"))
    _put_authenticators(running, user_id, user_id)


def _put_authenticators(running: RunningSandbox, user_id: str, name: str) -> None:
    store = running.sandbox.store
    models = [each for user in store.users() for each in store.authenticators(user.user_id)][:2]
    for number, model in enumerate(models):
        store.put_authenticator(replace(model, user_id=user_id, user_authenticator_id=f"{name}-{number}"))
