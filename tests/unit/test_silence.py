"""Which times without deliveries are unusual for their hour of the week."""

from datetime import UTC, datetime, timedelta

from dlt_authsignal.models.events.silence import Rhythm, most_unusual

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
OFFICE_HOURS = {
    MONDAY + timedelta(weeks=week, days=day, hours=hour): 20
    for week in range(3)
    for day in range(5)
    for hour in range(8, 18)
}
"""Three weeks with 20 deliveries in each working hour, and none at other times."""

NOON = MONDAY + timedelta(weeks=3, hours=12)


def test_a_silence_at_night_is_usual_and_the_same_silence_at_noon_is_not() -> None:
    rhythm = Rhythm(OFFICE_HOURS, NOON)
    assert rhythm.expected(NOON - timedelta(hours=11), NOON - timedelta(hours=4)) == 0
    assert rhythm.expected(NOON - 2 * HOUR, NOON) == 40
    assert rhythm.expected(NOON - HOUR / 4, NOON) == 5


def test_a_silence_that_goes_on_in_working_hours_means_that_the_webhook_may_be_off() -> None:
    last = NOON - 2 * HOUR
    _, present = most_unusual([(last - HOUR, last)], OFFICE_HOURS, NOON)
    assert present is not None
    assert (present.since, present.usual_deliveries, present.is_alarming) == (last, 40, True)
    _, soon = most_unusual([(last - HOUR, last)], OFFICE_HOURS, last + HOUR / 4)
    assert soon is not None
    assert not soon.is_alarming


def test_of_past_silences_the_most_unusual_one_is_reported_not_the_longest() -> None:
    weekend = (MONDAY + timedelta(days=4, hours=18), MONDAY + timedelta(days=7, hours=8))
    morning = (MONDAY + timedelta(days=8, hours=9), MONDAY + timedelta(days=8, hours=12))
    past, _ = most_unusual([weekend, morning], OFFICE_HOURS, NOON)
    assert past is not None
    assert (past.since, past.is_alarming) == (morning[0], True)


def test_an_import_does_not_raise_the_norm_and_a_new_receiver_raises_no_alarm() -> None:
    burst = {MONDAY: 10_000}
    _, present = most_unusual([(MONDAY, MONDAY + timedelta(seconds=9))], burst, MONDAY + timedelta(hours=20))
    assert present is not None
    assert (present.usual_deliveries, present.is_alarming) == (None, False)
    _, later = most_unusual([(MONDAY, MONDAY + timedelta(seconds=9))], burst, MONDAY + timedelta(days=5))
    assert later is not None
    assert later.usual_deliveries == 0


def test_without_deliveries_there_is_no_silence() -> None:
    assert most_unusual([], {}, NOON) == (None, None)
