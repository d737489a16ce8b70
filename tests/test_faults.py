"""Faults on request, as a client meets them."""

import json
import random
import time
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, IncompleteRead
from statistics import median
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.core.faults import KINDS, Faults, fault_from_json
from tests.helpers import SECRET, ask


def fault(running: RunningSandbox, kind: str, route: str = "GET /users", **about: Any) -> None:
    """Adds a fault the way a test in another language does."""
    status, answer, _ = ask(running, "POST", "/_sandbox/faults", {"route": route, "kind": kind, **about})
    assert status == 200, answer


def users(running: RunningSandbox, query: str = "?limit=10") -> Any:
    status, answer, _ = ask(running, "GET", f"/users{query}")
    assert status == 200
    return answer


def ids(page: Any) -> list[str]:
    return [user["userId"] for user in page["users"]]


def calls_with_fault(running: RunningSandbox, calls: int, path: str = "/authenticators") -> list[int]:
    """The numbers of the calls to which a status fault was applied."""
    return [number for number in range(calls) if ask(running, "GET", path)[0] != 200]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_reset_breaks_the_connection_and_prints_nothing(
    seeded: RunningSandbox, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    fault(seeded, "reset", "*")
    with pytest.raises((ConnectionError, HTTPException)):
        ask(seeded, method, "/users/u", {"email": "new@example.com"} if method == "PATCH" else None)
    assert seeded.requests()["byStatus"] == {"0": 1}
    assert seeded.sandbox.store.get_user("u") is None
    assert ask(seeded, "GET", "/users/u")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_reset_breaks_a_reused_connection(seeded: RunningSandbox) -> None:
    url = urlsplit(seeded.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    headers = {"Authorization": basic_auth(SECRET)}
    connection.request("GET", "/v1/users", headers=headers)
    connection.getresponse().read()
    fault(seeded, "reset")
    connection.request("GET", "/v1/users", headers=headers)
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()


def test_a_truncated_body_ends_early(seeded: RunningSandbox) -> None:
    fault(seeded, "cut")
    with pytest.raises(IncompleteRead):
        users(seeded)


def test_a_wrong_content_type_has_the_right_body(seeded: RunningSandbox) -> None:
    whole = users(seeded)
    fault(seeded, "content_type")
    status, answer, headers = ask(seeded, "GET", "/users?limit=10")
    assert (status, answer, headers["content-type"]) == (200, whole, "text/html")


def test_a_slow_body_arrives_slowly_and_completely(seeded: RunningSandbox) -> None:
    whole = users(seeded)
    fault(seeded, "slow", seconds=0.3)
    begun = time.monotonic()
    assert users(seeded) == whole
    assert time.monotonic() - begun >= 0.3


def test_a_slow_body_starts_immediately(seeded: RunningSandbox) -> None:
    url = urlsplit(seeded.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    fault(seeded, "slow", seconds=40)
    begun = time.monotonic()
    connection.request("GET", "/v1/users", headers={"Authorization": basic_auth(SECRET)})
    assert connection.getresponse().status == 200
    assert time.monotonic() - begun < 20
    connection.close()


@pytest.mark.parametrize(
    "about", [{"seconds": 0.1}, {"low": 0.1, "high": 0.12}, {"median": 0.1, "sigma": 0}], ids=["fixed", "even", "log"]
)
def test_latency_delays_the_response(seeded: RunningSandbox, about: dict[str, Any]) -> None:
    fault(seeded, "latency", **about)
    begun = time.monotonic()
    users(seeded)
    assert 0.1 <= time.monotonic() - begun < 20


def test_latencies_follow_their_distribution() -> None:
    rng = random.Random(7)
    even = Fault(route="*", kind="latency", low=1, high=2)
    waits = [even.wait(rng) for _ in range(500)]
    assert 1 <= min(waits) < 1.1
    assert 1.9 < max(waits) <= 2
    skewed = Fault(route="*", kind="latency", median=0.2, sigma=1)
    waits = [skewed.wait(rng) for _ in range(2000)]
    assert 0.18 < median(waits) < 0.22
    assert max(waits) > 2


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "3"}])
def test_429_comes_with_and_without_retry_after(seeded: RunningSandbox, headers: dict[str, str]) -> None:
    fault(seeded, "status", status=429, headers=headers)
    status, answer, found = ask(seeded, "GET", "/users")
    assert (status, answer["errorCode"], found.get("retry-after")) == (
        429,
        "too_many_requests",
        headers.get("Retry-After"),
    )


