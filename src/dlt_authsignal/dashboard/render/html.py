"""From a document to HTML: a page for the server, or one file with all pages."""

from functools import cache
from typing import TYPE_CHECKING

from dlt_authsignal.dashboard import figure_text
from dlt_authsignal.dashboard.page import Document
from dlt_authsignal.dashboard.render import assets, numbers
from dlt_authsignal.dashboard.render.chart_data import chart_data
from dlt_authsignal.dashboard.render.drawing import bars_of, drawing_of, has_points, spark_of
from dlt_authsignal.dashboard.render.frame import Frame, groups_of, kind_of
from dlt_authsignal.dashboard.render.rows import grid_of

if TYPE_CHECKING:
    from jinja2 import Environment


def html(document: Document, *, page: str = "overview", self_contained: bool = False) -> str:
    """Return a document as HTML.

    Args:
        document: What to show.
        page: Key of the page to show. In a self-contained file, the page that is open at first.
        self_contained: Whether to make one file with all pages that loads nothing; otherwise a page that links to the
            server's pages and files.
    """
    frame = Frame(document, page, self_contained=self_contained)
    return _environment().get_template("document.html").render(frame=frame, document=document)


def reading_html(done: int, steps: int) -> str:
    """Return the page that is shown while the figures are being read. It loads itself again each second.

    Args:
        done: Steps that are done.
        steps: All steps; 0 if that is not known yet.
    """
    return _environment().get_template("reading.html").render(done=done, steps=steps)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("dlt_authsignal.dashboard.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        shown=figure_text.shown,
        shown_time=numbers.shown_time,
        shown_day=numbers.shown_day,
        day_of=numbers.day_of,
        difference=numbers.difference,
        kind_of=kind_of,
        grid_of=grid_of,
        drawing_of=drawing_of,
        spark_of=spark_of,
        bars_of=bars_of,
        has_points=has_points,
        chart_data=chart_data,
        groups_of=groups_of,
    )
    environment.globals.update(
        address=assets.address,
        asset=lambda name: Markup(assets.text_of(name)),  # noqa: S704 - a file of this package
        style=lambda: Markup(assets.style()),  # noqa: S704 - the same
        file_policy=lambda: Markup(assets.file_policy()),  # noqa: S704 - the same
        SCRIPTS=assets.SCRIPTS,
        PARTS=assets.PARTS,
        THEME=assets.THEME,
        UNKNOWN=figure_text.UNKNOWN,
    )
    return environment
