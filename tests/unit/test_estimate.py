"""The estimate of a sync."""

import pytest

from dlt_authsignal.cli.output.sync.estimate import estimate, span
from dlt_authsignal.source.metrics.run_metrics import RunMetrics


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.1, "1 second"),
        (45, "45 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (3601, "61 minutes"),
        (20_000, "6 hours"),
        (200_000, "3 days"),
    ],
)
def test_a_duration_is_shown_in_the_largest_unit_with_at_least_two(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_the_estimate_shows_due_users_requests_and_duration() -> None:
    meter = RunMetrics(users_found=5_000, users_due=1_200, requests_due=4_800, user_ids_complete=True)
    assert estimate(meter, 20.0) == "1,200 of 5,000 users are due: up to 4,800 requests, 4 minutes at 20 a second."
    meter.user_ids_complete = False
    assert estimate(meter, None).startswith("At least 1,200 of 5,000 users are due: up to 4,800 requests, as fast as")
    assert estimate(RunMetrics(users_found=3), 20.0) == "0 of 3 users are due."
