"""Any order of deliveries, copies, loads, replays and lost progress ends in the same tables."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_authsignal.pipeline.attach import make_pipeline
from dlt_authsignal.pipeline.events.replay import replay_events
from dlt_authsignal.schema.tables.events import ACTION_LOG
from dlt_authsignal.source.events import resources
from dlt_authsignal.source.events.latest import latest, without_older
from dlt_authsignal.source.events.placing import Placing
from dlt_authsignal.source.events.shaper import EventShaper
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import KEEP
from tests.event_spools import at, deliver, event, expected, load
from tests.helpers import rows
from tests.tiers import examples

STATES = ("ALLOW", "BLOCK", "CHALLENGE_REQUIRED")
DELIVERIES = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 7), st.sampled_from(STATES)), min_size=1, max_size=6),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda delivery: delivery[1],
)
"""Events by number and state, and the minute in which they were received."""


def envelopes(delivery: tuple[list[tuple[int, str]], int]) -> list[dict[str, Any]]:
    return [event(number * 5, state) for number, state in dict(delivery[0]).items()]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.crash) for part in range(1, 6))])
@settings(max_examples=examples(500, 20))
@given(deliveries=DELIVERIES, seed=st.integers(0, 2**32))
def test_any_interleaving_of_deliveries_and_loads_ends_in_the_last_copies(
    part: int, deliveries: Any, seed: int
) -> None:
    """A table in memory takes the place of the destination; loads repeat deliveries, as kills and replays do."""
    order = random.Random(f"{seed}:{part}")
    steps = [each for each in deliveries for _ in range(order.randint(1, 2))]
    order.shuffle(steps)
    table: pa.Table | None = None
    while steps:
        size = order.randint(1, 3)
        now, steps = steps[:size], steps[size:]
        table = _merged(table, [_shaped(*pair, each[1]) for each in now for pair in dict(each[0]).items()])
        if order.random() < 0.3:
            steps += order.sample(deliveries, 1) if len(steps) < 12 else []
    assert table is not None
    found = {row["event_id"]: (row["state"], row["_read_at"]) for row in table.to_pylist()}
    assert len(found) == table.num_rows
    assert found == expected([(envelopes(each), at(each[1])) for each in deliveries])


@cache
def _shaped(number: int, state: str, minute: int) -> pa.Table:
    return EventShaper(KEEP)([event(number * 5, state)], at(minute))["action_log"]


def _merged(table: pa.Table | None, parts: list[pa.Table]) -> pa.Table:
    """Do what a load does: place, keep the last copies, drop what is older than stored, delete and insert."""
    placing = Placing(ACTION_LOG, {}, str, TableDrift())
    batch = latest(pa.concat_tables([placing(part) for part in parts], promote_options="default"))
    if table is None:
        return batch
    kept = without_older(batch, table.to_batches())
    ids = set(kept["event_id"].to_pylist())
    others = table.filter(pa.array([event_id not in ids for event_id in table["event_id"].to_pylist()]))
    return pa.concat_tables([others, kept], promote_options="default")


FOLDERS = count()
STORED = "select event_id, state, _read_at from action_log"


@contextmanager
def fresh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = folder / f"project-{next(FOLDERS)}"
    place.mkdir()
    with monkeypatch.context() as patch:
        patch.chdir(place)
        yield place
    shutil.rmtree(place)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("rows_per_file", "part"),
    [
        (3, 0),
        *(
            pytest.param(rows, part, marks=pytest.mark.crash)
            for rows in (1, 3, 5000)
            for part in range(5)
            if (rows, part) != (3, 0)
        ),
    ],
)
@settings(max_examples=4)
@given(deliveries=DELIVERIES, seed=st.integers(0, 2**32))
def test_any_interleaving_ends_in_the_same_database(
    tmp_path_factory: pytest.TempPathFactory, rows_per_file: int, part: int, deliveries: Any, seed: int
) -> None:
    """A run has several batches and, with small files, its copies of an event are in different files."""
    monkeypatch, order = pytest.MonkeyPatch(), random.Random(f"{seed}:{part}")
    with fresh(tmp_path_factory.getbasetemp(), monkeypatch) as place, monkeypatch.context() as patch:
        patch.setattr(resources, "ROWS_PER_BATCH", order.randint(1, 4))
        patch.setenv("DATA_WRITER__FILE_MAX_ITEMS", str(rows_per_file))
        patch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", order.choice(("1", "3", "5000")))
        left = list(deliveries)
        order.shuffle(left)
        while left:
            delivery = left.pop()
            deliver(envelopes(delivery), at(delivery[1]))
            deed = order.choice(("load", "load", "replay", "nothing", "lose disk"))
            if deed == "replay":
                replay_events(make_pipeline(), at(order.randint(-1, 20)), spool="spool")
            elif deed != "nothing":
                load(rows_per_run=order.randint(1, 10))
            if deed == "lose disk":
                shutil.rmtree(place / ".dlt", ignore_errors=True)
        load()
        found = {event_id: (state, read_at) for event_id, state, read_at in rows(STORED)}
        assert found == expected([(envelopes(each), at(each[1])) for each in deliveries])
        assert rows("select count(*) from action_log") == [(len(found),)]
