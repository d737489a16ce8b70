"""From a document to HTML, with Jinja2, and the files that the HTML loads."""

from dlt_authsignal.dashboard.render.assets import SERVED_POLICY, STATIC
from dlt_authsignal.dashboard.render.html import html
from dlt_authsignal.dashboard.render.rows import csv_of

__all__ = ["SERVED_POLICY", "STATIC", "csv_of", "html"]
