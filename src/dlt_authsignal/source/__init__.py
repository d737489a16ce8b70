"""The dlt source for Authsignal. Importing it changes nothing in dlt or in the process."""

from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.source import authsignal_source

__all__ = ["RunMetrics", "authsignal_source"]
