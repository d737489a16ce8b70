"""A headless Chromium for pages: opens, looks and presses keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
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
        """Open a page in a new context, without storage."""
        self.do("open", url=url, context={"viewport": {"width": width, "height": height}, **context})

    def evaluate(self, expression: str) -> Any:
        return self.do("evaluate", expression=expression)

    def assert_quiet(self) -> None:
        """No error was reported, and every request went to the page's own server."""
        assert self.do("complaints") == []
        assert set(self.do("hosts")) <= {self.evaluate("location.host")}


@contextmanager
def chromium(_node_modules: Path) -> Iterator[Chromium]:
    """A browser for as long as the block lasts; the SDKs have to be installed."""
    with node("browser.mjs") as process:
        yield Chromium(process)
