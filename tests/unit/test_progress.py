"""The line that says what a run is doing."""

import pytest

from dlt_authsignal.cli.output.sync.progress import SPEED_OVER_SECONDS, Speed, describe
from dlt_authsignal.source.metrics.run_metrics import RunMetrics


@pytest.mark.parametrize(
    ("meter", "per_second", "line"),
    [
        (RunMetrics(), 0.0, "Starting  12 s"),
        (RunMetrics(stage="reading", requests=2, users_found=200, users_due=70), 1.5)
        + ("Reading from Authsignal  users 0 of 70+ due  requests 2  1.5/s  12 s",),
        (
            RunMetrics(
                stage="reading", requests=310, users_found=900, users_due=400, users_read=100, user_ids_complete=True
            ),
            20.0,
        )
        + ("Reading from Authsignal  users 100 of 400 due  requests 310  20/s  47 seconds left  12 s",),
        (RunMetrics(stage="reading", requests=9, throttled=3, retries=4, waiting=1), 0.0)
        + ("Waiting, as requested by Authsignal (429)  requests 9  429s 3  retries 4  12 s",),
        (
            RunMetrics(stage="loading", requests=310, users_found=9, users_due=4, users_read=4, user_ids_complete=True),
            5.0,
        )
        + ("Loading  users 4 of 4 due  requests 310  12 s",),
    ],
    ids=["begun", "listing", "half-way", "paused", "loading"],
)
def test_the_progress_line_shows_only_known_values(meter: RunMetrics, per_second: float, line: str) -> None:
    assert describe(meter, 12.0, per_second) == line


def test_the_speed_is_measured_over_the_last_seconds() -> None:
    speed = Speed()
    assert speed.of(0, 0.0) == 0.0
    told = [speed.of(100 * second, float(second)) for second in range(1, 20)]
    assert told[-1] == pytest.approx(100.0)
    slower = [speed.of(1900 + 10 * second, 19.0 + second) for second in range(1, 2 + int(SPEED_OVER_SECONDS))]
    assert slower[-1] == pytest.approx(10.0)
