"""The files that a page loads: styles, scripts and the chart library."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Final

STATIC: Final = Path(__file__).with_name("static")
"""Folder that the server shows as /static."""

THEME: Final = "theme.js"
SCRIPTS: Final = ("echarts.common.min.js", "words.js", "charts.js", "page.js")
"""Scripts in the order in which they have to run; `theme.js` runs before the page is drawn."""

PARTS: Final = ("tokens.css", "layout.css", "cards.css", "charts.css", "print.css")


@cache
def text_of(name: str) -> str:
    """Return the text of a file."""
    return (STATIC / name).read_text("utf-8").strip() + "\n"


@cache
def style() -> str:
    """Return all styles as one text."""
    return "".join(map(text_of, PARTS))


@cache
def address(name: str) -> str:
    """Return the address of a file at the server. It changes with the content, so that browsers may keep the file."""
    return f"/static/{name}?v={hashlib.sha256(text_of(name).encode()).hexdigest()[:12]}"


def source_hash(text: str) -> str:
    """Return how a content security policy names an inline script or style."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


@cache
def file_policy() -> str:
    """Return the content security policy of a self-contained file: its own scripts and styles, and no request."""
    scripts = " ".join(source_hash(text_of(name)) for name in (THEME, *SCRIPTS))
    return (
        f"default-src 'none'; script-src {scripts}; style-src {source_hash(style())}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


SERVED_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Content security policy of the served pages; the server sends it as a header."""