def test_a_repeated_cursor_is_the_requested_one(seeded: RunningSandbox) -> None:
    fault(seeded, "repeat_cursor")
    first = users(seeded)
    after = f"?limit=10&lastEvaluatedUserId={quote(first['lastEvaluatedUserId'], safe='')}"
    second = users(seeded, after)
    assert ids(second) != ids(first)
    assert second["lastEvaluatedUserId"] == first["lastEvaluatedUserId"]
    assert users(seeded, after)["lastEvaluatedUserId"] != first["lastEvaluatedUserId"]


def test_a_skipping_cursor_omits_a_page(seeded: RunningSandbox) -> None:
    everybody = ids(users(seeded, "?limit=200"))
    fault(seeded, "skip_cursor")
    first = users(seeded)
    second = users(seeded, f"?limit=10&lastEvaluatedUserId={quote(first['lastEvaluatedUserId'], safe='')}")
    assert (ids(first), ids(second)) == (everybody[:10], everybody[20:30])


def test_a_cursor_that_skips_the_last_page_ends_the_user_list(seeded: RunningSandbox) -> None:
    fault(seeded, "skip_cursor")
    assert "lastEvaluatedUserId" not in users(seeded, "?limit=30")


def test_a_user_is_dropped_while_being_read(seeded: RunningSandbox) -> None:
    first, second = ids(users(seeded))[:2]
    fault(seeded, "drop_user", "GET /users/{userId}/authenticators", after=1)
    for user_id in (first, second):
        ask(seeded, "GET", f"/users/{quote(user_id, safe='')}/authenticators")
    assert ids(users(seeded, "?limit=2"))[:1] == [first]
    assert ask(seeded, "GET", f"/users/{quote(second, safe='')}")[1] == {"isEnrolled": False}


def test_a_skewed_clock_shows_in_the_one_date_header(seeded: RunningSandbox) -> None:
    fault(seeded, "clock_skew", seconds=-86_400)
    url = urlsplit(seeded.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    dates = []
    for _ in range(2):
        connection.request("GET", "/v1/users", headers={"Authorization": basic_auth(SECRET)})
        answer = connection.getresponse()
        answer.read()
        dates.append(answer.headers.get_all("date", []))
    connection.close()
    (skewed,), (right,) = dates
    assert 86_390 < (parsedate_to_datetime(right) - parsedate_to_datetime(skewed)).total_seconds() < 86_410


def test_unknown_fields_are_added_to_the_known_ones(seeded: RunningSandbox) -> None:
    right = users(seeded)
    fault(seeded, "unknown_fields")
    page = users(seeded)
    for known, bent in [(right, page), *zip(right["users"], page["users"], strict=True)]:
        assert set(bent) - set(known) == {"sandboxNewText", "sandboxNewObject"}


def test_changed_types_return_the_same_values_in_another_type(seeded: RunningSandbox) -> None:
    right = users(seeded)["users"]
    fault(seeded, "changed_types", fields=["isEnrolled", "createdAt"])
    for known, bent in zip(right, users(seeded)["users"], strict=True):
        assert bent["isEnrolled"] == str(known["isEnrolled"]).lower()
        assert isinstance(bent["createdAt"], int)
        assert {**bent, "isEnrolled": 0, "createdAt": 0} == {**known, "isEnrolled": 0, "createdAt": 0}


def test_the_seed_selects_changed_types_consistently_in_every_row(seeded: RunningSandbox) -> None:
    right, changed = users(seeded)["users"], []
    for seed in (1, 1, 2, 3, 4):
        fault(seeded, "changed_types", seed=seed)
        bent = users(seeded)["users"]
        by_row = [{name for name in row if row[name] != known[name]} for row, known in zip(bent, right, strict=True)]
        changed.append(frozenset.union(*map(frozenset, by_row)))
        flags = {"isEnrolled", "emailVerified", "phoneNumberVerified", "createdAt"}
        assert len({frozenset(row & flags) for row in by_row}) == 1
    assert changed[0] == changed[1]
    assert len(set(changed)) > 1


def test_a_fault_applies_the_configured_number_of_times_after_the_first_calls(seeded: RunningSandbox) -> None:
    fault(seeded, "status", "GET /authenticators", after=2, times=3)
    assert calls_with_fault(seeded, 8) == [2, 3, 4]


def test_the_same_seed_applies_a_fault_to_the_same_calls(seeded: RunningSandbox) -> None:
    seen = []
    for seed in (1, 1, 2):
        seeded.faults.clear()
        fault(seeded, "status", "GET /authenticators", times=None, probability=0.4, seed=seed)
        seen.append(calls_with_fault(seeded, 40))
    assert seen[0] == seen[1] != seen[2]
    assert 6 < len(seen[0]) < 26


def test_a_fault_without_a_seed_uses_the_seed_of_the_sandbox() -> None:
    def applied(seed: int | None) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault(route="*", kind="status", times=None, probability=0.5))
        return [faults.apply("GET /users") is not None for _ in range(60)]

    assert applied(7) == applied(7) != applied(8)
    assert applied(None) != applied(None)


