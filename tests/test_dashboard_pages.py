"""The pages in a real Chromium: as a file without a network, and from a server with a strict policy."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dlt_authsignal.dashboard.page import Document, Filters
from dlt_authsignal.dashboard.render import SERVED_POLICY, STATIC, html
from tests.chromium import Chromium
from tests.documents import TITLES, example, without_data
from tests.tiers import deep_after

WIDTHS = (360, 1280, 3840)
ALL_CHARTS_DRAWN = """
new Promise((resolve) => {
  const open = [...document.querySelectorAll("[data-chart]")].filter((each) => each.offsetParent);
  open.forEach((each) => each.scrollIntoView());
  const look = () => {
    const wait = open.find((each) => !each.querySelector("canvas"));
    if (!wait) return resolve(open.length);
    wait.scrollIntoView();
    requestAnimationFrame(look);
  };
  look();
})
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the example as a self-contained file."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html(example(), self_contained=True), encoding="utf-8")
    return path.as_uri()


@dataclass
class Served:
    """A server of documents, and what was requested from it."""

    url: str
    requests: list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            parts = urlsplit(self.path)
            kind = "text/html"
            if parts.path.startswith("/static/"):
                body = (STATIC / parts.path.removeprefix("/static/")).read_bytes()
                kind = "text/css" if parts.path.endswith(".css") else "text/javascript"
            else:
                body = html(asked(parts.query), page=parts.path.strip("/") or "overview").encode()
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Security-Policy", SERVED_POLICY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield Served(f"http://127.0.0.1:{running.server_port}", requests)
    running.shutdown()
    running.server_close()


def asked(query: str) -> Document:
    """The example under the filters of a query."""
    chosen = {name: values[0] for name, values in parse_qs(query).items()}
    since, until = (date.fromisoformat(chosen.pop(name)) if name in chosen else None for name in ("since", "until"))
    return replace(example(), filters=Filters(since=since, until=until, **chosen))


def assert_fits(browser: Chromium, width: int) -> None:
    assert browser.evaluate("document.documentElement.scrollWidth") == width


def test_the_file_shows_its_charts_without_a_network(browser: Chromium, file: str) -> None:
    browser.open(file, width=360, height=800)
    assert browser.evaluate(ALL_CHARTS_DRAWN) == 3
    assert_fits(browser, 360)
    browser.do("clickOn", selector=".menu a[href='#adoption']")
    assert browser.do("text", selector="[data-open] h1") == "Adoption"
    assert browser.evaluate("document.title") == "Adoption · authsignal_data"
    assert browser.do("axe") == []
    browser.assert_quiet()
    assert browser.do("hosts") == []


def test_the_served_page_changes_its_figures_without_a_new_page(browser: Chromium, server: Served) -> None:
    browser.open(f"{server.url}/overview")
    browser.evaluate("void (window.isSame = true)")
    browser.do("choose", selector="[name=action]", value="payment")
    browser.do("waitFor", text="Reset")
    assert browser.do("address") == f"{server.url}/overview?action=payment"
    assert browser.evaluate("document.activeElement.name") == "action"
    browser.do("clickOn", selector=".menu a[href^='/adoption']")
    browser.do("waitFor", text="Another page.")
    assert browser.do("address") == f"{server.url}/adoption?action=payment"
    browser.do("back")
    browser.do("waitFor", text="Do passkeys work")
    assert browser.evaluate("window.isSame") is True
    browser.assert_quiet()


@pytest.mark.deep
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_pages_fit_every_screen_and_are_accessible(
    browser: Chromium, file: str, server: Served, width: int, scheme: str
) -> None:
    for url in (file, f"{server.url}/overview"):
        browser.open(url, width=width, height=900, colorScheme=scheme)
        assert browser.evaluate(ALL_CHARTS_DRAWN) == 3
        browser.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        assert_fits(browser, width)
        assert browser.do("axe") == []
        browser.assert_quiet()


@pytest.mark.deep
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_file_is_readable_without_scripts(browser: Chromium, file: str, scheme: str) -> None:
    browser.open(file, width=360, height=800, javaScriptEnabled=False, colorScheme=scheme)
    text = browser.do("text", selector="main")
    for _, title in TITLES:
        assert title in text
    for expected in ("82.4 %", "4.3 pts worse", "8,107 of 9,842", "2 Nov 2026, 09:17 UTC", "Not available"):
        assert expected in text
    browser.assert_quiet()


@pytest.mark.deep
def test_filters_and_links_work_without_scripts(browser: Chromium, server: Served) -> None:
    browser.open(f"{server.url}/overview", javaScriptEnabled=False)
    browser.do("choose", selector="[name=method]", value="SMS")
    browser.do("click", button="Apply")
    assert "method=SMS" in browser.do("address")
    browser.do("clickOn", selector=".menu a[href^='/adoption']")
    assert browser.do("address") == f"{server.url}/adoption?method=SMS"
    assert browser.do("text", selector="h1") == "Adoption"


