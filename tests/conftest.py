"""How tests run: without usage reports, with few examples. The fixtures are in tests/shared_fixtures.py."""

import gc
import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.tiers import FEW_EXAMPLES

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

# a shell's background jobs ignore Ctrl-C, and so would the commands that tests stop by it
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "deep",  # of make test-deep
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,  # where nobody asked for news of old code
)
settings.register_profile(FEW_EXAMPLES, settings.get_profile("deep"), max_examples=20)
settings.load_profile(FEW_EXAMPLES)

gc.disable()  # what is imported and collected stays: looking through it again and again is a tenth of the start


def pytest_collection_finish() -> None:
    """Collect garbage again."""
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """Import the fixtures, and with them dlt: not in the process that only hands tests to its workers."""
    if "PYTEST_XDIST_WORKER" in os.environ or config.getoption("dist", "no") == "no":
        config.pluginmanager.import_plugin("tests.shared_fixtures")
    else:
        gc.enable()
