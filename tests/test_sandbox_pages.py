"""The pages of the sandbox, short of a browser: what they show, what their buttons do, and who may press them."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from dlt_authsignal.sandbox import Fixture, RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.app.console.people import USERS, search
from dlt_authsignal.sandbox.tenant.entities import User
from dlt_authsignal.sandbox.webhooks.delivery_log import BYTES_KEPT, Content, Delivery, DeliveryLog
from tests.helpers import ask
from tests.sandbox_pages import (
    HTML,
    Receiver,
    address,
    press,
    receiver,
    shown,
    something_everywhere,
    user_of,
    words,
)

PAGES = ("", "users", "attempts", "rules", "webhooks", "controls")
HOSTILE = "\"><script>alert('x')</script><img src=x onerror=alert(1)>{{7*7}}\u202e\x07"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as mine:
        yield mine


def state(running: RunningSandbox) -> Any:
    """Everything that a button could change."""
    sandbox = running.sandbox
    random = (sandbox.rng.getstate(), sandbox.id_rng.getstate())
    control = (sandbox.faults.shown(), sandbox.limits.shown(), sandbox.snapshots(), sandbox.webhooks.shown())
    return Fixture.state_of(sandbox), random, control, len(sandbox.recorded_events)


def every_page(running: RunningSandbox, user: str) -> dict[str, str]:
    """Every page of a filled tenant, with those about one user, one delivery and one try-out."""
    pages = {page: shown(running, page) for page in PAGES}
    pages["user"] = shown(running, "user", id=user)
    number = running.sandbox.webhooks.deliveries[-1].number
    pages["delivery"] = shown(running, "delivery", number=number)
    pages["try"] = shown(running, "rules", user=user, action="signIn", ip=user, agent=user, device=user)
    pages["search"] = shown(running, "users", q=user)
    pages["found"] = shown(running, "attempts", q=user)
    return pages


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_an_empty_tenant_says_what_to_do(empty: RunningSandbox, page: str) -> None:
    text = words(shown(empty, page))
    assert re.search("Set http|Track an action|Enter a user|Set its URL|set its URL|Add one", text)


def test_every_page_has_a_strict_policy_and_nothing_inline(empty: RunningSandbox, hook: Receiver) -> None:
    something_everywhere(empty, hook.url)
    for path in (*PAGES, "user?id=ann", "user?id=nobody", "delivery?number=1", "delivery?number=x"):
        answer = requests.get(address(empty, path), headers=HTML, timeout=30)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ")
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<style|<script(?! src=\"/)|\son\w+=|style=|javascript:", answer.text), path
        assert not re.search(r"(src|href|action)=\"(?!/|data:,|#|http://(127\.0\.0\.1|localhost):)", answer.text), path


def test_hostile_values_are_shown_as_text_on_every_page(empty: RunningSandbox, hook: Receiver) -> None:
    hook.answer = HOSTILE.encode()
    something_everywhere(empty, hook.url, user=HOSTILE, name=HOSTILE)
    for page, text in every_page(empty, HOSTILE).items():
        assert "<script>alert" not in text, page
        assert "<img" not in text, page
        assert "49\u202e" not in text, page
        assert page in ("controls", "webhooks") or "alert(" in text, page


def test_text_that_is_not_unicode_is_no_error(empty: RunningSandbox) -> None:
    for user_id in ("\ud800", "a\x00b", "x" * 10_000, " ", "../..", "?id=b&page=2#c"):
        empty.sandbox.store.put_user(User(user_id=user_id, created_at=empty.clock.now(), display_name=user_id))
    text = shown(empty, "users")
    assert len(text) < 50_000  # the long id is in its link only
    for link in re.findall(r'href="(/_sandbox/pages/user\?id=[^"]*)"', text):
        where = empty.url.removesuffix("/v1") + link
        assert requests.get(where, headers=HTML, timeout=30).status_code in (200, 404)
    assert "There is no such user" in shown(empty, "user", 404, id="nobody")
    assert shown(empty, "user", id="?id=b&page=2#c")


@pytest.mark.parametrize("query", ["page=0", "page=-1", "page=99999999999", "page=x", "page=²", "q=%ff&page=%00"])
def test_a_wrong_page_number_shows_the_nearest_page(seeded: RunningSandbox, query: str) -> None:
    for page in ("users", "attempts", "webhooks"):
        answer = requests.get(address(seeded, f"{page}?{query}"), headers=HTML, timeout=30)
        assert answer.status_code == 200


def test_users_are_found_by_each_of_their_names_and_listed_in_pages() -> None:
    with run_in_thread(SandboxConfig(seed=7, users=10_000)) as running:
        first, third = shown(running, "users"), shown(running, "users", page=3)
        assert len(user_of(first)) == len(user_of(third)) == USERS
        assert "1 to 50 of 10,000" in words(first)
        assert "101 to 150 of 10,000" in words(third)
        assert user_of(shown(running, "users", page=200)) != user_of(first)
        user = next(one for one in running.sandbox.store.users() if one.email and one.phone_number and one.display_name)
        for text in (user.user_id, user.email, str(user.email).upper(), user.phone_number, user.display_name):
            assert user in search(running.sandbox, str(text))
        assert "1 user contain" in words(shown(running, "users", q=user.user_id))
        assert "No user matches" in shown(running, "users", q="nobody at all")


def test_a_user_is_shown_with_authenticators_and_the_course_of_each_attempt(
    empty: RunningSandbox, hook: Receiver
) -> None:
    something_everywhere(empty, hook.url)
    text = words(shown(empty, "user", id="ann"))
    for expected in ("+1ann", "Text message enrolled", "SMS_SENT", "CODE_INVALID_OR_EXPIRED", "SMS_CODE_VALID"):
        assert expected in text
    course = text[text.index("Tracked: CHALLENGE") :]
    steps = ("Tracked", "sent", "wrong or expired code", "correct code", "Challenge succeeded with Text message")
    places = [course.index(step) for step in steps]
    assert places == sorted(places)


def test_an_attempt_says_what_it_waits_for(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/ann/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    tracked = ask(empty, "POST", "/users/ann/actions/signIn", {})[1]
    bearer = f"Bearer {tracked['token']}"
    ask(empty, "POST", "/client/challenge/sms", {}, auth=bearer)
    ask(empty, "POST", "/client/verify/sms", {"verificationCode": "0"}, auth=bearer)
    assert "Waits for: Text message, 1 wrong code so far" in words(shown(empty, "attempts"))
    empty.clock.advance(minutes=11)
    assert "Waits for" not in shown(empty, "attempts")


def test_attempts_are_filtered_and_leave_out_the_invented_past(seeded: RunningSandbox) -> None:
    assert "No attempts yet" in shown(seeded, "attempts")
    for place in range(30):
        ask(seeded, "POST", f"/users/u{place}/actions/signIn", {"ipAddress": "192.0.2.1" if place == 3 else "10.0.0.1"})
    assert "1 to 25 of 30" in words(shown(seeded, "attempts"))
    assert "26 to 30 of 30" in words(shown(seeded, "attempts", page=2))
    blocked = shown(seeded, "attempts", state="BLOCK")
    assert re.findall(r'<span class="own who">([^<]*)', blocked) == ["u3"]
    assert re.findall(r'<span class="own who">([^<]*)', shown(seeded, "attempts", q="U29")) == ["u29"]
    assert "No attempt matches" in shown(seeded, "attempts", q="payment")


def test_secrets_are_on_no_page(hook: Receiver) -> None:
    authenticators = [{"verificationMethod": "PASSKEY"}, {"verificationMethod": "AUTHENTICATOR_APP"}]
    config = SandboxConfig(seed=1, api_secret_key="chosen-server", management_secret_key="chosen-management")
    with run_in_thread(config) as running:
        running.load(
            Fixture.of({"users": {"ann": {"authenticators": authenticators, "recoveryCodes": ["abcde12345"]}}})
        )
        running.sandbox.webhooks.configure(
            log_events_url=f"{hook.url}?token=hidden",
            authenticator_events_url=hook.url,
            previous_secret_key="older-key",
        )
        ask(running, "POST", "/users/ann/actions/signIn", {}, auth="Basic Y2hvc2VuLXNlcnZlcjo=")
        running.clock.advance(minutes=11)
        running.sandbox.webhooks.flush()
        text = "".join(every_page(running, "ann").values())
        held = running.sandbox.store.authenticators("ann")
        totp = next(one.totp.secret for one in held if one.totp)
        for secret in ("chosen-", "older-key", "of-the-url", "PRIVATE KEY", "abcde12345", totp):
            assert secret not in text


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"ip": "192.0.2.1"}, "BLOCK"),
        ({"ip": "10.0.0.1"}, "CHALLENGE_REQUIRED"),
        ({"custom": '{"a": "a rule"}'}, "REVIEW_REQUIRED"),
        ({"user": "new"}, "ALLOW"),
        ({"action": "updateProfile"}, "ALLOW"),
        ({"action": "neverUsed"}, "CHALLENGE_REQUIRED"),
    ],
)
def test_a_try_out_decides_as_track_does_and_changes_nothing(
    empty: RunningSandbox, hook: Receiver, form: dict[str, Any], expected: str
) -> None:
    something_everywhere(empty, hook.url)
    empty.clock.freeze()
    asked = {"user": "ann", "action": "signIn", **form}
    before = state(empty)
    text = words(shown(empty, "rules", **asked))
    after = state(empty)
    assert f"State of the action {expected} " in text
    assert before == after
    sent = {"ipAddress": form.get("ip"), "custom": json.loads(form.get("custom", "null"))}
    path = f"/users/{asked['user']}/actions/{asked['action']}"
    assert ask(empty, "POST", path, {name: value for name, value in sent.items() if value})[1]["state"] == expected


@pytest.mark.parametrize(
    "form",
    [
        {"user": "ann", "action": "a b"},
        {"user": "", "action": "signIn"},
        {"user": "ann", "action": "signIn", "custom": "{"},
        {"user": "ann", "action": "signIn", "custom": "[1]"},
        {"user": "ann", "action": "signIn", "custom": "[" * 2000},
        {"user": "ann", "action": "x" * 5000},
    ],
)
def test_a_wrong_try_out_says_why(empty: RunningSandbox, form: dict[str, Any]) -> None:
    assert 'role="alert"' in shown(empty, "rules", 400, **form)


def test_a_delivery_shows_its_body_and_the_answer_and_can_be_sent_again(empty: RunningSandbox, hook: Receiver) -> None:
    hook.answer, hook.status = b'{"problem":"busy & <late>"}', 503
    something_everywhere(empty, hook.url)
    [batch] = [one for one in empty.sandbox.webhooks.deliveries if one.records > 1]
    page = words(shown(empty, "delivery", number=batch.number))
    assert '"problem": "busy & <late>"' in page
    assert '"actionCode": "signIn"' in page
    assert "503" in page
    hook.status = 200
    sent = len(hook.taken)
    assert press(empty, "webhooks-resend", number=batch.number).headers["location"].endswith("?said=webhooks-resend")
    [first] = [one for one in hook.taken[:sent] if one[0].endswith("?token=hidden")]
    again = hook.taken[sent]
    assert (again[0], again[1]) == (first[0], first[1])
    newest = empty.sandbox.webhooks.deliveries[-1]
    assert (newest.resent, newest.status, newest.attempt) == (batch.number, 200, batch.attempt + 1)
    status, answer, _ = ask(empty, "POST", "/_sandbox/webhooks/resend", {"number": batch.number})
    assert (status, answer["status"], answer["resent"]) == (200, 200, batch.number)


@pytest.mark.parametrize("number", [0, 99, -1, True, "1", None, 1.5])
def test_an_unknown_delivery_is_not_sent_again(empty: RunningSandbox, number: Any) -> None:
    status, answer, _ = ask(empty, "POST", "/_sandbox/webhooks/resend", {"number": number})
    assert (status, answer["error"]) == (400, "There is no delivery with this number. Nothing was sent.")


def test_an_answer_without_an_end_delays_nothing(empty: RunningSandbox, hook: Receiver) -> None:
    hook.answer = b"x" * 1_000_000
    empty.sandbox.webhooks.configure(authenticator_events_url=hook.url)
    ask(empty, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    empty.sandbox.webhooks.flush()
    delivery = empty.sandbox.webhooks.deliveries[-1]
    content = empty.sandbox.webhooks.log.content(delivery.number)
    assert content is not None
    assert (delivery.status, len(content.answer or "")) == (200, 4096)


def test_bodies_of_deliveries_are_kept_up_to_a_size() -> None:
    log = DeliveryLog()
    at = SandboxConfig(seed=1).starts_at
    assert at is not None
    for _ in range(5):
        one = Delivery(at=at, url="u", types=(), records=1, attempt=1, status=200, number=log.next_number())
        log.add(one, Content(target="u", body=b"x" * (BYTES_KEPT // 3), answer=""))
    assert [number for number in range(1, 6) if log.content(number)] == [3, 4, 5]
    assert len(log.deliveries) == 5
    assert log.find(1) is not None


def test_each_button_does_what_it_says(empty: RunningSandbox, hook: Receiver) -> None:
    sandbox = empty.sandbox

    def done(button: str, **form: Any) -> None:
        answer = press(empty, button, **form)
        assert (answer.status_code, answer.headers.get("location", "").partition("?")[2]) == (303, f"said={button}")
        where = empty.url.removesuffix("/v1") + answer.headers["location"]
        assert 'class="said"' in requests.get(where, headers=HTML, timeout=30).text

    done("seed", users=3, days=5, seed=7)
    assert sandbox.store.counts()["users"] == 3
    done("snapshot", name="three")
    done("clock-freeze")
    frozen = empty.clock.now()
    done("clock-advance", amount=2, unit="hours")
    assert empty.clock.now() == frozen + timedelta(hours=2)
    done("clock-resume")
    assert not empty.clock.is_frozen
    done("fault", route="GET /users", kind="delay", seconds="0.5", times="", status="503", after="0")
    [fault] = sandbox.faults.shown()
    assert (fault["route"], fault["seconds"], fault["times"]) == ("GET /users", 0.5, None)
    done("faults-clear")
    assert sandbox.faults.shown() == []
    done("limit", key="server", perSecond="2.5", burst="")
    assert sandbox.limits.shown()[0]["perSecond"] == 2.5
    done("limits-clear")
    assert sandbox.limits.shown() == []
    done("ip", address="10.0.0.1", countryCode="nz", isAnonymous="on")
    assert sandbox.ip_facts["10.0.0.1"].country_code == "NZ"
    done("webhooks-set", log_events_url=hook.url)
    assert sandbox.webhooks.settings.log_events_url == hook.url
    done("webhooks-set", log_events_url="")
    assert sandbox.webhooks.settings.log_events_url is None
    done("webhooks-outage", outage=2)
    assert sandbox.webhooks.faults.outage == 2
    done("webhooks-flush")
    done("fixture", fixture="users: {bob: {email: bob@example.com}}")
    assert [user.user_id for user in sandbox.store.users()] == ["bob"]
    done("restore", name="three")
    assert sandbox.store.counts()["users"] == 3
    ask(empty, "POST", "/challenge", {"verificationMethod": "SMS", "action": "a", "phoneNumber": "+1"})
    done("outbox-clear")
    done("requests-clear")
    assert (len(sandbox.outbox), len(sandbox.log.entries)) == (0, 0)
    done("reset")
    assert sandbox.store.counts()["users"] == 0


WRONG = [
    ("seed", {"users": "-1", "days": "1", "seed": "1"}, "Users must be a whole number"),
    ("seed", {"users": "9" * 11, "days": "1", "seed": "1"}, "users must be at most 1000000"),
    ("snapshot", {"name": ""}, "must have 1 to 100 characters"),
    ("restore", {"name": "none"}, "No snapshot is named"),
    ("fixture", {"fixture": " "}, "Paste a fixture"),
    ("fixture", {"fixture": "users: {ann: {emial: x}}"}, "Did you mean"),
    ("save", {}, "no state file"),
    ("clock-advance", {"amount": "1", "unit": "years"}, "Unknown unit"),
    ("clock-advance", {"amount": "9" * 12, "unit": "days"}, "year 9000"),
    ("fault", {"route": "GET /nothing", "kind": "reset"}, "does not serve the route"),
    ("fault", {"route": "*", "kind": "nothing"}, "kind"),
    ("fault", {"route": "*", "kind": "delay", "seconds": "nan"}, "Invalid fault"),
    ("fault", {"route": "*", "kind": "delay", "seconds": "soon"}, "Seconds must be a number"),
    ("limit", {"key": "server", "perSecond": "inf"}, "perSecond must be"),
    ("ip", {"address": ""}, "address must be text"),
    ("webhooks-set", {"log_events_url": "http://example.com/"}, "not on this machine"),
    ("webhooks-set", {"log_events_url": "javascript:alert(1)"}, "must be an http or https URL"),
    ("webhooks-outage", {"outage": "x"}, "must be a whole number"),
    ("webhooks-resend", {"number": "7"}, "There is no delivery"),
]


@pytest.mark.parametrize(("button", "form", "reason"), WRONG)
def test_a_button_with_wrong_input_says_why_and_changes_nothing(
    empty: RunningSandbox, button: str, form: dict[str, Any], reason: str
) -> None:
    empty.clock.freeze()
    before = state(empty)
    answer = press(empty, button, **form)
    assert answer.status_code == 400
    assert reason in words(answer.text)
    assert state(empty) == before


def test_a_form_that_is_none_is_refused(empty: RunningSandbox) -> None:
    own = {"Origin": empty.url.removesuffix("/v1")}
    for body, status in ((b"\xff", 400), (b"a&" * 100, 400), (b"x=" + b"y" * 2_000_000, 400)):
        answer = requests.post(address(empty, "do/fault"), data=body, headers=own, timeout=30)
        assert answer.status_code == status
    assert press(empty, "nothing").status_code == 404
    assert requests.get(address(empty, "do/reset"), timeout=30).status_code in (404, 405)
    assert requests.get(address(empty, "static/..%2frender.py"), timeout=30).status_code == 404
    assert empty.sandbox.faults.shown() == []


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_can_press_no_button(seeded: RunningSandbox, headers: dict[str, str]) -> None:
    for button in ("reset", "clock-freeze", "fixture", "webhooks-set"):
        assert press(seeded, button, headers).status_code == 403
    assert seeded.sandbox.store.counts()["users"] == 40
    assert not seeded.clock.is_frozen


def test_a_link_from_another_site_shows_a_page_but_no_script_of_it_can_read_one(seeded: RunningSandbox) -> None:
    follows = {**HTML, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert requests.get(address(seeded, "users"), headers=follows, timeout=30).status_code == 200
    for mode in ("no-cors", "cors"):
        loads = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": mode}
        for where in (address(seeded, "users"), f"{seeded.control_url}outbox"):
            assert requests.get(where, headers=loads, timeout=30).status_code == 403


def test_a_link_cannot_put_words_into_the_page(empty: RunningSandbox) -> None:
    assert "evil" not in shown(empty, "controls", said="evil")


def test_each_tenant_has_its_own_pages_and_buttons() -> None:
    tenants: dict[str, Any] = {"acme": {"users": 3, "region": "eu"}, "globex": {}}
    with run_in_thread(SandboxConfig(seed=1, tenants=tenants)) as running:
        acme, globex = running.tenant("acme"), running.tenant("globex")
        for one, users in ((running, 0), (acme, 3), (globex, 0)):
            text = shown(one, "users")
            assert len(user_of(text)) == users
            links = dict(re.findall(r'<li><a class="own" href="([^"]*)"[^>]*>([^<]*)</a></li>', text))
            assert list(links.values()) == [running.tenant_id, "acme", "globex"]
            for link in links:
                where = running.control_url.partition("/_sandbox")[0] + link
                assert requests.get(where, headers=HTML, timeout=30).status_code == 200
        first = shown(acme)
        assert f"{acme.url}</code>" in first
        assert acme.url.endswith("/eu/v1")
        assert "acme-server-secret" in first
        assert "globex-server-secret" not in first
        assert press(acme, "reset").headers["location"] == "/_sandbox/tenants/acme/pages/controls?said=reset"
        assert press(acme, "clock-freeze").status_code == 303
        assert user_of(shown(acme, "users")) == []
        assert [one.clock.is_frozen for one in (running, acme, globex)] == [False, True, False]
        for headers in FOREIGN:
            assert press(globex, "clock-freeze", headers).status_code == 403
        running.remove_tenant("acme")
        running.remove_tenant("globex")
        assert "Tenants" not in shown(running, "users")
