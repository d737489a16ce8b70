"""What workers decide together, and how they share a rate: without processes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_authsignal import errors
from dlt_authsignal.errors import AuthsignalError, RunFailed, ServerFault, Unauthorized, Unreachable
from dlt_authsignal.schema.tables.server import USER_DEVICES
from dlt_authsignal.source.config.request_limits import RequestLimits
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.privacy.recognition.harmless import MOST_WORDS
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.workers.agreement import Agreement, Decisions
from dlt_authsignal.source.workers.choice import chosen_workers, cores, parts
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.messages import Job, Pace, Progress, Question, Refused, drift_as_plain, drift_of
from dlt_authsignal.source.workers.supervised import error_of
from dlt_authsignal.source.workers.worker import described

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
READ_AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Line:
    """A worker's pipes, without a process at the other end."""

    def __init__(self, decisions: Decisions) -> None:
        self._decisions = decisions
        self.asked: list[str] = []

    def ask(self, about: str, *arguments: Any) -> Any:
        self.asked.append(about)
        return getattr(self._decisions, about)(*arguments)


class Team:
    """The shaper of a sync, and those of its workers."""

    def __init__(self, workers: int = 2, naming: Any = str) -> None:
        arguments: dict[str, Any] = {"api": "server", "tenant_id": None, "privacy": Privacy(key=KEY)}
        self.drift = TableDrift()
        own = Shaper(USER_DEVICES, **arguments, drift=self.drift, naming=naming)
        self.lines = [Line(Decisions({USER_DEVICES.name: own})) for _ in range(workers)]
        self.agreements = [Agreement(USER_DEVICES.name, [], line) for line in self.lines]  # type: ignore[arg-type]
        self.shapers = [Shaper(USER_DEVICES, **arguments, agreed=each) for each in self.agreements]

    def shape(self, worker: int, *values: Any, field: str = "fresh") -> dict[str, list[Any]]:
        items: list[Mapping[str, Any]] = [{"deviceId": f"d{place}", field: value} for place, value in enumerate(values)]
        answers = Answers(items=items, requests=[0] * len(items), read_at=[READ_AT], keys={"user_id": [f"u{worker}"]})
        found: dict[str, list[Any]] = self.shapers[worker](answers).to_pydict()
        return found

    def news(self, worker: int) -> None:
        places = self.agreements[worker].places
        for paths in self.lines[worker].ask("news", {USER_DEVICES.name: places.known}).values():
            places.learn(paths)


def test_the_first_type_of_a_new_column_holds_for_all_workers() -> None:
    team = Team()
    assert team.shape(0, 5)["fresh"] == [5]
    other = team.shape(1, "high")
    assert "fresh" not in other
    assert other["fresh__v_text"] == ["high"]
    assert team.drift.new_columns == ["fresh"]


def test_a_worker_asks_about_a_new_column_once() -> None:
    team = Team()
    for _ in range(3):
        team.shape(0, 5)
    assert sorted(team.lines[0].asked) == ["column", "kind"]


def test_two_new_names_get_one_column_in_no_worker() -> None:
    team = Team(naming=lambda _name: "same")
    assert team.shape(0, 5, field="fresh")["same"] == [5]
    assert team.shape(1, 6, field="crisp")["_more"] == ['{"crisp":6}']


def test_a_text_that_one_worker_hashes_is_hashed_by_the_others_from_their_next_slice_on() -> None:
    team = Team()
    assert team.shape(1, "high")["fresh"] == ["high"]
    (hashed,) = team.shape(0, "Ann Miller")["fresh"]
    assert hashed not in (None, "Ann Miller")
    team.news(1)
    assert team.shape(1, "high")["fresh"][0] not in (None, "high")
    assert drift_of(drift_as_plain(team.shapers[1]._drift)).was_plain == {"fresh"}


def test_workers_count_the_words_of_a_column_together() -> None:
    team = Team()
    half = MOST_WORDS // 2 + 1
    words = ["".join(chr(ord("a") + int(digit)) for digit in f"{number:03}") for number in range(2 * half)]
    assert team.shape(0, *words[:half])["fresh"] == words[:half]
    assert not set(team.shape(1, *words[half:])["fresh"]) & set(words)


def common(rate: float | None, *, is_listing: bool = False) -> Common:
    throttle = RateLimiter(pace=RequestLimits(rate=rate))
    meter = RunMetrics(user_ids_complete=not is_listing)
    return Common(throttle=throttle, meter=meter, decisions=Decisions({}))


