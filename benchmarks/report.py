"""Measurements as text for a terminal, and as Markdown for docs/performance.md."""

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)
HEADINGS = ("", "users", "rows", "seconds", "processor seconds", "peak MiB")


@dataclass(frozen=True)
class Line:
    """One contestant of a scene: times in seconds, memory in MiB."""

    name: str
    users: int
    rows: int
    seconds: float
    cpu: float
    peak: float

    @property
    def cells(self) -> list[str]:
        return [
            self.name,
            f"{self.users:,}",
            f"{self.rows:,}",
            f"{self.seconds:.1f}",
            f"{self.cpu:.1f}",
            f"{self.peak:,.0f}",
        ]


@dataclass(frozen=True)
class Scene:
    """What was measured under one heading.

    Attributes:
        title: The heading.
        lines: Contestants.
        ratios: (what, value, target if there is one).
    """

    title: str
    lines: Sequence[Line]
    ratios: Sequence[tuple[str, float, str | None]]


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, dlt {version('dlt')}"
    )


def show(scene: Scene) -> None:
    rows = [list(HEADINGS), *(line.cells for line in scene.lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"\n{scene.title}")
    for name, *numbers in rows:
        print(
            f"  {name:<{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(numbers, widths[1:], strict=True)),
            sep="  ",
        )
    for what, value, target in scene.ratios:
        print(f"  {what}: {value:.2f}{_aim(target)}", flush=True)


def _aim(target: str | None) -> str:
    return f" (target {target})" if target else ""


def write(file: Path, scenes: Sequence[Scene], command: str) -> None:
    """Puts the scenes between the marks of a Markdown file.

    Raises:
        ValueError: The file has no marks.
    """
    text = file.read_text()
    said = f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {machine()}.\n\n" + "\n".join(map(_markdown, scenes))
    changed, found = BLOCK.subn(lambda _: said, text)
    if not found:
        raise ValueError(f"{file} has no <!-- bench --> and <!-- /bench -->.")
    file.write_text(changed)


def _markdown(scene: Scene) -> str:
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *(line.cells for line in scene.lines)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    ratios = "\n".join(f"- {what}: **{value:.2f}**{_aim(target)}" for what, value, target in scene.ratios)
    return f"**{scene.title}**\n\n{table}\n\n{ratios}\n"
