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
    different = {id(value): value for value in listed}  # an earlier call may have made all equal ones one object
    known: dict[bytes, Any] = {}
    found: dict[int, Any] = {}
    withheld: dict[int, int] = {}
    for place, value in different.items():
        before = drift.withheld
        is_plain = not isinstance(value, list | dict)
        found[place] = function(value) if is_plain else _of_equal(function, value, known, drift)
        if drift.withheld != before:
            withheld[place] = drift.withheld - before
    if withheld:
        drift.withhold(sum(withheld.get(id(value), 0) for value in listed) - sum(withheld.values()))
    return [found[id(value)] for value in listed]


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
