"""A headless Chromium for pages: opens, looks and presses keys."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tests.node_process import NodeProcess, node


@dataclass(frozen=True)
class Chromium:
    """The browser, with one page at a time."""

    process: NodeProcess

    def do(self, op: str, **about: Any) -> Any:
        answer = self.process.ask(op=op, **about)
        assert "error" not in answer, answer["error"]
        return answer["returned"]

    def open(self, url: str, *, width: int = 1280, height: int = 900, **context: Any) -> None:
        """Open a new page, without stored data of earlier ones."""
        self.do("open", url=url, context={"viewport": {"width": width, "height": height}, **context})

    def evaluate(self, expression: str) -> Any:
        return self.do("evaluate", expression=expression)

    def assert_quiet(self) -> None:
        """No error was reported, and every request went to the page's own server."""
        assert self.do("complaints") == []
        assert set(self.do("hosts")) <= {self.evaluate("location.host")}


@dataclass
class SharedChromium:
    """One browser for all tests of a process: its start takes two seconds of processor time."""

    _stack: ExitStack
    _process: NodeProcess | None = None

    @contextmanager
    def used(self) -> Iterator[NodeProcess]:
        """The running browser, whose pages are closed when the block ends.

        It is started if there is none, or if a test that waited too long ended it.
        """
        if self._process is None or not self._process.is_running:
            self._process = self._stack.enter_context(node("browser.mjs"))
        try:
            yield self._process
        finally:
            if self._process.is_running:
                self._process.ask(op="close")


@contextmanager
def shared_chromium() -> Iterator[SharedChromium]:
    """A browser that starts when the first test needs it, for as long as the block lasts."""
    with ExitStack() as stack:
        yield SharedChromium(stack)
