"""Lay the pages of the documentation site into a folder, with everything that they link to.

Pages are written for the repository: they link to files beside docs/. Here those files are copied below `project/`, and
the links are changed, so that the site needs no repository and no network.
"""

import posixpath
import re
import shutil
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = PurePosixPath("docs")
OUTSIDE: Final = PurePosixPath("project")
"""Folder of the site for files that are not below docs/."""

_MARKDOWN_LINK: Final = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(\))")
_HTML_LINK: Final = re.compile(r"""((?:src|srcset|href)=")(?!https?:|#)([^"#]+)(#[^"]*)?(")""")
_BADGE: Final = re.compile(r"^!\[[^]]*\]\(https://img\.shields\.io/.*\n", re.MULTILINE)
_DRAWING: Final = re.compile(r"^```mermaid$", re.MULTILINE)
_FENCED: Final = re.compile(r"^( *)(```|~~~).*?^\1\2 *$\n?", re.MULTILINE | re.DOTALL)
_TITLE: Final = re.compile(r"^# +(.+)$", re.MULTILINE)


def lay_pages(folder: Path) -> None:
    """Write all pages, pictures and linked files into a new folder.

    Raises:
        FileNotFoundError: A page links to a file that does not exist.
    """
    waiting = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*")) if path.is_file()]
    laid: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in laid:
            continue
        laid.add(name)
        waiting += _lay(name, folder)


def _lay(name: str, folder: Path) -> list[str]:
    """Write one file or the list of a folder; return what it links to."""
    source, target = ROOT / name, folder / _place(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.write_text(_list_of(source), encoding="utf-8")
        return [path.relative_to(ROOT).as_posix() for path in source.iterdir() if path.is_file()]
    if source.suffix != ".md":
        shutil.copyfile(source, target)
        return []
    text = _DRAWING.sub("```text", _BADGE.sub("", source.read_text("utf-8")))
    linked: list[str] = []
    target.write_text(_outside_code(text, name, linked), encoding="utf-8")
    return linked


def _outside_code(text: str, name: str, linked: list[str]) -> str:
    """The page with changed links; code blocks stay."""
    parts, end = [], 0
    for block in _FENCED.finditer(text):
        parts += [_changed(text[end : block.start()], name, linked), block[0]]
        end = block.end()
    return "".join([*parts, _changed(text[end:], name, linked)])


def _changed(text: str, name: str, linked: list[str]) -> str:
    def change(found: re.Match[str]) -> str:
        target = _resolved(name, found[2])
        linked.append(target)
        place = posixpath.relpath(f"/{_place(target)}", f"/{_place(name).parent}")
        return f"{found[1]}{place}{found[3] or ''}{found[4]}"

    return _HTML_LINK.sub(change, _MARKDOWN_LINK.sub(change, text))


def _resolved(page: str, link: str) -> str:
    """The linked path within the repository."""
    path = (ROOT / page).parent.joinpath(link).resolve()
    if not path.exists():
        raise FileNotFoundError(f"{page} links to {link}, which does not exist. No site was built.")
    return path.relative_to(ROOT.resolve()).as_posix()


def _place(name: str) -> PurePosixPath:
    """Where a file of the repository is on the site; a folder is a page that lists it."""
    path = PurePosixPath(name)
    inside = path.is_relative_to(DOCS)
    place = path.relative_to(DOCS) if inside else OUTSIDE / str(path).replace("/.", "/").removeprefix(".")
    if (ROOT / name).is_dir():
        return place / "index.md"
    return place.with_name("index.md") if place.name == "README.md" else place


def _list_of(folder: Path) -> str:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    lines = [f"- [{title_of(path) if path.suffix == '.md' else path.name}]({path.name})" for path in files]
    return "\n".join([f"# {folder.name.capitalize()}", "", *lines]) + "\n"


def title_of(page: Path) -> str:
    """The first heading of a page."""
    found = _TITLE.search(page.read_text("utf-8"))
    return found[1].replace("`", "") if found else page.stem