def test_of_several_faults_the_first_that_applies_is_used(seeded: RunningSandbox) -> None:
    fault(seeded, "status", "GET /authenticators", status=500, after=1)
    fault(seeded, "status", "*", status=502, times=2)
    assert [ask(seeded, "GET", "/authenticators")[0] for _ in range(4)] == [502, 500, 502, 200]


def test_the_list_of_faults_shows_how_often_each_was_applied(seeded: RunningSandbox) -> None:
    fault(seeded, "status", "GET /authenticators", status=500)
    fault(seeded, "latency", "*", times=None, low=0, high=0.001)
    calls_with_fault(seeded, 3)
    listed = ask(seeded, "GET", "/_sandbox/faults")[1]["faults"]
    assert [(one["kind"], one["calls"], one["applied"], one["waits"]) for one in listed] == [
        ("status", 1, 1, False),
        ("latency", 2, 2, True),
    ]
    assert (listed[0]["status"], listed[1]["high"], "body" in listed[0]) == (500, 0.001, False)
    assert ask(seeded, "DELETE", "/_sandbox/faults")[1] == {"faults": []}


@pytest.mark.parametrize(
    "about",
    [
        {"kind": "status", "status": 199},
        {"kind": "status", "status": 204},
        {"kind": "status", "status": "500"},
        {"kind": "status", "times": 0},
        {"kind": "status", "after": -1},
        {"kind": "status", "probability": 0},
        {"kind": "status", "probability": 1.1},
        {"kind": "status", "headers": {"X": "a\r\nSet-Cookie: b"}},
        {"kind": "status", "headers": {"Content-Length": "7"}},
        {"kind": "status", "headers": {"X": 1}},
        {"kind": "body", "body": "\ud800"},
        {"kind": "delay", "seconds": -1},
        {"kind": "slow", "seconds": 10**9},
        {"kind": "clock_skew", "seconds": 10**12},
        {"kind": "latency", "low": 1},
        {"kind": "latency", "low": 2, "high": 1},
        {"kind": "latency", "median": 0, "sigma": 1},
        {"kind": "latency", "low": 0, "high": 1, "median": 1, "sigma": 1},
        {"kind": "repeat_cursor", "route": "*"},
        {"kind": "skip_cursor", "route": "GET /users/{userId}"},
        {"kind": "drop_user", "route": "GET /users"},
    ],
    ids=str,
)
def test_an_invalid_fault_is_refused(empty: RunningSandbox, about: dict[str, Any]) -> None:
    raw = json.dumps({"route": "GET /users", **about}).encode()
    status, answer, _ = ask(empty, "POST", "/_sandbox/faults", raw=raw)
    assert (status, bool(answer["error"])) == (400, True)
    assert empty.faults.waiting == []


def test_a_fault_is_the_same_in_python_and_json() -> None:
    fault = Fault(route="*", kind="changed_types", times=None, after=2, probability=0.5, seed=3, fields=("a",))
    said = {"route": "*", "kind": "changed_types", "times": None, "after": 2, "probability": 0.5, "seed": 3}
    assert fault_from_json({**said, "fields": ["a"]}) == fault


@pytest.mark.parametrize("kind", KINDS)
def test_the_sandbox_keeps_responding_after_every_kind_of_fault(seeded: RunningSandbox, kind: str) -> None:
    seeded.faults.add(Fault(route="GET /users/{userId}" if kind == "drop_user" else "GET /users", kind=kind))
    for path in ("/users", "/users/u"):
        try:
            assert ask(seeded, "GET", path)[0] in (200, 503)
        except (HTTPException, ConnectionError, ValueError):
            assert kind in ("reset", "cut", "html", "body")
    assert users(seeded)["users"]
