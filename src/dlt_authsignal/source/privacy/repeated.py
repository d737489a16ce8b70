"""Look at equal lists and objects once: most events repeat the same few."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from dlt_authsignal.source.metrics.schema_drift import TableDrift

MOST_KNOWN: Final = 10_000
"""Different lists and objects of one column and batch whose result is remembered."""

_encode = msgspec.json.Encoder().encode


def each_once(function: Callable[[Any], Any], values: Iterable[Any], drift: TableDrift) -> list[Any]:
    """Return the function of each value. For equal lists and objects it is called once, unless it withholds values:
    those are counted each time."""
    known: dict[bytes, Any] = {}
    found = []
    for value in values:
        if not isinstance(value, list | dict):
            found.append(function(value))
            continue
        try:
            said = _encode(value)
        except (UnicodeEncodeError, RecursionError):  # an unpaired surrogate
            found.append(function(value))
            continue
        if said not in known:
            before = drift.withheld
            result = function(value)
            if drift.withheld == before and len(known) < MOST_KNOWN:
                known[said] = result
            found.append(result)
        else:
            found.append(known[said])
    return found
