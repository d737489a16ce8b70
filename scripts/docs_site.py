"""Build the documentation site from the pages of this repository, and check it. `make docs-site` runs it."""

import argparse
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from site_links import faults
from site_pages import ROOT, lay_pages

CONFIGURATION: Final = "zensical.toml"
UNLISTED: Final = ("project/", "decisions/")
"""Folders whose pages are reached by links, not by the navigation."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--output", type=Path, default=ROOT / "build" / "site", help="folder to write, emptied first"
    )
    arguments.add_argument("--only-pages", action="store_true", help="lay the pages and check the navigation, no more")
    asked = arguments.parse_args()
    folder = asked.output
    for part in ("pages", "html"):
        shutil.rmtree(folder / part, ignore_errors=True)
    lay_pages(folder / "pages")
    shutil.copyfile(ROOT / CONFIGURATION, folder / CONFIGURATION)
    _stop_at(sorted(_not_in_navigation(folder)))
    if asked.only_pages:
        return
    _build(folder)
    _stop_at(faults(folder / "html"))
    sys.stdout.write(f"Open {folder / 'html' / 'index.html'}, or serve that folder: search needs a web server.\n")


def _not_in_navigation(folder: Path) -> Iterator[str]:
    """Pages that no entry of the navigation has, and entries without a page."""
    listed = set(_targets(tomllib.loads((folder / CONFIGURATION).read_text("utf-8"))["project"]["nav"]))
    pages = {path.relative_to(folder / "pages").as_posix() for path in (folder / "pages").rglob("*.md")}
    yield from (f"{name} is not in the navigation of {CONFIGURATION}" for name in pages - listed if _is_listed(name))
    yield from (f"{name} of {CONFIGURATION} does not exist" for name in listed - pages)


def _is_listed(name: str) -> bool:
    return not name.startswith(UNLISTED)


def _targets(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
        return
    for part in entry.values() if isinstance(entry, dict) else entry:
        yield from _targets(part)


def _build(folder: Path) -> None:
    """Run the generator; warnings stop it."""
    generator = Path(sys.executable).with_name("zensical")
    if not generator.exists():
        sys.exit(f"The site's generator is not installed: there is no {generator}. Run: make docs-site")
    done = subprocess.run([generator, "build", "--strict"], cwd=folder, timeout=300, check=False)  # noqa: S603
    if done.returncode:
        sys.exit("No site was built: correct what is reported above.")


def _stop_at(found: list[str]) -> None:
    for line in found:
        sys.stderr.write(f"{line}\n")
    if found:
        sys.exit(f"{len(found)} to correct. No site to publish.")


if __name__ == "__main__":
    main()
