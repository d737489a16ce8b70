"""Authsignal to dlt."""

from dlt_authsignal.source.lanes import authsignal_source
from dlt_authsignal.source.meter import Meter

__all__ = ["Meter", "authsignal_source"]
