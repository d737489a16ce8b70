"""Everything Authsignal knows, in your own database. Names load on first use: dlt alone takes about a second."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_authsignal.source.lanes import authsignal_source
    from dlt_authsignal.source.reads import known_reads
    from dlt_authsignal.source.settling import settle
    from dlt_authsignal.source.sync import SyncReport, sync

_WHERE = {
    "authsignal_source": "dlt_authsignal.source.lanes",
    "known_reads": "dlt_authsignal.source.reads",
    "settle": "dlt_authsignal.source.settling",
    "sync": "dlt_authsignal.source.sync",
    "SyncReport": "dlt_authsignal.source.sync",
}

__all__ = ["SyncReport", "authsignal_source", "known_reads", "settle", "sync"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("dlt-authsignal")
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
