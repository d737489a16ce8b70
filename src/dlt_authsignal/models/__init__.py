"""KPI views: one SQL file each, all with the same columns, installed in the dataset of the data.

Columns: `kpi`, `slice`, `numerator`, `denominator`, `value` (numerator / denominator, null if that is 0), `unit`.
"""

from dlt_authsignal.models.catalogue import Model, all_models, find_model
from dlt_authsignal.models.install import Installed, Kpi, install, read

__all__ = ["Installed", "Kpi", "Model", "all_models", "find_model", "install", "read"]