@pytest.mark.deep
@pytest.mark.parametrize("locale", deep_after(0, ["de-DE", "en-US", "fr-FR", "ar-EG"]))
def test_numbers_are_those_of_the_document_in_every_language(browser: Chromium, file: str, locale: str) -> None:
    browser.open(file, locale=locale)
    shown = browser.evaluate("[...document.querySelectorAll('.value data')].map(({value}) => Number(value))")
    numbers = [card for page in example().pages for section in page.sections for card in section.cards]
    values = [card.point.value for card in numbers if getattr(card, "point", None)]  # type: ignore[union-attr]
    assert shown == [value for value in values if value is not None]
    first = browser.do("text", selector=".value")
    assert first.strip() == {"de-DE": "82,4 %", "en-US": "82.4 %", "fr-FR": "82,4 %"}.get(locale, first.strip())
    browser.assert_quiet()


@pytest.mark.deep
def test_a_definition_opens_and_closes_by_keyboard(browser: Chromium, file: str) -> None:
    browser.open(file)
    browser.evaluate("document.querySelector('a.how').focus()")
    browser.do("press", key="Enter")
    text = browser.do("text", selector="dialog[open]")
    for expected in (
        "Challenge success rate",
        "What share of the challenged attempts succeeded?",
        "CHALLENGE_SUCCEEDED",
    ):
        assert expected in text
    browser.evaluate("document.querySelector('dialog .sql').open = true")
    assert "from attempts" in browser.do("text", selector="dialog pre")
    assert browser.do("axe") == []
    browser.do("press", key="Escape")
    assert browser.evaluate("document.querySelector('dialog').open") is False
    assert browser.evaluate("document.activeElement.className") == "how"


@pytest.mark.deep
def test_the_rows_of_a_card_are_downloaded_from_the_file(browser: Chromium, file: str) -> None:
    browser.open(file)
    download = browser.do("download", selector=".chart a.csv")
    assert download["name"] == "challenge-success-by-day.csv"
    header, first, *_ = download["text"].splitlines()
    assert header == "series,label,value,low_95,high_95,numerator,denominator,is_complete"
    assert first.startswith("Succeeded,2026-09-21,0.82")


@pytest.mark.deep
def test_served_rows_are_those_of_the_filtered_kpi(browser: Chromium, server: Served) -> None:
    browser.open(f"{server.url}/overview?action=payment")
    link = browser.evaluate("document.querySelector('a.csv').getAttribute('href')")
    assert link == "/csv/challenge_success_rate?action=payment"


@pytest.mark.deep
def test_the_choice_of_colours_is_remembered(browser: Chromium, server: Served) -> None:
    browser.open(f"{server.url}/overview", colorScheme="light")
    browser.evaluate("document.querySelector('.theme [value=dark]').click()")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    dark = browser.evaluate(background)
    browser.evaluate("location.reload()")
    browser.do("waitFor", text="At a glance")
    assert browser.evaluate(background) == dark == "rgb(12, 13, 17)"
    browser.evaluate("document.querySelector('.theme [value=auto]').click()")
    assert browser.evaluate(background) != dark


@pytest.mark.deep
def test_names_from_the_database_cannot_run_scripts(browser: Chromium, file: str) -> None:
    browser.open(file)
    assert browser.evaluate(ALL_CHARTS_DRAWN) == 3
    assert browser.evaluate("document.title") == "Overview · authsignal_data"
    assert browser.evaluate("document.querySelectorAll('main script').length") == 0


@pytest.mark.deep
def test_the_printed_report_has_every_page_and_no_controls(browser: Chromium, file: str) -> None:
    browser.open(file, colorScheme="dark")
    browser.do("media", media="print")
    seen = "(name) => [...document.querySelectorAll(name)].filter((each) => each.getClientRects().length).length"
    assert browser.evaluate(f"({seen})('.page')") == len(TITLES)
    for hidden in (".menu", ".theme", ".links", ".live", "dialog"):
        assert browser.evaluate(f"({seen})('{hidden}')") == 0
    assert browser.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.deep
def test_a_page_without_data_is_accessible(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    path.write_text(html(without_data(), self_contained=True), encoding="utf-8")
    browser.open(path.as_uri(), width=360)
    assert "Not available" in browser.do("text", selector="main")
    assert browser.do("axe") == []
    assert_fits(browser, 360)
    browser.assert_quiet()


def test_the_assets_of_a_page_are_at_most_500_kilobytes_compressed() -> None:
    import gzip

    total = sum(len(gzip.compress(path.read_bytes(), 9)) for path in STATIC.glob("*.*s") if path.is_file())
    assert total <= 500_000
