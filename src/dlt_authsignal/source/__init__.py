"""The dlt source for Authsignal. Importing it changes nothing in dlt or in the process.

Names load on first use: workers import parts of this package, and do without dlt.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dlt_authsignal.source.metrics.run_metrics import RunMetrics
    from dlt_authsignal.source.source import authsignal_source

__all__ = ["RunMetrics", "authsignal_source"]

_WHERE: Final = {"RunMetrics": "metrics.run_metrics", "authsignal_source": "source"}
"""Module of each public name."""


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"dlt_authsignal.source.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
