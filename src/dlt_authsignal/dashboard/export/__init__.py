"""The pages as one file: HTML, a picture or a PDF."""

from dlt_authsignal.dashboard.export.report import FORMATS, Format, format_of, write_report

__all__ = ["FORMATS", "Format", "format_of", "write_report"]
