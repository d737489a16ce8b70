"""Which cases of a test `make test` runs; the others are marked for `make test-deep`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest
from hypothesis import settings

FEW_EXAMPLES = "few examples"


def deep_after(count: int, cases: Iterable[Any]) -> list[Any]:
    """Parameters of which the first ones are quick."""
    return [_case(case, is_quick=place < count) for place, case in enumerate(cases)]


def deep_except(quick: Collection[Any], cases: Iterable[Any]) -> list[Any]:
    """Parameters of which those are quick."""
    cases = list(cases)
    unknown = [case for case in quick if case not in cases]
    if unknown:
        raise ValueError(f"no such cases: {unknown}")
    return [_case(case, is_quick=case in quick) for case in cases]


def _case(case: Any, *, is_quick: bool) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=() if is_quick else pytest.mark.deep)


def examples(deep: int, quick: int) -> int:
    """How many examples hypothesis makes: so many in `make test-deep`, so many in `make test`."""
    return quick if settings.get_current_profile_name() == FEW_EXAMPLES else deep
