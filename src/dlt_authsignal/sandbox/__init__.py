"""A local Authsignal: stateful, seeded, with a clock of its own. Needs the `sandbox` extra."""

from dlt_authsignal.sandbox.config import SandboxConfig
from dlt_authsignal.sandbox.faults import Fault
from dlt_authsignal.sandbox.serve import RunningSandbox, run_in_thread
from dlt_authsignal.sandbox.state import Sandbox

__all__ = ["Fault", "RunningSandbox", "Sandbox", "SandboxConfig", "run_in_thread"]
