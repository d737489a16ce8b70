"""Where a sync can be killed: by name, or at the n-th of its file operations or statements."""

import inspect
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from itertools import count
from typing import Any, Final, Literal, NamedTuple


class Point(NamedTuple):
    """The n-th call of a function.

    Attributes:
        target: `module:name` or `module:class.name`.
        when: Before the call, or after it.
        nth: Which call, from 1.
    """

    target: str
    when: Literal["before", "after"]
    nth: int = 1


_PACKAGES: Final = "dlt.common.storages.load_package:PackageStorage"
_LOADING: Final = "dlt.common.storages.load_storage:LoadStorage"
_CLIENT: Final = "dlt.destinations.job_client_impl:SqlJobClientBase"
_MERGE: Final = "dlt.destinations.job_client_impl:SqlLoadJob.run"
_DIRECT: Final = "dlt_authsignal.destination.dlt_patches.direct_merge"
_HISTORY: Final = "dlt_authsignal.pipeline.history.in_sql"
COMMITTED: Final = f"{_PACKAGES}.save_pending_transition"
"""Comes after a file was committed in the database, and before that is noted on the disk."""

POINTS: Final[dict[str, Point]] = {
    "in the listing, after its second page": Point("dlt_authsignal.source.user_ids.listing:_page", "after", 2),
    "among the users": Point("dlt_authsignal.source.http.client:Api.get", "after", 9),
    "after some batches": Point("dlt_authsignal.source.resources.table_resource:Loading.answers", "before", 7),
    "before what was read is put by": Point("dlt.extract.storage:ExtractStorage.commit_new_load_package", "before"),
    "between extract and normalize": Point("dlt.pipeline.pipeline:Pipeline.normalize", "before"),
    "in normalize, before its files": Point("dlt.normalize.normalize:Normalize.spool_files", "before"),
    "in normalize, after its files": Point("dlt.normalize.normalize:Normalize.spool_files", "after"),
    "before what was normalized is put by": Point(f"{_LOADING}.commit_new_load_package", "before"),
    "between normalize and load": Point("dlt.pipeline.pipeline:Pipeline.load", "before"),
    "after the tables were changed": Point(f"{_CLIENT}.update_stored_schema", "after"),
    "before it is noted that the tables were changed": Point(f"{_LOADING}.commit_schema_update", "before"),
    "after the 1st file was committed": Point(COMMITTED, "before", 1),
    "after the 2nd file was committed": Point(COMMITTED, "before", 2),
    "after the 5th file was committed": Point(COMMITTED, "before", 5),
    "before the 3rd job is marked done": Point(f"{_PACKAGES}.complete_job", "before", 3),
    "before the 1st merge": Point(_MERGE, "before", 1),
    "after the 1st merge": Point(_MERGE, "after", 1),
    "after the 4th merge": Point(_MERGE, "after", 4),
    "before the 9th job is marked done": Point(f"{_PACKAGES}.complete_job", "before", 9),
    "after the load, before it is noted": Point(f"{_CLIENT}.complete_load", "before"),
    "after the load is noted": Point(f"{_CLIENT}.complete_load", "after"),
    "after the package is put away": Point(f"{_LOADING}.complete_load_package", "after"),
    "between the load and the update of history": Point("dlt_authsignal.pipeline.sync.run:update_after", "before"),
    "before the histories are made": Point(f"{_HISTORY}:_declare", "before"),
    "in the update of history, after its 1st statement": Point(f"{_HISTORY}:as_update", "before", 2),
    "in the update of history, after its 2nd statement": Point(f"{_HISTORY}:as_update", "before", 3),
    "in the update of history, after a table": Point(f"{_HISTORY}:_update", "after", 2),
    "after the update of history, before the record": Point("dlt_authsignal.pipeline.run_log:_keep", "before", 2),
    "after the record is loaded": Point("dlt_authsignal.pipeline.run_log:Journal.clear", "before"),
}
"""In the order in which a sync comes by them, where dlt merges from staging tables."""

IN_DUCKDB: Final[dict[str, Point]] = {
    **POINTS,
    "before the 1st merge": Point(f"{_DIRECT}:_are_all_new", "after", 1),
    "after the 1st merge": Point(f"{_DIRECT}:_merge", "after", 1),
    "after the 4th merge": Point(f"{_DIRECT}:_merge", "after", 2),
    "before the 9th job is marked done": Point(f"{_PACKAGES}.complete_job", "before", 7),
}
"""The same where each file is merged by itself: after kills at the points before, few files are left."""


def point(name: str, database: str) -> Point:
    """The point of that name in a sync into a database."""
    return (IN_DUCKDB if database == "duckdb" else POINTS)[name]


FILE_OPERATIONS: Final = frozenset(
    {
        "open",
        "os.rename",
        "os.remove",
        "os.mkdir",
        "os.rmdir",
        "os.link",
        "shutil.rmtree",
        "shutil.move",
        "socket.connect",
    }
)
STATEMENTS: Final = (
    "dlt.destinations.impl.duckdb.sql_client:DuckDbSqlClient.execute_query",
    "dlt.destinations.impl.postgres.sql_client:Psycopg2SqlClient.execute_query",
)


def die() -> None:
    """At once: nothing is cleaned up, closed or written."""
    os.kill(os.getpid(), signal.SIGKILL)


def set_trap(point: Point, deed: Callable[[], None] = die) -> None:
    """Has this process do something at a point: die, if nothing else is said."""
    calls = count(1)

    def step(when: str) -> None:
        if when == point.when and next(calls) == point.nth:
            deed()

    _wrap(point.target, step)


def _wrap(target: str, step: Callable[[str], None]) -> None:
    owner, name = place_of(target)
    setattr(owner, name, _stepping(getattr(owner, name), step))


def place_of(target: str) -> tuple[Any, str]:
    """The module or class that has a function, and the function's name in it."""
    module, _, path = target.partition(":")
    *classes, name = path.split(".")
    owner: Any = import_module(module)
    for each in classes:
        owner = getattr(owner, each)
    return owner, name


def _stepping(function: Callable[..., Any], step: Callable[[str], None]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        step("before")
        result = function(*arguments, **named)
        step("after")
        return result

    @wraps(function)
    async def wait(*arguments: Any, **named: Any) -> Any:
        step("before")
        result = await function(*arguments, **named)
        step("after")
        return result

    return wait if inspect.iscoroutinefunction(function) else call


class Counter:
    """Counts file operations and statements of this process; kills it at the n-th."""

    def __init__(self, fatal: dict[str, int]) -> None:
        self._counts = {"file operation": 0, "statement": 0}
        self._fatal = fatal
        self._began = time.monotonic()
        sys.addaudithook(self._audit)
        for target in STATEMENTS:
            _wrap(target, lambda when: self._count("statement") if when == "before" else None)

    def _audit(self, event: str, _arguments: Any) -> None:
        if event in FILE_OPERATIONS:
            self._count("file operation")

    def _count(self, kind: str) -> None:
        self._counts[kind] += 1
        if self._counts[kind] == self._fatal.get(kind):
            die()

    def seen(self) -> dict[str, int]:
        """Counts, and milliseconds gone."""
        return {**self._counts, "millisecond": int(1000 * (time.monotonic() - self._began))}
