"""Run a command again and again in a separate process, never twice at the same time."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

logger: Final = logging.getLogger("dlt_authsignal.receiver.load")

LONGEST_SECONDS: Final = 3_600.0
STOP_SECONDS: Final = 10.0
LAST_LINES: Final = 5


class RepeatedLoad:
    """A command that loads the spool.

    Args:
        command: Program and arguments.
        seconds: Time from the start of one run to the start of the next. A longer run delays the next.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds

    async def run(self, loaded: Callable[[str], None]) -> None:
        """Run the command until this is cancelled.

        Args:
            loaded: Is told the outcome of each run: `succeeded`, `failed` or `stopped`.
        """
        while True:
            begun = time.monotonic()
            outcome, last = await self._once()
            seconds = time.monotonic() - begun
            loaded(outcome)
            if outcome == "succeeded":
                logger.info("Load succeeded in %.1f s. %s", seconds, last)
            else:
                logger.error("Load %s after %.1f s. The next one repeats it. %s", outcome, seconds, last)
            await asyncio.sleep(max(0.0, begun + self._seconds - time.monotonic()))

    async def _once(self) -> tuple[str, str]:
        """Run the command once; return the outcome and the last lines of its output."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the receiver, which stops this process itself
            )
        except OSError as error:
            return "failed", str(error)
        lines: deque[str] = deque(maxlen=LAST_LINES)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await _read(process, lines)
                status = await process.wait()
            return ("failed" if status else "succeeded"), " | ".join(lines)
        except TimeoutError:
            return "stopped", " | ".join(lines)
        finally:
            await _stop(process)


async def _read(process: asyncio.subprocess.Process, lines: deque[str]) -> None:
    """Read the output, of which only the last lines are kept."""
    output = process.stdout
    while output and (part := await output.read(65_536)):
        lines.extend(line[:500] for line in part.decode("utf-8", "replace").splitlines() if line.strip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Stop the process if it still runs: by a signal that it handles first."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
