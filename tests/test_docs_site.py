"""The documentation site: every page is reached, links work, and nothing is loaded from other hosts."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.chromium import Chromium
from tests.helpers import ROOT

SITE_PYTHON = ROOT / ".venv-site" / "bin" / "python"
SCRIPTS = ROOT / "scripts"


FOUND = "[...document.querySelectorAll('div')].some((e) => e.shadowRoot?.textContent.includes('Erase a person'))"
"""Whether the search, which has a document of its own, shows that page."""


def built(folder: Path) -> "subprocess.CompletedProcess[str]":
    assert SITE_PYTHON.exists(), "run: make docs-site"
    command = [str(SITE_PYTHON), str(SCRIPTS / "docs_site.py"), "--output", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.deep
def test_the_site_is_built_without_a_fault_and_its_search_finds_pages(tmp_path: Path, browser: Chromium) -> None:
    done = built(tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    pages = tmp_path / "site" / "html"
    names = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert [name for name in sorted(names) if not (pages / name).exists()] == []
    with served(pages) as address:
        for page in ("index", "project/index", "tables", "configuration", "security-review"):
            browser.open(f"{address}/{page}.html")
            browser.assert_quiet()
        browser.do("clickOn", selector=".md-search__button")
        browser.do("until", expression="document.activeElement.shadowRoot?.activeElement?.tagName === 'INPUT'")
        for key in "tombstone":
            browser.do("press", key=key)
        browser.do("until", expression=FOUND)
        browser.assert_quiet()


def test_every_page_has_a_place_in_the_navigation_and_every_link_a_file(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "docs_site.py"), "--only-pages", "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "img.shields.io" not in (tmp_path / "pages" / "project" / "index.md").read_text("utf-8")


FAULTY = """
<a href="there.html">fine</a> <a href="there.html#here">fine</a> <a href="https://example.com">only a link</a>
<a href="missing.html">a</a> <a href="there.html#missing">b</a> <img src="missing.png">
<img src="https://cdn.example.com/x.png"> <script src="//cdn.example.com/x.js"></script>
<link rel="stylesheet" href="https://fonts.example.com/x.css">
"""


def test_the_check_of_the_site_finds_dead_links_and_other_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.html").write_text(FAULTY, encoding="utf-8")
    (tmp_path / "there.html").write_text('<h1 id="here">There</h1>', encoding="utf-8")
    (tmp_path / "style.css").write_text("@font-face { src: url(https://fonts.example.com/a.woff2) }", encoding="utf-8")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from site_links import faults

    assert sorted(faults(tmp_path)) == [
        "index.html: loads //cdn.example.com/x.js",
        "index.html: loads https://cdn.example.com/x.png",
        "index.html: loads https://fonts.example.com/x.css",
        "index.html: missing.html leads to no file",
        "index.html: missing.png is missing",
        "index.html: there.html#missing leads to no heading",
        "style.css: loads https://fonts.example.com/a.woff2",
    ]


def test_users_do_not_install_the_packages_of_the_site() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert "zensical" not in (ROOT / name).read_text("utf-8")
