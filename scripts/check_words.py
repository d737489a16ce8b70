"""Refuse phrases that are hard to read, dead links and broken tables, in pages and in the package's texts."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

ROOT: Final = Path(__file__).parents[1]
CHECK_SOURCE: Final = True  # True also checks string literals and docstrings in src/dlt_authsignal
EXEMPT: Final = frozenset({"docs/glossary.md"})
"""Pages that are about words."""

WITH_SOURCE: Final = frozenset(
    {
        *(f"docs/{name}" for name in ("tables.md", "kpis.md", "command.md", "sandbox.md", "webhooks.md")),
        "docs/decisions/0003-sandbox.md",
        "AGENTS.md",
    }
)
"""Pages made of src/, or about its parts: their words are checked when `CHECK_SOURCE` is on, their links always."""

PHRASES: Final[tuple[tuple[str, str], ...]] = (
    (r"\bwhom\b|\bwhoever\b|\bwhomever\b", "users who"),
    (r"\bsomebody\b|\bnobody\b|\beverybody\b", "a user; no user; all users"),
    (r"\banew\b|\bonce more\b", "again"),
    (r"\ball the same\b", "anyway"),
    (r"\bin any case\b", "always; at least"),
    (r"\bas (it is|they are)\b(?! (due|not|now))", "unchanged; in plain text"),
    (r"\bfor good\b", "permanently"),
    (r"\bin its own time\b", "eventually"),
    (r"\bof one's own\b|\bof your own\b|\bof its own\b|\bof ours\b", "your own; its own; this project's"),
    (r"\bpass(ed|es)? over\b", "skip"),
    (r"\bmade again\b|\bmakes again\b", "recreated"),
    (r"\btold of\b|\btold apart\b|\btells apart\b", "reported; distinguished"),
    (r"\botherwise than\b|\bkept otherwise\b|\bstored otherwise\b", "differently from; in another type or column"),
    (r"\bno longer (named|names)\b", "missing from the user list"),
    (r"\bcomes? back\b|\blives? again\b", "is restored; is returned again"),
    (r"\bput by\b|\bput right\b|\bmended\b", "cached; corrected; fixed"),
    (r"\bbegun in\b|\bended well\b", "started in; succeeded"),
    (r"\bunlocks?\b|\bunlocked\b", "gives access to"),
    (r"\blets? us in\b", "connect"),
    (r"\blanes?\b", "API (Server API, Client API)"),
    (r"\broster\b", "user id source"),
    (r"\bsettles?\(", "update_history("),
    (r"\bstand-ins?\b", "emulator"),
    (r"\bstands? (in|beside)\b(?! for)", "is in; is stored in"),
    (r"\bis wanted( of)?\b", "is selected"),
    (r"\bsays nothing of\b", "does not report"),
    (r"\bno longer shows\b", "no longer returns"),
    (r"\ba body that is cut\b|\ba cut body\b", "a truncated body"),
    (r"\bthe gone\b|\bis gone\b|\bare gone\b|\bwas gone\b", "deleted; missing"),
    (r"\bthe dltHub page\b", "dltHub's Authsignal page"),
    (r"<clone>", "the package's name; docs/install.md says the rest"),
    (
        r"--(lanes|without-user|read-now|yes-this-writes)\b|\b(without_users|read_now|users_left)\b",
        "the name in use: apis, exclude_users, refresh_users, allow-writes, users_remaining",
    ),
)
"""What is refused, as a regular expression without regard to case, and what to write instead."""

_PATTERNS: Final = tuple((re.compile(pattern, re.IGNORECASE), instead) for pattern, instead in PHRASES)
_OLD_NAMES: Final = re.compile(r"<!-- old names -->.*?<!-- /old names -->", re.DOTALL)
_GENERATED: Final = re.compile(r"<!-- destinations -->.*?<!-- /destinations -->", re.DOTALL)
_FENCE: Final = re.compile(r"^ *(```|~~~)")
_LINK: Final = re.compile(r"\]\((?!https?:|mailto:)([^)\s]*)\)")
_ID: Final = re.compile(r'<a (?:id|name)="([^"]+)"')
_HEADING: Final = re.compile(r"^#{1,6} +(.*?) *$")
_TABLE: Final = re.compile(r"^\|.*\n\|[-:| ]+\|\n(?:(?!<!--)\S.*(?:\n|$))*", re.MULTILINE)
_CELL_END: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Finding:
    """One thing to correct.

    Attributes:
        path: File, relative to the repository.
        line: Line number, from 1.
        text: What was found.
        instead: What to write instead.
    """

    path: str
    line: int
    text: str
    instead: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: "{self.text}": write {self.instead}'


def phrases_in(text: str) -> Iterator[tuple[int, str, str]]:
    """Line within the text, phrase and replacement, for each phrase that is refused; a line break counts as a space."""
    flat = re.sub(r"\n[ >]*", lambda found: "\n" + " " * (len(found[0]) - 1), text)
    spaced = flat.replace("\n", " ")
    for pattern, instead in _PATTERNS:
        for found in pattern.finditer(spaced):
            yield flat.count("\n", 0, found.start()), found[0], instead


def check_page(path: Path, name: str, *, source: bool = False) -> Iterator[Finding]:
    """Phrases outside code blocks, links that lead nowhere, and broken rows of tables."""
    prose = without_code(path.read_text("utf-8"))
    for at, row in broken_rows(prose):
        yield Finding(name, at + 1, row[:40], "each row on one line, with as many cells as the heading")
    if name not in EXEMPT and (source or name not in WITH_SOURCE):
        checked = _OLD_NAMES.sub(_blank, prose)
        for at, phrase, instead in phrases_in(checked if source else _GENERATED.sub(_blank, checked)):
            yield Finding(name, at + 1, phrase, instead)
    for number, line in enumerate(prose.splitlines(), 1):
        for link in _LINK.findall(line):
            if fault := _fault(path, unquote(link)):
                yield Finding(name, number, link, f"a link that leads somewhere: {fault}")


def broken_rows(page: str) -> Iterator[tuple[int, str]]:
    """Line, from 0, and text of each row of a table that is wrapped, or has more or fewer cells than the heading."""
    for table in _TABLE.finditer(page):
        rows = table[0].splitlines()
        for at, row in enumerate(rows, page.count("\n", 0, table.start())):
            is_whole = row.startswith("|") and row.rstrip().endswith("|")
            if not (is_whole and len(_CELL_END.findall(row)) == len(_CELL_END.findall(rows[0]))):
                yield at, row


def _blank(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def without_code(page: str) -> str:
    """The page with the lines of its code blocks left blank."""
    lines, is_code = [], False
    for line in page.splitlines():
        is_fence = bool(_FENCE.match(line))
        lines.append("" if is_code or is_fence else line)
        is_code ^= is_fence
    return "\n".join(lines)


def anchors(page: str) -> set[str]:
    """Anchors that GitHub makes of the headings of a page, and those that it names itself."""
    found: set[str] = set(_ID.findall(page))
    for line in without_code(page).splitlines():
        if heading := _HEADING.match(line):
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            repeated = sum(anchor == re.sub(r"-\d+$", "", other) for other in found)
            found.add(f"{anchor}-{repeated}" if anchor in found else anchor)
    return found


def _fault(page: Path, link: str) -> str:
    target, _, anchor = link.partition("#")
    file = page.parent / target if target else page
    if not file.exists():
        return "there is no such file"
    if anchor and file.suffix == ".md" and anchor not in anchors(file.read_text("utf-8")):
        return "there is no such heading"
    return ""


def check_source(path: Path, name: str) -> Iterator[Finding]:
    """Phrases in string literals and docstrings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        text = _text(node)
        for line, phrase, instead in phrases_in(text or ""):
            yield Finding(name, node.lineno + line, phrase, instead)  # type: ignore[attr-defined]


def _text(node: ast.AST) -> str | None:
    """The text of a literal that is prose: it has a space in it. Of an f-string, what is between the values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
        return node.value
    return None


def pages() -> Iterator[Path]:
    """Every page that people read."""
    yield from sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def findings(*, source: bool = CHECK_SOURCE) -> Iterator[Finding]:
    """All findings of the repository.

    Args:
        source: Whether to check src/ and the pages made of it too.
    """
    for path in pages():
        name = path.relative_to(ROOT).as_posix()
        if not path.is_symlink():
            yield from check_page(path, name, source=source)
    for path in sorted((ROOT / "src" / "dlt_authsignal").glob("**/*.py")) if source else ():
        yield from check_source(path, path.relative_to(ROOT).as_posix())


def main() -> None:
    found = list(findings(source=CHECK_SOURCE or "--source" in sys.argv))
    for finding in found:
        sys.stdout.write(f"{finding}\n")
    sys.exit(f"{len(found)} to correct." if found else 0)


if __name__ == "__main__":
    main()
