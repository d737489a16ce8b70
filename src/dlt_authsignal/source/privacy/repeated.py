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
    listed = list(values)
    same: dict[int, Any] = {}  # by identity: an earlier call may have returned one object for all equal ones
    known: dict[bytes, Any] = {}
    found = []
    for value in listed:
        if not isinstance(value, list | dict):
            found.append(function(value))
            continue
        place = id(value)
        if place not in same:
            before = drift.withheld
            result = _of_equal(function, value, known, drift)
            if drift.withheld != before:
                found.append(result)
                continue
            same[place] = result
        found.append(same[place])
    return found


def _of_equal(function: Callable[[Any], Any], value: Any, known: dict[bytes, Any], drift: TableDrift) -> Any:
    try:
        said = _encode(value)
    except (UnicodeEncodeError, RecursionError):  # an unpaired surrogate
        return function(value)
    if said in known:
        return known[said]
    before = drift.withheld
    result = function(value)
    if drift.withheld == before and len(known) < MOST_KNOWN:
        known[said] = result
    return result
