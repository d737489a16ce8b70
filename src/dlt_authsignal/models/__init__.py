"""KPIs: one SQL file and one entry of the dictionary each, installed as views with the same columns."""

from dlt_authsignal.models.install import Installed, install
from dlt_authsignal.models.kpis.availability import availability, needs_of
from dlt_authsignal.models.kpis.catalogue import Model, Reference, all_models, find_model
from dlt_authsignal.models.values import Kpi, read

__all__ = [
    "Installed",
    "Kpi",
    "Model",
    "Reference",
    "all_models",
    "availability",
    "find_model",
    "install",
    "needs_of",
    "read",
]
