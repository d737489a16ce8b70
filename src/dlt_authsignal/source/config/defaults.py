"""Defaults of settings that workers use too: they do without dlt, which `source_settings.py` imports."""

from typing import Final

CONCURRENCY: Final = 8
RATE: Final = "20"
ATTEMPTS: Final = 6
BACKOFF: Final = 0.5
TIMEOUT: Final = 60.0
MAX_STALENESS: Final = "7d"
MAX_DELETES: Final = "5%"
