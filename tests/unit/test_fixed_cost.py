"""What dlt repeats is done once, with the same results, and everything is as before afterwards."""

import sys
from contextlib import suppress
from typing import Any, Optional, Union

import dlt
import pytest
import sqlalchemy  # noqa: F401 - dlt uses it because it is installed
import yaml
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.common.destination import utils
from dlt.common.destination.capabilities import DestinationCapabilitiesContext
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.destination.dlt_patches import already_synced, before_loading, check_signature, resolved_once
from dlt_authsignal.destination.dlt_patches.fixed_cost import (
    _by_class,
    _in_c,
    _remembered,
    _with_copied_class,
    _without_settings,
    copy_of_plain,
)


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


def test_the_copy_of_a_table_shares_nothing_with_it() -> None:
    hint = object()
    table = {
        "name": "users",
        "columns": {"id": {"nullable": False, "precision": 3}},
        "references": [{"x": [None, 1.5]}],
    }
    copied = copy_of_plain(table)
    assert copied == table
    copied["columns"]["id"].pop("precision")
    copied["references"][0]["x"].append(hint)
    assert table["columns"] == {"id": {"nullable": False, "precision": 3}}
    assert table["references"] == [{"x": [None, 1.5]}]


def test_columns_are_described_by_the_same_yaml() -> None:
    columns = {"id": {"name": "id", "data_type": "text", "description": f"Ünïque: {'it is a long text, ' * 20}'end'."}}
    how: dict[str, Any] = {"allow_unicode": True, "default_flow_style": False, "sort_keys": False}
    assert yaml.safe_load(_in_c(yaml.dump)(columns, **how)) == columns
    assert list(yaml.safe_load(_in_c(yaml.dump)(columns, **how))["id"]) == ["name", "data_type", "description"]


PARTS = st.none() | st.text("aZ09_./+ -@:%é\\", max_size=5)


@given(user=PARTS, password=PARTS, host=PARTS, port=st.none() | st.integers(1, 65535), database=PARTS)
def test_the_place_of_a_database_is_written_as_sqlalchemy_writes_it(**parts: Any) -> None:
    found = ConnectionStringCredentials()
    found.update({"drivername": "duckdb", "username": parts.pop("user"), **parts})
    original = check_signature(ConnectionStringCredentials, "__str__", "self")
    original = getattr(original, "__wrapped__", original)  # another test of this process has replaced it
    expected = original(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "sqlalchemy")
        assert _with_copied_class(original)(found) == expected


def test_capabilities_are_those_of_the_caller_then_of_the_context_then_none() -> None:
    mine, context = DestinationCapabilitiesContext(), DestinationCapabilitiesContext()
    mine.supported_merge_strategies, context.supported_merge_strategies = ["upsert"], ["scd2"]
    table: Any = {"name": "users", "write_disposition": "merge", "columns": {}}
    for resolve in (utils.resolve_merge_strategy, _without_settings(utils.resolve_merge_strategy)):
        with Container().injectable_context(context):
            assert resolve({"users": table}, table, mine) == "upsert"
            assert resolve({"users": table}, table) == "scd2"
        assert resolve({"users": table}, table) is None


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
