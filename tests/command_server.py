"""Runs commands and scripts in forks of a process that has imported everything: processes of their own, without the
cost of imports.

Each request on stdin, one line of JSON, is answered with the exit code. tests/helpers.py asks. A test that is about the
process itself (imports, command line, what a shell or an interpreter does) starts the installed command instead.
"""

import atexit
import ctypes
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.crash.zygote import tell, warm

CRASHED = 70
OTHER_COMMANDS = (
    "jinja2",
    "pyarrow.dataset",
    "rich.console",
    "rich.table",
    "dlt_authsignal.cli.output.doctor.diagnosis",
    "dlt_authsignal.cli.output.events.alerts",
    "dlt_authsignal.cli.output.events.reconciliation",
    "dlt_authsignal.cli.output.kpis",
    "dlt_authsignal.dashboard.export.report",
    "dlt_authsignal.models.install",
    "dlt_authsignal.pipeline.alerts.detect",
    "dlt_authsignal.pipeline.alerts.send",
    "dlt_authsignal.pipeline.erase.run",
    "dlt_authsignal.pipeline.monitor.destination_check",
    "dlt_authsignal.pipeline.monitor.key_check",
    "dlt_authsignal.pipeline.monitor.status",
    "dlt_authsignal.pipeline.probe.run",
    "dlt_authsignal.pipeline.shards.load",
    "dlt_authsignal.spool.parquet",
)
"""What commands other than a sync import."""


def serve() -> None:
    """Forks for each request; a negative code is the signal that ended the command."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            run(asked)
        _, status = os.waitpid(child, 0)
        tell(os.waitstatus_to_exitcode(status))


def run(asked: dict[str, Any]) -> None:
    """Does what was asked in this process, and ends it."""
    code = CRASHED
    try:
        enter(asked)
        code = (interpret if asked["is_python"] else command)(asked["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def enter(asked: dict[str, Any]) -> None:
    """Becomes a process that was started in that folder with that environment."""
    os.setsid()
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.path[:0] = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    for stream, name in ((1, asked["out"]), (2, asked["err"])):
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, stream)
        os.close(file)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
    if asked["user"] is not None:
        vars(os)["geteuid"] = lambda: asked["user"]  # by which dlt chooses its folder
    forget_the_folder_of_the_imports()
    if asked["is_bound"]:
        give_up_capabilities()


def give_up_capabilities() -> None:
    """Lets permissions bind root, as they bind every other account. Another account could not read root's Python."""
    if os.geteuid() != 0:
        return
    version_3, pid = 0x20080522, 0
    header, none = (ctypes.c_uint32 * 2)(version_3, pid), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def forget_the_folder_of_the_imports() -> None:
    """dlt takes the working folder, and the settings in it, when it is imported."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    if PluggableRunContext in Container():
        del Container()[PluggableRunContext]


def command(arguments: list[str]) -> int:
    from dlt_authsignal.cli.main import main

    sys.argv = ["dlt-authsignal", *arguments]
    try:
        main()
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        end_as_python_does()
    return 0


def interpret(arguments: list[str]) -> int:
    """Runs `python -c CODE …` or `python FILE …`."""
    is_code = arguments[0] == "-c"
    sys.argv = ["-c", *arguments[2:]] if is_code else list(arguments)
    sys.path[0] = "" if is_code else str(Path(arguments[0]).resolve().parent)
    try:
        if is_code:
            module = ModuleType("__main__")
            sys.modules["__main__"] = module
            exec(compile(arguments[1], "<string>", "exec"), vars(module))  # noqa: S102
        else:
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as done:
        if isinstance(done.code, str):
            sys.stderr.write(f"{done.code}\n")
            return 1
        return int(done.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    finally:
        end_as_python_does()
    return 0


def end_as_python_does() -> None:
    """`os._exit` comes next, which runs none of these."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()


if __name__ == "__main__":
    warm(OTHER_COMMANDS)
    tell(0)
    serve()
