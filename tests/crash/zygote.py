"""A process that has imported everything, and forks one that runs the command for each line of JSON on stdin.

A sync begins in some hundredths of a second this way, where a new Python takes seconds.
"""

import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.crash.deeds import deed, give_up_override
from tests.crash.points import Counter, Point, set_trap

RUN_SECONDS = 50
NOTHING = -1


IMPORTED = (
    "anyio._backends._asyncio",
    "duckdb",
    "pandas",
    "phonenumbers",
    "psycopg2",
    "pyarrow.csv",
    "pyarrow.parquet",
    "sqlalchemy",
    "sqlglot",
    "ua_parser_builtins.matchers",  # hundreds of regular expressions, compiled here
    "dlt._workspace._plugins",
    "dlt.common.libs.pyarrow",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.destinations.impl.postgres.postgres",
    "dlt.sources.helpers.requests",
    "dlt_authsignal.cli.main",
    "dlt_authsignal.cli.output.sync.notice",
    "dlt_authsignal.cli.output.sync.progress",
    "dlt_authsignal.cli.output.sync.summary",
    "dlt_authsignal.source.rows.arrow_builder",
    "dlt_authsignal.cli.output.events.loads",
    "dlt_authsignal.pipeline.events.load",
    "dlt_authsignal.pipeline.history.in_sql",
    "dlt_authsignal.pipeline.sync.run",
    "dlt_authsignal.plugin",
)


def warm(more: Iterable[str] = ()) -> None:
    """Imports what a sync does, and more modules, and starts no thread."""
    for name in (*IMPORTED, *more):
        import_module(name)
    gc.freeze()


def serve() -> None:
    """Answers each request with exit code and output; a negative code is the signal that killed it."""
    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        child = os.fork()
        if child == 0:
            run(asked, folder)
        _, status = os.waitpid(child, 0)
        tell(os.waitstatus_to_exitcode(status))


def tell(code: int) -> None:
    sys.stdout.write(json.dumps({"code": code}) + "\n")
    sys.stdout.flush()


def run(asked: dict[str, Any], folder: Path) -> None:
    """Does what was asked in this process, and ends it."""
    code = NOTHING
    try:
        enter(asked, folder)
        code = command(asked, folder)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def enter(asked: dict[str, Any], folder: Path) -> None:
    os.setsid()  # a signal for one of us is not for the others
    os.chdir(folder)
    os.environ.update(asked["env"])
    for stream, name in ((1, "out.txt"), (2, "err.txt")):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    give_up_override()
    signal.setitimer(signal.ITIMER_REAL, asked.get("seconds") or RUN_SECONDS)  # which ends it as abruptly as a kill


def command(asked: dict[str, Any], folder: Path) -> int:
    from dlt_authsignal.cli.main import main
    from dlt_authsignal.pipeline.events import load
    from dlt_authsignal.source.resources import reading

    assert reading.USERS_PER_BATCH > 3  # the name that reading uses
    vars(reading)["USERS_PER_BATCH"] = 3  # several batches, and several files a table, of a few people
    vars(load)["ROWS_PER_RUN"] = 20
    if asked.get("point"):
        set_trap(Point(*asked["point"]), deed(asked.get("deed", "kill"), folder))
    counter = Counter(asked.get("fatal") or {}) if "fatal" in asked else None
    sys.argv = ["dlt-authsignal", *asked["arguments"]]
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        if counter:
            Path(folder, "seen.json").write_text(json.dumps(counter.seen()), "utf-8")
    return 0


if __name__ == "__main__":
    warm()
    tell(0)
    serve()
