"""Rarer garbage collection, for processes that make many small objects without cycles."""

import gc
from typing import Final

SELDOM: Final = (100_000, 50, 100)


def collect_seldom() -> None:
    """Run garbage collection less often in this process, which has to be this package's own.

    Python's setting is made for small programs: while modules are imported, it looks through all objects hundreds of
    times, which takes an eighth of the time of the imports.
    """
    gc.set_threshold(*SELDOM)
