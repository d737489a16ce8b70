"""Python's garbage collector, held back while rows stream by."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SELDOM: Final = (100_000, 50, 100)


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Looks for cycles less often: answers are many small objects without any, and each look walks all of dlt's."""
    before, is_ours = gc.get_threshold(), not gc.get_freeze_count()  # a host that froze its own keeps it frozen
    if is_ours:
        gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if is_ours:
            gc.unfreeze()
