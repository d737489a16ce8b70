"""The dlt source for Authsignal.

Importing this changes three of dlt's defaults for the process, unless the environment says otherwise: no telemetry, no
loaded rows left in dlt's working folder, and `_dlt_load_id` in tables that are loaded as Arrow, as in all others.
"""

import os

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")
os.environ.setdefault("NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID", "true")

from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.source import authsignal_source

__all__ = ["RunMetrics", "authsignal_source"]
