"""Run a command again and again in a separate process, never twice at the same time."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

logger: Final = logging.getLogger("dlt_authsignal.receiver.load")

LONGEST_SECONDS: Final = 3_600.0
STOP_SECONDS: Final = 10.0
LAST_LINES: Final = 5
LAST_BYTES: Final = 10_000


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
        output = bytearray()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await _read(process, output)
                status = await process.wait()
            return ("failed", _last_lines(output)) if status else ("succeeded", _last_paragraph(output))
        except TimeoutError:
            return "stopped", _last_lines(output)
        finally:
            await _stop(process)


async def _read(process: asyncio.subprocess.Process, output: bytearray) -> None:
    """Read the output, of which only the end is kept."""
    while process.stdout and (part := await process.stdout.read(65_536)):
        output += part
        del output[:-LAST_BYTES]


def _last_paragraph(output: bytes | bytearray) -> str:
    """Return what follows the last empty line: the sentences of a report, without its table."""
    return _last_lines(re.split(rb"\n\s*\n", output.strip())[-1])


def _last_lines(output: bytes | bytearray) -> str:
    """Return the last lines as one."""
    lines = (" ".join(line.split())[:500] for line in output.decode("utf-8", "replace").splitlines())
    return " | ".join(list(filter(None, lines))[-LAST_LINES:])


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
