"""Python's garbage collector is as it was, however a sync ends, and so are the turns of threads after a receiver."""

import gc
import sys

import pytest

from dlt_authsignal.destination.dlt_patches import rare_garbage_collection, short_turns
from dlt_authsignal.project.garbage import SELDOM


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


def test_threads_have_shorter_turns_only_until_the_block_ends() -> None:
    before = sys.getswitchinterval()

    def fail() -> None:
        with short_turns():
            assert sys.getswitchinterval() < before
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert sys.getswitchinterval() == before
