"""The map of the package in CONTRIBUTING.md, drawn from its imports. `scripts/generate_docs.py` writes it."""

import ast
from functools import cache
from html import escape
from pathlib import Path
from typing import Final

import grimp
from diagram import FONT, Colours

PACKAGE: Final = "dlt_authsignal"
SOURCE: Final = Path(__file__).parents[1] / "src" / PACKAGE
WIDTH, ROW, GAP, BOX = 880, 84, 12, 54


@cache
def imports() -> dict[str, list[str]]:
    """Return the parts that each part of the package imports, as its modules spell it."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    parts = sorted(graph.find_children(PACKAGE))
    found: dict[str, set[str]] = {_short(part): set() for part in parts}
    for part in parts:
        for module in {part, *graph.find_descendants(part)}:
            found[_short(part)] |= {_part_of(each) for each in graph.find_modules_directly_imported_by(module)}
    return {part: sorted((used & found.keys()) - {part}) for part, used in found.items()}


def rows() -> list[list[str]]:
    """Return the parts from top to bottom: each part is above all parts that it imports."""
    used = imports()

    @cache
    def height(part: str) -> int:
        return 1 + max(map(height, used[part]), default=-1)

    heights = sorted({height(part) for part in used}, reverse=True)
    return [[part for part in used if height(part) == level] for level in heights]


def drawing(colours: Colours) -> str:
    """The map as SVG."""
    levels = rows()
    height = ROW * len(levels) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        f' role="img" aria-label="{escape(DESCRIPTION)}" font-family="{escape(FONT)}" font-size="14">'
    ]
    for number, level in enumerate(levels):
        width = min(260, (WIDTH - GAP) // len(level) - GAP)
        start = (WIDTH - len(level) * (width + GAP) + GAP) // 2
        for place, name in enumerate(level):
            x, y = start + place * (width + GAP), GAP + number * ROW
            parts.append(
                f'<rect x="{x}" y="{y}" width="{width}" height="{BOX}" rx="8" fill="{colours.ours}"'
                f' stroke="{colours.line}"/><text x="{x + width // 2}" y="{y + BOX // 2 + 5}" text-anchor="middle"'
                f' fill="{colours.text}">{escape(name)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


DESCRIPTION: Final = "The parts of the package in rows. A part imports only parts in rows below its own."


def table() -> str:
    """Return each part, what it is, and what it imports, from top to bottom."""
    used = imports()
    parts = [name for level in rows() for name in level]
    lines = [f"| `{name}` | {_subject(name)} | {_listed(used[name])} |" for name in parts]
    return "\n".join(["| part | subject | imports |", "| --- | --- | --- |", *lines])


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "no other part"


def _subject(name: str) -> str:
    """Return the first line of the part's docstring."""
    folder = SOURCE / name
    text = (folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")).read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def _short(module: str) -> str:
    return module.removeprefix(f"{PACKAGE}.")


def _part_of(module: str) -> str:
    return _short(module).partition(".")[0]
