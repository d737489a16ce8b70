"""What dlt repeats is done once, with the same results, and everything is as before afterwards."""

from contextlib import suppress
from typing import Any, Optional, Union

import dlt

from dlt_authsignal.destination.dlt_patches import already_synced, before_loading, resolved_once
from dlt_authsignal.destination.dlt_patches.fixed_cost import _by_class, _remembered


def test_equal_types_with_another_order_are_remembered_apart() -> None:
    asked: list[Any] = []

    def first(hint: Any) -> Any:
        asked.append(hint)
        return hint.__args__[0]

    remembered = _remembered(first)
    one, other = Optional[int], Union[None, int]  # noqa: UP007, UP045 - equal, and dlt reads their first argument
    for _ in range(2):
        assert (remembered(one), remembered(other)) == (int, type(None))
    assert len(asked) == 2


def test_a_caller_may_change_the_fields_of_a_class_that_it_gets() -> None:
    fields = _by_class(lambda cls: {"name": cls.__name__})
    fields(int)["other"] = True
    assert fields(int) == {"name": "int"}


def test_settings_of_a_destination_are_resolved_again_after_a_failed_sync() -> None:
    destination = dlt.destinations.duckdb("one.duckdb")
    before = dict(vars(destination))
    with suppress(RuntimeError), resolved_once(destination):
        assert "configuration" in vars(destination)
        raise RuntimeError
    assert vars(destination) == before


def test_a_pipeline_loads_and_restores_as_before_after_a_failed_sync() -> None:
    pipeline: Any = dlt.pipeline("mine", destination=dlt.destinations.duckdb("one.duckdb"))
    before = vars(pipeline).get("load"), pipeline._state_restored
    with suppress(RuntimeError), already_synced(pipeline), before_loading(pipeline, list):
        assert pipeline._state_restored
        raise RuntimeError
    assert (vars(pipeline).get("load"), pipeline._state_restored) == before
