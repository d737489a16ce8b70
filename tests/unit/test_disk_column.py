"""Columns in files: the values are those of an array, and no file is left."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.source.incremental.state.disk_column import ColumnFile, blocks, zeros

NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(added=st.lists(st.lists(NUMBERS, max_size=20), max_size=5), rank=st.randoms(use_true_random=False))
def test_a_column_returns_what_was_added_in_the_order_asked_for(added: list[list[int]], rank: object) -> None:
    values = [value for batch in added for value in batch]
    order = list(range(len(values)))
    rank.shuffle(order)  # type: ignore[attr-defined]
    with ColumnFile("q", None) as file:
        for batch in added:
            file.extend(np.array(batch, np.int64))
        column = file.sorted_by(np.array(order, np.int64))
    assert [column[index] for index in range(len(values))] == [values[index] for index in order]
    assert column.copied(slice(0, len(values))).tolist() == [values[index] for index in order]


def test_a_column_longer_than_a_block_is_complete() -> None:
    count = 250_001
    with ColumnFile("Q", None) as file:
        file.extend(np.arange(count, dtype=np.uint64))
        column = file.sorted_by(np.arange(count)[::-1])
    copied = np.concatenate([column.copied(block) for block in blocks(count)])
    assert copied.tolist() == list(range(count))[::-1]
    assert column[count - 1] == 0


def test_a_column_leaves_no_file_in_its_folder(tmp_path: Path) -> None:
    with ColumnFile("q", str(tmp_path)) as file:
        file.extend(np.array([3, 1, 2]))
        column = file.sorted_by(np.array([1, 2, 0]))
        assert list(tmp_path.iterdir()) == []
    assert [column[index] for index in range(3)] == [1, 2, 3]


def test_a_column_of_zeros_keeps_what_is_written_to_it_after_it_was_copied() -> None:
    column = zeros(1000)
    column[7] = 5
    assert column.copied(slice(0, 10)).tolist() == [0] * 7 + [5, 0, 0]
    assert (column[7], column[999]) == (5, 0)
    assert zeros(0).copied(slice(0, 5)).tolist() == []
