"""Everything Authsignal knows, in your own database. Names load on first use: dlt alone takes about a second."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.history.update import update_history
    from dlt_authsignal.pipeline.sync.report import SyncReport
    from dlt_authsignal.pipeline.sync.run import sync
    from dlt_authsignal.source.incremental.state_table import known_reads
    from dlt_authsignal.source.source import authsignal_source

_WHERE = {
    "authsignal_source": "dlt_authsignal.source.source",
    "known_reads": "dlt_authsignal.source.incremental.state_table",
    "update_history": "dlt_authsignal.pipeline.history.update",
    "sync": "dlt_authsignal.pipeline.sync.run",
    "SyncReport": "dlt_authsignal.pipeline.sync.run",
}

__all__ = ["SyncReport", "authsignal_source", "known_reads", "update_history", "sync"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("dlt-authsignal")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
