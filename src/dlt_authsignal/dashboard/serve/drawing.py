"""The HTML of a page, and the folder with the files that it loads."""

from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from dlt_authsignal.dashboard.page import Chart, Document, Number

_RENDER: Final = "dlt_authsignal.dashboard.render"


def drawn(document: Document, page: str) -> str:
    """Return a page as HTML."""
    if find_spec(_RENDER) is None:
        return _plain(document)
    text: str = import_module(f"{_RENDER}.html").html(document, page=page, self_contained=False)
    return text


def static_folder() -> Path | None:
    """Return the folder that is served as /static."""
    if find_spec(_RENDER) is None:
        return None
    folder: Path = import_module(f"{_RENDER}.assets").STATIC
    return folder


def _plain(document: Document) -> str:
    """Return the figures without a design."""
    parts = [f"<h1>{escape(document.dataset)}</h1><p>{escape(document.check)}</p><p>{escape(document.problem)}</p>"]
    for page in document.pages:
        for section in page.sections:
            parts.append(f"<h2>{escape(section.title)}</h2>")
            for card in section.cards:
                if isinstance(card, Number):
                    said = f"{card.point.value}" if card.point else card.needs or card.note
                else:
                    said = card.needs or card.caption
                kind = "chart" if isinstance(card, Chart) else "card"
                parts.append(f'<p class="{kind}">{escape(card.title)}: {escape(said)}</p>')
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Dashboard</title>{"".join(parts)}</html>'
