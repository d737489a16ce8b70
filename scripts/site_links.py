"""Check the built documentation site: links and anchors lead somewhere, and nothing is loaded from elsewhere."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADED_LINKS: Final = frozenset(
    {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch"}
)
_IN_STYLES: Final = re.compile(r"""(?:@import\s+|url\()\s*["']?((?:https?:)?//[^"')\s]+)""")
_PAGE_OF_ERRORS: Final = "404.html"  # its links begin at the root of the server


class _Page(HTMLParser):
    """Links, anchors and loaded addresses of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attrs if value}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "link" and _LOADED_LINKS & set(found.get("rel", "").split()):
            self.loaded.append(found.get("href", ""))
        self.loaded += [found[name] for name in ("src", "data", "poster") if name in found]
        self.loaded += [part.split()[0] for part in found.get("srcset", "").split(",") if part.strip()]


def faults(site: Path) -> list[str]:
    """One line for each dead link, missing file and address of another host, with its page."""
    pages = {path: _Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    found = [f"{path.relative_to(site)}: {fault}" for path, page in pages.items() for fault in _of(path, page, pages)]
    for style in sorted(site.rglob("*.css")):
        found += [f"{style.relative_to(site)}: loads {url}" for url in _IN_STYLES.findall(style.read_text("utf-8"))]
    return found


def _of(path: Path, page: _Page, pages: dict[Path, _Page]) -> Iterator[str]:
    for address in page.loaded:
        if _is_elsewhere(address):
            yield f"loads {address}"
        elif path.name != _PAGE_OF_ERRORS and not address.startswith("data:") and not _target(path, address).exists():
            yield f"{address} is missing"
    for link in page.links if path.name != _PAGE_OF_ERRORS else ():
        if not _is_elsewhere(link) and (fault := _dead(path, link, pages)):
            yield f"{link} {fault}"


def _is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def _target(path: Path, link: str) -> Path:
    linked = unquote(urlsplit(link).path)
    target = (path.parent / linked).resolve() if linked else path
    return target / "index.html" if target.is_dir() else target


def _dead(path: Path, link: str, pages: dict[Path, _Page]) -> str:
    target, anchor = _target(path, link), unquote(urlsplit(link).fragment)
    if not target.exists():
        return "leads to no file"
    if anchor and target in pages and anchor not in pages[target].ids:
        return "leads to no heading"
    return ""
