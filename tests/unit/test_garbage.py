"""Python's garbage collector is as it was, however a sync ends."""

import gc

import pytest

from dlt_authsignal.destination.dlt_patches import SELDOM, rare_garbage_collection


def test_the_collectors_settings_are_restored_after_a_failure_too() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()

    def fail() -> None:
        with rare_garbage_collection():
            assert gc.get_threshold() == SELDOM
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_objects_frozen_by_the_host_program_stay_frozen() -> None:
    gc.freeze()
    try:
        with rare_garbage_collection():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
