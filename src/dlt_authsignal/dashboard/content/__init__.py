"""From a dataset to the values of the pages."""

from dlt_authsignal.dashboard.content.figures import Figures, open_figures

__all__ = ["Figures", "open_figures"]
