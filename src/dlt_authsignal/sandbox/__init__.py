"""The sandbox: a local Authsignal with state, invented users and its own clock. Needs the `sandbox` extra.

Names load on first use, because the pytest plugin is in this package: a test run without a sandbox must stay fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.app.serving.running import RunningSandbox
    from dlt_authsignal.sandbox.app.serving.serve import run_in_thread
    from dlt_authsignal.sandbox.core.config import SandboxConfig
    from dlt_authsignal.sandbox.core.faults import Fault
    from dlt_authsignal.sandbox.core.rate_limits import Limit
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture
    from dlt_authsignal.sandbox.sandbox import Sandbox

_WHERE = {
    "Fault": "core.faults",
    "Fixture": "fixtures.fixture",
    "Limit": "core.rate_limits",
    "RunningSandbox": "app.serving.running",
    "Sandbox": "sandbox",
    "SandboxConfig": "core.config",
    "run_in_thread": "app.serving.serve",
}

__all__ = ["Fault", "Fixture", "Limit", "RunningSandbox", "Sandbox", "SandboxConfig", "run_in_thread"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
