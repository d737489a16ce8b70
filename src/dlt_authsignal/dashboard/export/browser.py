"""Pictures and PDFs of a report, made by an installed Chromium, Chrome or Edge without a window."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dlt_authsignal.errors import ConfigurationError, RunFailed

VARIABLE: Final = "CHROMIUM"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge", "msedge")
PLACES: Final = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
"""Where macOS and Windows have browsers, which are not on the path there."""

SECONDS: Final = 60
WIDTH: Final = 1280
HIGHEST: Final = 16_000
"""Browsers draw no picture that is higher."""

SETTLED: Final = "--virtual-time-budget=5000"
"""Milliseconds of the page's own clock, which runs as fast as the page allows: until all charts are drawn."""

OPTIONS: Final = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--no-first-run",
    SETTLED,
)


def find() -> str:
    """Return the path of a browser.

    Raises:
        ConfigurationError: None is installed.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        found = shutil.which(chosen)
        if not found:
            raise ConfigurationError(
                f"{VARIABLE} is set to {chosen}, which is not a program. Nothing was written. Correct it, or unset it."
            )
        return found
    for name in (*NAMES, *PLACES):
        if found := shutil.which(name):
            return found
    raise ConfigurationError(
        "A picture or PDF of the report needs Chromium, Chrome or Edge, and none is installed. Nothing was written."
        f" Install one (Debian: apt install chromium), or set {VARIABLE} to its path. --format html needs no browser."
    )


def write_picture(
    html: str, path: Path, *, width: int = WIDTH, height: int | None = None, is_dark: bool = False
) -> None:
    """Write a picture of a page.

    Args:
        html: The page.
        path: File to write.
        width: Width of the page.
        height: Height of the picture; default: that of the page.
        is_dark: Whether to draw the dark colours.
    """
    with _work(html, path) as (page, made):
        size = height or _height(page, width)
        scale = 2 if size * 2 <= HIGHEST else 1
        options = [f"--screenshot={made}", f"--window-size={width},{size}", f"--force-device-scale-factor={scale}"]
        _run(page, made, *options, *(["--blink-settings=preferredColorScheme=0"] if is_dark else []))


def write_pdf(html: str, path: Path) -> None:
    """Write a PDF with all pages."""
    with _work(html, path) as (page, made):
        _run(page, made, f"--print-to-pdf={made}", "--no-pdf-header-footer")


@contextmanager
def _work(html: str, path: Path) -> Iterator[tuple[Path, Path]]:
    """Give a file with the page, and a path to write to that replaces the target at the end.

    Both are beside the target: some browsers can read neither hidden folders nor the system's folder for such files.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="report-", ignore_cleanup_errors=True) as folder:
            page, made = Path(folder) / "report.html", Path(folder) / f"made{path.suffix}"
            page.write_text(html, encoding="utf-8")
            yield page, made
            os.replace(made, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"Cannot write the report to {path}: {reason}. Nothing was written.") from None


def _height(page: Path, width: int) -> int:
    """Return the height of a page, which its script states in the document."""
    text = _run(page, None, "--dump-dom", f"--window-size={width},900")
    stated = re.search(r'<html[^>]* data-height="(\d+)"', text)
    return min(int(stated[1]), HIGHEST) if stated else HIGHEST // 4


def _run(page: Path, made: Path | None, *options: str) -> str:
    """Run the browser on a page, and return what it printed.

    Raises:
        RunFailed: It did not end, or did not make the file.
    """
    browser = find()
    name = Path(browser).name
    profile = f"--user-data-dir={page.parent / 'profile'}"
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium refuses otherwise
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the page is this package's own
            [browser, *OPTIONS, *as_root, profile, *options, page.resolve().as_uri()],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunFailed(f"{name} did not draw the report within {SECONDS} seconds. Nothing was written.") from None
    if done.returncode or (made and not made.exists()):
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunFailed(f"{name} could not draw the report (exit code {done.returncode}): {last}. Nothing was written.")
    return done.stdout
