"""What all workers of a run share and the first of them makes, and the slowest of it: the demo."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))
NAME = "demo"


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder of the run, which its workers have in common."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def make_once(shared: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process that needs it makes, for all of the run. Read it only."""
    folder, done = shared / f"one-{name}", shared / f"one-{name}.done"
    with FileLock(shared / f"one-{name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def run_demo(folder: Path) -> None:
    """Run `dlt-authsignal demo` there; demo.txt holds what it printed."""
    done = subprocess.run(
        [COMMAND, "demo"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "DLT_DATA_DIR"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "demo.txt").write_text(done.stdout, encoding="utf-8")


def begin(shared: Path) -> Callable[[], None]:
    """Make the demo in the background, before a test waits for it. The result ends that, should it still run."""
    process = subprocess.Popen([sys.executable, "-m", "tests.demo", str(shared)], cwd=ROOT, start_new_session=True)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    return end


if __name__ == "__main__":
    make_once(Path(sys.argv[1]), NAME, run_demo)
