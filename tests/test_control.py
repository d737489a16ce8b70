"""Driving a sandbox: snapshots, the clock, the outbox, the truth; over its socket, and by the same names in Python."""

import json
import time
from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.app.not_emulated import NOT_EMULATED
from dlt_authsignal.sandbox.snapshots import MAX_SNAPSHOTS
from tests.helpers import ask


def control(running: RunningSandbox, method: str, path: str, body: Any = None) -> Any:
    """What a control route answers."""
    status, answer, _ = ask(running, method, f"/_sandbox/{path}", body)
    assert status == 200, answer
    return answer


def asked_from(running: RunningSandbox, origin: str, path: str = "reset") -> tuple[int, Any]:
    """Status and answer of a control request that a web page of that origin makes."""
    url = urlsplit(running.url)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=30)
    try:
        connection.request("POST", f"/_sandbox/{path}", b'{"userId": "ada"}', {"Origin": origin})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def emails_of(running: RunningSandbox) -> dict[str, str | None]:
    return {user["userId"]: user.get("email") for user in ask(running, "GET", "/users")[1]["users"]}


def code_sent(running: RunningSandbox, email: str) -> str:
    """The challenge id of a code sent to a user."""
    body = {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": email}
    status, answer, _ = ask(running, "POST", "/challenge", body)
    assert status == 200, answer
    return str(answer["challengeId"])


def test_a_snapshot_can_be_restored_repeatedly(empty: RunningSandbox) -> None:
    ask(empty, "PATCH", "/users/u", {"email": "before@example.com"})
    assert control(empty, "POST", "snapshot", {"name": "begin"}) == {"snapshots": ["begin"]}
    for _ in range(2):
        ask(empty, "PATCH", "/users/u", {"email": "after@example.com"})
        ask(empty, "PATCH", "/users/other", {"email": "other@example.com"})
        control(empty, "POST", "restore", {"name": "begin"})
        assert emails_of(empty) == {"u": "before@example.com"}
    assert control(empty, "GET", "snapshots") == {"snapshots": ["begin"]}


def test_a_snapshot_contains_challenges_outbox_configuration_and_clock(empty: RunningSandbox) -> None:
    control(empty, "POST", "clock/freeze")
    challenge = code_sent(empty, "ann@example.com")
    before = control(empty, "GET", "")
    empty.snapshot("sent")
    code_sent(empty, "bob@example.com")
    control(empty, "POST", "clock/advance", {"days": 40})
    control(empty, "POST", "config", {"listing": "refused", "token_minutes": 3})
    empty.sandbox.tenant = empty.sandbox.tenant.without("value_lists", "trusted-partners")
    empty.restore("sent")
    assert control(empty, "GET", "") == before
    assert "trusted-partners" in empty.sandbox.tenant.value_lists
    assert [message["to"] for message in control(empty, "GET", "outbox")["messages"]] == ["ann@example.com"]
    sent = empty.outbox.last()
    assert sent
    answer = ask(empty, "POST", "/verify", {"challengeId": challenge, "verificationCode": sent.code})[1]
    assert answer["isVerified"]


def test_requests_after_a_restore_have_the_same_results_each_time(empty: RunningSandbox) -> None:
    empty.snapshot("begin")
    seen = []
    for _ in range(2):
        empty.restore("begin")
        key = ask(empty, "POST", "/users/u/actions/signIn")[1]["idempotencyKey"]
        code_sent(empty, "ann@example.com")
        seen.append((key, control(empty, "GET", "outbox")["messages"][0]["code"]))
    assert seen[0] == seen[1]


def test_a_snapshot_outlives_a_reset(seeded: RunningSandbox) -> None:
    seeded.snapshot("forty")
    assert control(seeded, "POST", "reset")["counts"]["users"] == 0
    assert control(seeded, "POST", "restore", {"name": "forty"})["counts"]["users"] == 40


def test_restoring_an_unknown_snapshot_lists_the_existing_ones(empty: RunningSandbox) -> None:
    empty.snapshot("begin")
    status, answer, _ = ask(empty, "POST", "/_sandbox/restore", {"name": "end"})
    assert (status, answer["error"]) == (
        400,
        'No snapshot is named "end". The sandbox was not changed. Existing snapshots: "begin".',
    )


def test_the_number_of_snapshots_is_limited(empty: RunningSandbox) -> None:
    for number in range(MAX_SNAPSHOTS):
        empty.snapshot(f"s{number}")
    empty.snapshot("s0")
    with pytest.raises(ValueError, match=str(MAX_SNAPSHOTS)):
        empty.snapshot("one more")


def test_the_clock_can_be_stopped_moved_and_resumed(empty: RunningSandbox) -> None:
    stopped = control(empty, "POST", "clock/freeze")
    assert stopped["frozen"]
    assert control(empty, "GET", "")["now"] == stopped["now"]
    moved = control(empty, "POST", "clock/advance", {"days": 1, "hours": 2, "minutes": 3, "seconds": 4})
    passed = datetime.fromisoformat(moved["now"]) - datetime.fromisoformat(stopped["now"])
    assert passed == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert control(empty, "POST", "clock/resume")["frozen"] is False
    time.sleep(0.002)
    assert control(empty, "GET", "")["now"] > moved["now"]


def test_the_clock_has_the_same_operations_in_python(empty: RunningSandbox) -> None:
    empty.clock.freeze()
    before = empty.clock.now()
    empty.clock.advance(days=30, minutes=1)
    assert (empty.clock.now() - before).total_seconds() == 30 * 86_400 + 60
    empty.clock.resume()
    assert not empty.clock.is_frozen


def test_the_outbox_shows_sent_messages_newest_last(empty: RunningSandbox) -> None:
    for name in ("ann", "bob", "ann"):
        code_sent(empty, f"{name}@example.com")
    messages = control(empty, "GET", "outbox")["messages"]
    assert [message["to"].split("@")[0] for message in messages] == ["ann", "bob", "ann"]
    assert all(message["code"] and message["channel"] == "email" for message in messages)
    mine = control(empty, "GET", f"outbox?to={quote('ann@example.com')}")["messages"]
    assert mine == [messages[0], messages[2]]
    assert control(empty, "DELETE", "outbox") == {"messages": []}
    assert len(empty.outbox) == 0


def test_the_truth_route_returns_the_kpis_of_the_store(seeded: RunningSandbox) -> None:
    seeded.clock.freeze()
    assert control(seeded, "GET", "truth")["kpis"] == json.loads(json.dumps(seeded.truth()))
    assert control(seeded, "GET", "truth")["kpis"]["enrolment_coverage"]["users / all"]["denominator"] == 40
    later = control(seeded, "GET", "truth?readAt=2027-11-02T09:00:00Z")["kpis"]
    assert later["dormant_authenticators"] != control(seeded, "GET", "truth")["kpis"]["dormant_authenticators"]


def test_what_is_not_emulated_is_listed(empty: RunningSandbox) -> None:
    assert control(empty, "GET", "not-emulated") == {"notEmulated": list(NOT_EMULATED)}


def test_python_sees_the_same_request_log(empty: RunningSandbox) -> None:
    ask(empty, "GET", "/users")
    assert control(empty, "GET", "requests") == json.loads(json.dumps(empty.requests()))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost"])
def test_a_page_of_another_site_cannot_control_the_sandbox(seeded: RunningSandbox, origin: str) -> None:
    for path in ("reset", "try"):
        status, answer = asked_from(seeded, origin, path)
        assert (status, "Pages of other sites" in answer["error"]) == (403, True)
    assert len(emails_of(seeded)) == 40


def test_a_page_of_the_sandbox_can_control_it(seeded: RunningSandbox) -> None:
    for path in ("try", "reset"):
        assert asked_from(seeded, seeded.url.removesuffix("/v1"), path)[0] == 200


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"[" + b" " * 1024 * 1024 + b"]", 413),
        (b"[]", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"seconds": NaN}', 400),
        (b"[" * 100_000, 400),
    ],
    ids=["too big", "a list", "cut", "not UTF-8", "NaN", "nested"],
)
def test_an_invalid_body_changes_nothing(empty: RunningSandbox, raw: bytes, status: int) -> None:
    answered, answer, _ = ask(empty, "POST", "/_sandbox/clock/advance", raw=raw)
    assert (answered, bool(answer["error"])) == (status, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("snapshot", {}),
        ("snapshot", {"name": ""}),
        ("snapshot", {"name": 3}),
        ("snapshot", {"name": "n" * 101}),
        ("clock/advance", {"days": 10**30}),
        ("clock/advance", {"days": 3_000_000}),
        ("clock/advance", {"weeks": 1}),
        ("clock/advance", {"days": "one"}),
        ("limits", {"key": "server"}),
        ("limits", {"key": "portal", "perSecond": 1}),
        ("limits", {"key": "server", "perSecond": 0}),
        ("limits", {"key": "server", "perSecond": 1, "burst": 0}),
        ("limits", {"key": "server", "perSecond": 1, "burst": 1.5}),
        ("limits", {"key": "server", "perSecond": 1, "retryAfter": "yes"}),
        ("limits", {"key": "server", "perSecond": 1, "colour": "blue"}),
    ],
)
def test_control_routes_name_invalid_fields(empty: RunningSandbox, path: str, body: dict[str, Any]) -> None:
    status, answer, _ = ask(empty, "POST", f"/_sandbox/{path}", body)
    assert (status, bool(answer["error"])) == (400, True)


def test_an_invalid_time_is_refused(empty: RunningSandbox) -> None:
    assert ask(empty, "GET", "/_sandbox/truth?readAt=soon")[0] == 400
