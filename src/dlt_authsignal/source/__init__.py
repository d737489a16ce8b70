"""Authsignal to dlt.

Importing this changes two of dlt's defaults for the process, unless the environment says otherwise: no telemetry, and
no loaded rows left in dlt's working folder.
"""

import os

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("LOAD__DELETE_COMPLETED_JOBS", "true")

from dlt_authsignal.source.lanes import authsignal_source
from dlt_authsignal.source.meter import Meter

__all__ = ["Meter", "authsignal_source"]
