"""A Node script that answers one line of JSON for each it is asked: Authsignal's JavaScript SDKs, at a test's hand."""

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import pytest

NODE = Path(__file__).parent / "node"

ANSWER_SECONDS = 70  # longer than the scripts wait themselves


class NodeProcess:
    """The running script."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        self._complaints: list[str] = []
        for stream, keep in ((process.stdout, self._lines.put), (process.stderr, self._complaints.append)):
            threading.Thread(target=_pump, args=(stream, keep), daemon=True).start()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, **message: Any) -> Any:
        """The script's answer."""
        if self._process.stdin is None:
            raise RuntimeError("the script has no standard input")
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            return json.loads(self._lines.get(timeout=ANSWER_SECONDS))
        except (queue.Empty, OSError, ValueError):
            self._process.kill()  # a late answer would be taken for the next one's
            pytest.fail(f"No answer to {message}:\n{''.join(self._complaints)[-2000:]}")


def _pump(stream: IO[str], keep: Callable[[str], None]) -> None:
    """Keeps each line of a stream; an empty one when it ends."""
    for line in stream:
        keep(line)
    keep("")


@contextmanager
def node(script: str, **environment: str) -> Iterator[NodeProcess]:
    """A script of tests/node for as long as the block lasts; it ends with its standard input."""
    process = subprocess.Popen(
        [shutil.which("node") or "node", NODE / script],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield NodeProcess(process)
    finally:
        if process.stdin:
            with suppress(OSError):
                process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
