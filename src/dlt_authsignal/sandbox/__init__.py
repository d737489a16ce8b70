"""A local Authsignal: stateful, seeded, with a clock of its own. Needs the `sandbox` extra.

Names load on first use: the pytest plugin lives in this package, and a test run that uses no sandbox must not pay.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.app.serve import RunningSandbox, run_in_thread
    from dlt_authsignal.sandbox.core.config import SandboxConfig
    from dlt_authsignal.sandbox.core.faults import Fault
    from dlt_authsignal.sandbox.core.rate_limits import Limit
    from dlt_authsignal.sandbox.sandbox import Sandbox

_WHERE = {
    "Fault": "core.faults",
    "Limit": "core.rate_limits",
    "RunningSandbox": "app.serve",
    "Sandbox": "sandbox",
    "SandboxConfig": "core.config",
    "run_in_thread": "app.serve",
}

__all__ = ["Fault", "Limit", "RunningSandbox", "Sandbox", "SandboxConfig", "run_in_thread"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