def test_the_rate_is_shared_by_the_workers_that_have_something_to_read() -> None:
    told: dict[str, Pace] = {}
    shared = common(310, is_listing=True)
    assert shared.throttle.rate == 310
    for name in ("one", "two", "three"):
        shared.join(name, lambda pace, name=name: told.update({name: pace}))  # type: ignore[misc]
    assert {pace.rate for pace in told.values()} == {100}
    assert shared.throttle.rate == pytest.approx(10)
    shared.meter.user_ids_complete = True
    shared.leave("three")
    assert (told["one"].rate, told["two"].rate) == (155, 155)
    shared.leave("two")
    shared.leave("one")
    assert shared.throttle.rate == 310


def test_a_429_of_one_worker_lowers_the_rate_of_all_and_lets_all_wait() -> None:
    told: dict[str, Pace] = {}
    shared = common(400)
    shared.join("one", lambda pace: told.update(one=pace))
    shared.join("two", lambda pace: told.update(two=pace))
    began = shared.throttle._governor.began  # type: ignore[attr-defined]
    served = [(began + place / 200, 0.01) for place in range(400)]
    shared.progress("one", Progress(served=served, counters={"requests": 400}, errors={}, waiting=0))
    for place in range(6):
        shared.refused(Refused(now=began + 2 + place / 1000, sent_at=began + 1.9, pause=1.0))
    assert told["one"] == told["two"]
    assert told["two"].rate is not None
    assert told["two"].rate < 150
    assert told["two"].held_until > began + 2.9
    assert shared.meter.requests == 400


def test_requests_that_wait_are_those_of_all_workers() -> None:
    shared = common(None)
    for name, waiting in (("one", 2), ("two", 3), ("one", 1)):
        shared.progress(name, Progress(served=[], counters={}, errors={"429": 1}, waiting=waiting))
    assert shared.meter.waiting == 4
    shared.leave("two")
    assert shared.meter.waiting == 1
    assert shared.meter.errors == {"429": 3}


def test_only_questions_are_answered() -> None:
    with pytest.raises(ValueError, match="_tables"):
        common(None).answer(Question("_tables", []))


@pytest.mark.parametrize(
    ("wanted", "rate", "concurrency", "expected"),
    [(None, 20, 8, 1), (None, 199, 8, 1), (None, None, 1, 1), (1, None, 8, 1), (4, 20, 8, 4), (16, None, 8, 7)],
)
def test_workers_are_chosen_by_rate_and_cores(
    wanted: int | None, rate: float | None, concurrency: int, expected: int
) -> None:
    assert chosen_workers(wanted, rate, concurrency) == expected


def test_chosen_workers_are_no_more_than_cores() -> None:
    assert chosen_workers(None, None, 1000) == min(8, cores())
    assert chosen_workers(None, 200, 1000) == min(2, cores())


@pytest.mark.parametrize(("concurrency", "workers", "expected"), [(8, 3, [3, 3, 2]), (7, 8, [1] * 8), (2, 2, [1, 1])])
def test_requests_in_flight_are_divided(concurrency: int, workers: int, expected: list[int]) -> None:
    assert parts(concurrency, workers) == expected


def test_a_job_shows_none_of_its_keys() -> None:
    job = Job(
        base="",
        api_secret_key="secret",
        tenant_id=None,
        limits=RequestLimits(),
        privacy=Privacy(key=KEY),
        tables=frozenset(),
        stored={},
        hashed={},
        details=b"",
    )
    assert "secret" not in repr(job)
    assert KEY not in repr(job)


RAISED: list[AuthsignalError] = [
    ServerFault("It failed.", request="GET /users", status=500, retry_after=2.0),
    Unauthorized("Wrong key.", request="GET /users", status=401, error_code="unauthorized"),
    Unreachable("No connection.", request="GET /users"),
    errors.ConfigurationError("A user id is an e-mail address."),
]


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_an_error_of_a_worker_arrives_as_it_was(error: AuthsignalError) -> None:
    found = error_of(described(error))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)


def test_a_fault_of_a_worker_is_reported_without_its_message() -> None:
    found = error_of(described(ValueError("ann@example.com")))
    assert type(found) is RunFailed
    assert "ValueError" in str(found)
    assert "ann@example.com" not in str(found)
