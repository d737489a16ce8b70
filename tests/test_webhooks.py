"""Webhooks, taken by a real receiver and judged by Authsignal's Node SDK."""

import asyncio
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.webhooks import sign, verify
from dlt_authsignal.errors import SignatureRefused
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.outbox import Message
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, User
from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults
from tests.ceremonies import Visitor
from tests.helpers import SECRET, ask
from tests.test_management import manage

NODE_RECEIVER = Path(__file__).parent / "node" / "webhooks.mjs"
MINUTE = timedelta(minutes=1)


@dataclass
class Received:
    """One request that the receiver took."""

    path: str
    body: bytes
    signature: str
    content_type: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def records(self) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.json["records"]
        return records


@dataclass
class Receiver:
    """A real HTTP server; answers with the next of `answers`, else with `usually`; /slow takes its time."""

    url: str
    taken: list[Received] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    usually: int = 200
    before: Callable[[], None] = lambda: None

    def wait(self, count: int) -> list[Received]:
        deadline = time.monotonic() + 60
        while len(self.taken) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.taken) == count
        return self.taken


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/slow":
                released.wait(5)
            taken = Received(self.path, body, self.headers["x-signature-v2"], self.headers["content-type"])
            status = mine.answers.popleft() if mine.answers else mine.usually
            mine.taken.append(taken)
            mine.before()
            self.send_response(status)
            self.send_header("content-length", "0")
            if 300 <= status < 400:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mine = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield mine
        released.set()
        server.shutdown()
        thread.join(30)


@pytest.fixture
def listened(empty: RunningSandbox, receiver: Receiver) -> RunningSandbox:
    """A tenant that sends its log events and authenticator events to the receiver; its clock stands still."""
    empty.sandbox.clock.freeze()
    empty.sandbox.webhooks.configure(
        log_events_url=f"{receiver.url}/log", authenticator_events_url=f"{receiver.url}/authenticators"
    )
    return empty


def steps(running: RunningSandbox, count: int) -> None:
    """So many steps of challenges, each told apart by its idempotency key."""
    sandbox = running.sandbox
    for number in range(count):
        sandbox.events.challenge(sandbox.clock.now(), "SMS_SENT", user_id="u", idempotency_key=str(number))


def later(running: RunningSandbox, by: timedelta) -> None:
    """Time passes, and what is due then is delivered."""
    running.sandbox.clock.advance(by)
    running.sandbox.webhooks.flush()


def keys(received: Received) -> list[str]:
    return [record["record"]["idempotencyKey"] for record in received.records]


def judged(deliveries: list[tuple[bytes, str]], secret: str = SECRET) -> list[dict[str, Any]]:
    """What `constructEvent` of Authsignal's Node SDK returns or throws."""
    cases = [{"body": body.decode(), "signature": signature} for body, signature in deliveries]
    done = subprocess.run(
        [shutil.which("node") or "node", NODE_RECEIVER],
        input=json.dumps({"secret": secret, "deliveries": cases}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: list[dict[str, Any]] = json.loads(done.stdout)
    return result


@pytest.mark.usefixtures("node_modules")
def test_authsignals_node_sdk_accepts_sent_events_and_refuses_altered_ones(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    body = {"verificationMethod": "EMAIL_OTP", "email": "jöhn@例え.jp"}
    ask(listened, "POST", "/users/u/authenticators", body)
    steps(listened, 3)
    later(listened, 10 * MINUTE)
    one, many = receiver.taken
    sent = [(one.body, one.signature), (many.body, many.signature)]
    altered = [(one.body.replace(b"EMAIL_OTP", b"EMAIL_OTQ"), one.signature), (many.body + b" ", many.signature)]
    assert judged(sent) == [{"event": one.json}, {"event": many.json}]
    assert judged([*altered, (one.body, many.signature)]) == [{"error": "Signature mismatch."}] * 3
    assert judged(sent, "another") == [{"error": "Signature mismatch."}] * 2
    assert judged([(one.body, sign(SECRET, one.body, int(time.time()) - 400))]) == [
        {"error": "Timestamp is outside the tolerance zone."}
    ]
    assert {one.content_type, many.content_type} == {"application/json"}


@pytest.mark.usefixtures("node_modules")
def test_during_rotation_both_keys_verify(listened: RunningSandbox, receiver: Receiver) -> None:
    listened.sandbox.webhooks.configure(previous_secret_key="the-old-key")
    ask(listened, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    sent = receiver.wait(1)[0]
    assert sent.signature.count("v2=") == 2
    for secret in (SECRET, "the-old-key"):
        assert judged([(sent.body, sent.signature)], secret) == [{"event": sent.json}]
        verify(secret, sent.body, sent.signature, time.time())
    with pytest.raises(SignatureRefused):
        verify("a-third-key", sent.body, sent.signature, time.time())


def test_an_action_is_logged_with_its_state_when_its_token_expires(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    listened.sandbox.webhooks.configure(authenticator_events_url=None)
    ask(listened, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+64"})
    track = {
        "idempotencyKey": "k",
        "email": "u@x",
        "ipAddress": "203.0.113.7",
        "deviceId": "d",
        "custom": {"amount": 5},
    }
    ask(listened, "POST", "/users/u/actions/signIn", track)
    created = listened.sandbox.clock.now()
    later(listened, 5 * MINUTE)
    ask(listened, "PATCH", "/users/u/actions/signIn/k", {"state": "BLOCK"})
    later(listened, 5 * MINUTE - timedelta(seconds=1))
    assert receiver.taken == []
    later(listened, timedelta(seconds=1))
    record = receiver.taken[0].records[0]
    moment = f"{created:%Y-%m-%dT%H:%M}"
    assert record["record"].pop("createdAt").startswith(moment)
    assert record["record"].pop("updatedAt") == record["record"].pop("stateUpdatedAt") > moment
    assert record.pop("record") == {
        "tenantId": listened.sandbox.config.tenant_id,
        "userId": "u",
        "actionCode": "signIn",
        "idempotencyKey": "k",
        "state": "BLOCK",
        "outcome": "CHALLENGE",
        "ipAddress": "203.0.113.7",
        "email": "u@x",
        "deviceId": "d",
        "allowedVerificationMethods": listened.sandbox.allowed_methods(),
        "enrolledVerificationMethods": ["SMS"],
        "custom": {"amount": 5},
    }
    assert record.keys() == {"version", "id", "source", "time", "tenantId", "type"}
    assert (record["type"], record["source"]) == ("action.log_created", "https://authsignal.com")


def test_an_action_whose_data_was_deleted_is_not_logged(listened: RunningSandbox, receiver: Receiver) -> None:
    ask(listened, "POST", "/users/u/actions/signIn", {})
    ask(listened, "DELETE", "/users/u?actions=true")
    later(listened, 10 * MINUTE)
    assert receiver.taken == []
    assert ask(listened, "GET", "/_sandbox/webhooks")[1]["queued"] == 0


def test_log_events_come_in_batches_of_500(listened: RunningSandbox, receiver: Receiver) -> None:
    steps(listened, 1203)
    later(listened, 10 * MINUTE)
    assert [len(received.records) for received in receiver.taken] == [500, 500, 203]
    assert [key for received in receiver.taken for key in keys(received)] == [str(number) for number in range(1203)]
    assert len({record["id"] for received in receiver.taken for record in received.records}) == 1203
    shown = ask(listened, "GET", "/_sandbox/webhooks")[1]["deliveries"]
    assert [(one["records"], one["status"], one["attempt"]) for one in shown] == [
        (500, 200, 1),
        (500, 200, 1),
        (203, 200, 1),
    ]


def test_advancing_the_clock_by_the_control_route_delivers_due_events(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    ask(listened, "POST", "/users/u/actions/signIn", {})
    ask(listened, "POST", "/_sandbox/clock/advance", {"seconds": 600})
    assert len(receiver.wait(1)[0].records) == 1


def test_log_events_are_delayed_by_the_token_duration(listened: RunningSandbox, receiver: Receiver) -> None:
    ask(listened, "POST", "/_sandbox/config", {"token_minutes": 15})
    steps(listened, 1)
    later(listened, 10 * MINUTE)
    assert receiver.taken == []
    later(listened, 5 * MINUTE)
    assert len(receiver.taken) == 1


def test_authenticator_events_are_sent_immediately_and_one_at_a_time(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    passkey = {
        "verificationMethod": "PASSKEY",
        "credentialId": "c",
        "credentialPublicKey": "AQID_w",
        "name": "Phone",
    }
    enrolled = ask(listened, "POST", "/users/u/authenticators", passkey)[1]["authenticator"]
    listened.sandbox.webhooks.flush()
    listened.sandbox.webhooks.configure(include_public_keys=True)
    ask(listened, "DELETE", f"/users/u/authenticators/{enrolled['userAuthenticatorId']}")
    created, deleted = (received.json for received in receiver.wait(2))
    assert (created["type"], deleted["type"]) == ("authenticator.created", "authenticator.deleted")
    assert created["data"] == {
        "userId": "u",
        "userAuthenticatorId": enrolled["userAuthenticatorId"],
        "verificationMethod": "PASSKEY",
        "createdAt": enrolled["createdAt"],
        "credentialId": "c",
        "aaguid": "00000000-0000-0000-0000-000000000000",
        "credentialName": "Phone",
    }
    assert deleted["data"] == {
        **created["data"],
        "credentialPublicKey": "AQID_w",
        "deletedAt": deleted["time"],
    }


def test_an_authenticator_event_is_tried_four_times_and_then_lost(listened: RunningSandbox, receiver: Receiver) -> None:
    receiver.usually = 500
    ask(listened, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    receiver.wait(1)
    listened.sandbox.webhooks.flush()
    for attempt in (2, 3, 4):
        later(listened, timedelta(seconds=29))
        assert len(receiver.taken) == attempt - 1
        later(listened, timedelta(seconds=1))
        assert len(receiver.taken) == attempt
    later(listened, timedelta(days=1))
    assert len(receiver.taken) == 4
    assert len({received.body for received in receiver.taken}) == 1
    assert [delivery.attempt for delivery in listened.sandbox.webhooks.deliveries] == [1, 2, 3, 4]


@pytest.mark.parametrize("refusal", [500, 404, 302])
def test_log_events_are_retried_with_growing_waits_until_accepted(
    listened: RunningSandbox, receiver: Receiver, refusal: int
) -> None:
    receiver.answers.extend([refusal] * 3)
    steps(listened, 2)
    later(listened, 10 * MINUTE)
    for seconds in (30, 60, 120):
        before = len(receiver.taken)
        later(listened, timedelta(seconds=seconds - 1))
        assert len(receiver.taken) == before
        later(listened, timedelta(seconds=1))
        assert len(receiver.taken) == before + 1
    later(listened, timedelta(days=1))
    assert len(receiver.taken) == 4
    assert len({received.body for received in receiver.taken}) == 1
    assert all(received.path == "/log" for received in receiver.taken)


def test_log_events_survive_a_receiver_that_is_down_for_days(listened: RunningSandbox, receiver: Receiver) -> None:
    receiver.usually = 503
    steps(listened, 1)
    later(listened, 10 * MINUTE)
    for _ in range(60):
        later(listened, timedelta(hours=1))
    assert len(receiver.taken) == 61
    receiver.usually = 204
    later(listened, timedelta(hours=1))
    later(listened, timedelta(hours=1))
    assert len(receiver.taken) == 62


def test_events_of_an_outage_are_delivered_afterwards(listened: RunningSandbox, receiver: Receiver) -> None:
    listened.sandbox.webhooks.set_faults(WebhookFaults(outage=2))
    steps(listened, 3)
    later(listened, 10 * MINUTE)
    later(listened, MINUTE / 2)
    assert receiver.taken == []
    later(listened, MINUTE)
    assert keys(receiver.taken[0]) == ["0", "1", "2"]
    assert [one.failure for one in listened.sandbox.webhooks.deliveries] == ["outage", "outage", None]


def test_duplicates_and_shuffled_events_depend_on_the_seed_and_lose_nothing(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    seen = []
    for _ in range(2):
        faults = {"faults": {"duplicates": 0.5, "shuffle": True, "seed": 3}}
        assert ask(listened, "POST", "/_sandbox/webhooks", faults)[0] == 200
        steps(listened, 40)
        later(listened, 10 * MINUTE)
        seen.append(keys(receiver.taken[-1]))
    assert seen[0] == seen[1] != sorted(seen[0], key=int)
    assert set(seen[0]) == {str(number) for number in range(40)}
    assert 50 < len(seen[0]) < 70
    ids = [(record["id"], record["record"]["idempotencyKey"]) for record in receiver.taken[0].records]
    assert len(set(ids)) == 40


def test_duplicating_all_events_ends(listened: RunningSandbox, receiver: Receiver) -> None:
    listened.sandbox.webhooks.set_faults(WebhookFaults(duplicates=1))
    steps(listened, 300)
    later(listened, 10 * MINUTE)
    later(listened, 10 * MINUTE)
    assert [len(received.records) for received in receiver.taken] == [500, 100]


def message(running: RunningSandbox, method: str, **about: Any) -> Message:
    """A message of a challenge that the sandbox knows, of a tracked action."""
    sandbox, now = running.sandbox, running.sandbox.clock.now()
    facts: dict[str, Any] = {"challenge_id": "c" * 96, "user_id": "u", "action_code": "signIn"}
    sandbox.store.put_user(User(user_id="u", created_at=now, locale="mi"))
    sandbox.store.put_action(
        Action(
            user_id="u",
            action_code="signIn",
            idempotency_key="k",
            created_at=now,
            state="CHALLENGE_REQUIRED",
            user_agent="agent",
            ip_address="203.0.113.7",
        )
    )
    sandbox.challenges.put(
        Challenge(**facts, method=method, idempotency_key="k", created_at=now, expires_at=now + MINUTE)
    )
    return Message(sent_at=now, method=method, **facts, **about)


ABOUT = {"userId": "u", "idempotencyKey": "k", "actionCode": "signIn"}
DEVICE = {"userAgent": "agent", "ipAddress": "203.0.113.7"}


@pytest.mark.parametrize(
    ("method", "channel", "secret", "type", "data"),
    [
        ("EMAIL_OTP", "email", {"code": "123456"}, "email.created", {**DEVICE, "locale": "mi"}),
        ("EMAIL_MAGIC_LINK", "email", {"url": "http://x/"}, "email.created", {**DEVICE, "locale": "mi"}),
        ("SMS", "sms", {"code": "123456"}, "sms.created", {"locale": "mi"}),
        ("PUSH", "push", {}, "push.created", {**DEVICE, "challengeId": "c" * 96}),
    ],
)
def test_a_message_goes_to_the_webhook_of_its_method(
    empty: RunningSandbox,
    receiver: Receiver,
    method: str,
    channel: str,
    secret: dict[str, str],
    type: str,
    data: dict[str, str],
) -> None:
    sandbox = empty.sandbox
    sandbox.webhooks.configure(provider_urls={method: f"{receiver.url}/messages"})
    asyncio.run(sandbox.events.send(message(empty, method, channel=channel, to="them", **secret)))
    sent = receiver.taken[0].json
    to = {} if method == "PUSH" else {"to": "them"}
    email = {"verificationMethod": method} if channel == "email" else {}
    assert (sent["type"], sent["data"]) == (type, {**ABOUT, **to, **email, **secret, **data})
    verify(SECRET, receiver.taken[0].body, receiver.taken[0].signature, time.time())


@pytest.mark.parametrize(
    ("path", "answer", "status", "said"),
    [
        ("/sms", 500, "500", "responded with 500"),
        ("/sms", 301, "301", "responded with 301"),
        ("/slow", 200, None, "did not respond"),
    ],
)
def test_a_message_refused_by_its_webhook_fails_the_call(
    listened: RunningSandbox, receiver: Receiver, path: str, answer: int, status: str | None, said: str
) -> None:
    sandbox = listened.sandbox
    receiver.usually = answer
    sandbox.webhooks.configure(provider_urls={"SMS": receiver.url + path}, timeout_seconds=0.3)
    with pytest.raises(Refusal) as raised:
        asyncio.run(sandbox.events.send(message(listened, "SMS", channel="sms", to="+64", code="123456")))
    assert (raised.value.status, raised.value.code) == (400, "invalid_configuration")
    assert said in raised.value.description
    receiver.usually = 200
    sandbox.webhooks.configure(timeout_seconds=5)
    later(listened, 10 * MINUTE)
    record = receiver.taken[-1].records[0]["record"]
    assert record.pop("createdAt")
    assert record == {
        "tenantId": sandbox.config.tenant_id,
        "type": "SMS_SEND_DOWNSTREAM_FAILED",
        **ABOUT,
        "verificationMethod": "SMS",
        "phoneNumber": "+64",
        "errorDescription": said,
        **({"statusCode": status} if status else {}),
    }


def test_a_completed_challenge_counts_only_if_the_webhook_of_its_action_confirms_it(
    empty: RunningSandbox, receiver: Receiver
) -> None:
    sandbox, now = empty.sandbox, empty.sandbox.clock.now()
    message(empty, "SMS", channel="sms", to="+64")
    action = sandbox.store.get_action("u", "signIn", "k")
    assert action
    mine = Authenticator(user_authenticator_id="a", user_id="u", verification_method="SMS", created_at=now)
    sandbox.webhooks.configure(verification_urls={"signIn": f"{receiver.url}/verify?secret=s"})
    asyncio.run(sandbox.events.confirm(action, "SMS", mine))
    sent = receiver.taken[0].json
    assert sent["type"] == "action.verify"
    apart = datetime.fromisoformat(sent["time"]) - datetime.fromisoformat(sent["data"].pop("verifiedAt"))
    assert timedelta(0) <= apart < timedelta(seconds=30)
    assert sent["data"] == {
        "userId": "u",
        "action": "signIn",
        "idempotencyKey": "k",
        "state": "CHALLENGE_SUCCEEDED",
        "verificationMethod": "SMS",
        "userAuthenticatorId": "a",
    }
    receiver.usually = 403
    with pytest.raises(Refusal, match="invalid_request") as raised:
        asyncio.run(sandbox.events.confirm(action, "SMS", mine))
    assert (raised.value.status, len(receiver.taken)) == (400, 2)
    sandbox.webhooks.set_faults(WebhookFaults(outage=1))
    with pytest.raises(Refusal):
        asyncio.run(sandbox.events.confirm(action, "SMS", None))
    assert len(receiver.taken) == 2


def test_without_a_url_nothing_is_queued_but_everything_is_recorded(empty: RunningSandbox, receiver: Receiver) -> None:
    ask(empty, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    ask(empty, "POST", "/users/u/actions/signIn", {})
    assert ask(empty, "GET", "/_sandbox/webhooks")[1]["queued"] == 0
    assert [event.type for event in empty.sandbox.recorded_events] == ["authenticator.created", "action.log_created"]
    empty.sandbox.webhooks.configure(log_events_url=receiver.url)
    later(empty, timedelta(days=1))
    assert receiver.taken == []


def test_webhooks_are_set_and_flushed_by_control_routes_which_show_no_secret(
    empty: RunningSandbox, receiver: Receiver
) -> None:
    change = {"log_events_url": f"{receiver.url}/log?token=hidden", "previous_secret_key": "older-key"}
    status, shown, _ = ask(empty, "POST", "/_sandbox/webhooks", change)
    assert (status, shown["settings"]["log_events_url"]) == (200, f"{receiver.url}/log?…")
    ask(empty, "POST", "/users/u/actions/signIn", {})
    assert ask(empty, "POST", "/_sandbox/webhooks/flush")[1] == {"tried": 0, "queued": 1}
    empty.sandbox.clock.advance(11 * MINUTE)
    ask(empty, "POST", "/_sandbox/webhooks/flush")
    assert receiver.taken[0].path == "/log?token=hidden"
    shown = ask(empty, "GET", "/_sandbox/webhooks")[1]
    assert shown["queued"] == 0
    assert shown["deliveries"][0].pop("at") > "2026-11-02T09:11"
    assert shown["deliveries"] == [
        {
            "url": f"{receiver.url}/log?…",
            "types": ["action.log_created"],
            "records": 1,
            "attempt": 1,
            "status": 200,
            "failure": None,
            "number": 1,
            "resent": None,
        }
    ]
    assert not any(secret in json.dumps(shown) for secret in ("hidden", "older-key", SECRET))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"log_events_url": "ftp://x/"}, "log_events_url must be an http or https URL"),
        ({"log_events": "http://x/"}, "log_events_url"),
        ({"provider_urls": {"PASSKEY": "http://x/"}}, "EMAIL_OTP"),
        ({"faults": {"outage": -1}, "include_public_keys": True}, "outage"),
        ({"faults": 5}, "faults must be an object"),
    ],
)
def test_an_invalid_webhook_setting_is_refused_and_changes_nothing(empty: RunningSandbox, body: Any, said: str) -> None:
    before = ask(empty, "GET", "/_sandbox/webhooks")[1]
    status, answer, _ = ask(empty, "POST", "/_sandbox/webhooks", body)
    assert status == 400
    assert said in answer["error"]
    assert ask(empty, "GET", "/_sandbox/webhooks")[1] == before


def test_reset_clears_queued_and_delivered_events_but_not_the_urls(
    listened: RunningSandbox, receiver: Receiver
) -> None:
    ask(listened, "POST", "/_sandbox/webhooks", {"faults": {"outage": 5}})
    steps(listened, 2)
    later(listened, 10 * MINUTE)
    before = ask(listened, "GET", "/_sandbox/webhooks")[1]
    assert (before["queued"], len(before["deliveries"])) == (2, 1)
    ask(listened, "POST", "/_sandbox/reset")
    after = ask(listened, "GET", "/_sandbox/webhooks")[1]
    assert (after["queued"], after["deliveries"], after["faults"]["outage"]) == (0, [], 0)
    assert after["settings"] == before["settings"]
    later(listened, timedelta(days=1))
    assert receiver.taken == []


def test_an_unreachable_receiver_is_recorded_as_a_failed_delivery(listened: RunningSandbox) -> None:
    listened.sandbox.webhooks.configure(log_events_url="http://127.0.0.1:1/")
    steps(listened, 1)
    later(listened, 10 * MINUTE)
    (delivery,) = listened.sandbox.webhooks.deliveries
    assert (delivery.status, delivery.failure) == (None, "ClientConnectorError")
    assert ask(listened, "GET", "/_sandbox/webhooks")[1]["queued"] == 1


def test_the_same_seed_generates_the_same_event_ids_and_idempotency_keys(receiver: Receiver) -> None:
    users = []
    for _ in range(2):
        with run_in_thread(SandboxConfig(seed=5)) as running:
            running.sandbox.webhooks.configure(log_events_url=receiver.url)
            users.append(ask(running, "POST", "/users/u/actions/signIn", {})[1]["idempotencyKey"])
            later(running, 11 * MINUTE)
    with run_in_thread(SandboxConfig(seed=5)) as running:
        users.append(ask(running, "POST", "/users/u/actions/signIn", {})[1]["idempotencyKey"])
    assert len(set(users)) == 1
    assert len({received.records[0]["id"] for received in receiver.taken}) == 1


def test_a_sandbox_that_sends_nothing_loads_no_http_client() -> None:
    code = (
        "import sys; from dlt_authsignal.sandbox import run_in_thread\n"
        "with run_in_thread() as running: running.sandbox.webhooks.flush()\n"
        "sys.exit('aiohttp' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_webhooks_set_by_the_management_api_send_codes_and_confirm_challenges(
    empty: RunningSandbox, receiver: Receiver
) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(empty, "GET", "/authenticators")[1]}
    one = f"/authenticator-configurations/{methods['EMAIL_OTP']}"
    assert manage(empty, "PATCH", one, {"webhookUrl": f"{receiver.url}/mail"})[0] == 200
    assert manage(empty, "PATCH", one, {"webhookUrl": "ftp://example.com"})[0] == 400
    url = {"verificationWebhookUrl": f"{receiver.url}/verify"}
    assert manage(empty, "PATCH", "/action-configurations/signIn", url)[0] == 200
    visitor = Visitor(empty).track()
    visitor.post("/user-authenticators/email-otp", {"email": "ada@example.com"})
    (mail,) = receiver.wait(1)
    data = json.loads(mail.body)["data"]
    assert (mail.path, data["to"], data["code"]) == ("/mail", "ada@example.com", visitor.last_code())
    receiver.answers.append(403)
    assert visitor.post("/verify/email-otp", {"verificationCode": data["code"]})[0] == 400
    assert visitor.validate()["isValid"] is False
    visitor.track().post("/challenge/email-otp", {})
    assert visitor.post("/verify/email-otp", {"verificationCode": visitor.last_code()})[1]["isVerified"] is True
    assert visitor.validate()["isValid"] is True
    assert receiver.taken[-1].path == "/verify"


def test_a_code_refused_by_its_webhook_is_not_sent_and_enrols_nothing(
    empty: RunningSandbox, receiver: Receiver
) -> None:
    empty.sandbox.webhooks.configure(provider_urls={"SMS": f"{receiver.url}/sms"})
    receiver.usually = 500
    visitor = Visitor(empty).track()
    status, answer = visitor.post("/user-authenticators/sms", {"phoneNumber": "+64211234567"})
    assert (status, answer["errorCode"]) == (400, "invalid_configuration")
    assert (visitor.authenticators(), len(empty.sandbox.outbox)) == ([], 0)
    logged = [event.about["type"] for event in empty.sandbox.recorded_events if event.type == "challenge.log_created"]
    assert logged == ["SMS_SEND_DOWNSTREAM_FAILED"]


def event_ids(receiver: Receiver) -> list[str]:
    """The ids of all events that the receiver took, with repetitions."""
    bodies = [received.json for received in receiver.taken]
    return [event["id"] for body in bodies for event in body.get("records", [body])]


def test_the_past_of_an_invented_tenant_is_sent_as_events_with_every_kind_of_fault(receiver: Receiver) -> None:
    with run_in_thread(SandboxConfig(seed=7, users=60, days=20)) as running:
        urls = {"log_events_url": f"{receiver.url}/log", "authenticator_events_url": f"{receiver.url}/log"}
        assert ask(running, "POST", "/_sandbox/webhooks", urls)[0] == 200
        answer = ask(running, "POST", "/_sandbox/webhooks", {"send_history": {"days": 15}})[1]["history"]
        plain = set(event_ids(receiver))
        assert answer == {"events": len(plain), "deliveries": len(receiver.taken), "dropped": 0, "failed": None}
        now = running.clock.now()
        attempts = {
            action.idempotency_key
            for user in running.sandbox.store.users()
            for action in running.sandbox.store.actions(user.user_id, now - timedelta(days=14))
            if action.created_at < now - 11 * MINUTE
        }
        records = [record for one in receiver.taken for record in one.json.get("records", [])]
        logged = {one["record"]["idempotencyKey"] for one in records if one["type"] == "action.log_created"}
        assert attempts <= logged
        assert {one["record"]["outcome"] for one in records if "outcome" in one["record"]} >= {"ALLOW", "CHALLENGE"}
        assert {one["record"]["type"] for one in records if "type" in one["record"]} >= {"SMS_SENT", "SMS_CODE_VALID"}
        assert all(len(one.json.get("records", [])) <= 500 for one in receiver.taken)

        receiver.taken.clear()
        faults = {"duplicates": 0.1, "copies": 2, "drops": 0.1, "delays": 0.2, "shuffle": True, "outage": 3, "seed": 1}
        body = {"faults": faults, "send_history": {"days": 15}}
        answer = ask(running, "POST", "/_sandbox/webhooks", body)[1]["history"]
    again = event_ids(receiver)
    assert set(again) < plain
    assert answer["events"] + answer["dropped"] == len(plain)
    assert len(set(again)) == answer["events"] < len(again)
    assert 0.05 < answer["dropped"] / len(plain) < 0.15


def test_faults_delay_and_drop_live_events(listened: RunningSandbox, receiver: Receiver) -> None:
    listened.sandbox.webhooks.set_faults(WebhookFaults(delays=1, delay_seconds=60, drops=0.5, seed=2))
    steps(listened, 40)
    later(listened, 10 * MINUTE)
    assert receiver.taken == []
    later(listened, MINUTE)
    sent = sum(len(one.records) for one in receiver.taken)
    assert sent + ask(listened, "GET", "/_sandbox/webhooks")[1]["dropped"] == 40
    assert 10 < sent < 30


def test_the_past_stops_at_a_receiver_that_refuses_it(
    listened: RunningSandbox, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlt_authsignal.sandbox.webhooks.history.WAITS", (0.01,))
    listened.seed(30, 10, 1)
    receiver.usually = 503
    sent = listened.sandbox.history.send_and_wait(5, timeout=20)
    assert (sent.events, sent.failed) == (0, "503")


@pytest.mark.parametrize("wanted", [5, {"days": 0}, {"day": 3}, {"days": "3"}])
def test_an_invalid_request_to_send_the_past_is_refused(listened: RunningSandbox, wanted: Any) -> None:
    status, answer, _ = ask(listened, "POST", "/_sandbox/webhooks", {"send_history": wanted})
    assert (status, "Nothing was sent" in answer["error"]) == (400, True)


def test_webhooks_of_each_tenant_have_its_id_and_are_signed_with_its_key_until_it_is_removed(
    receiver: Receiver,
) -> None:
    with run_in_thread(SandboxConfig(tenants={"acme": {"region": "eu"}})) as running:
        tenants = (running.tenant("acme"), running.add_tenant("late"))
        for count, one in enumerate(tenants, start=1):
            one.sandbox.webhooks.configure(authenticator_events_url=receiver.url)
            enrol_by_key(one)
            sent = receiver.wait(count)[-1]
            assert sent.json["tenantId"] == one.tenant_id
            verify(one.api_secret_key, sent.body, sent.signature, time.time())
            with pytest.raises(SignatureRefused):
                verify(SECRET, sent.body, sent.signature, time.time())
        enrol_by_key(running)
        running.remove_tenant("late")
        late = tenants[1].sandbox
        late.webhooks.queue("authenticator.created", late.clock.now(), dict)
        running.sandbox.webhooks.flush()
        assert len(receiver.taken) == 2


def enrol_by_key(one: RunningSandbox) -> None:
    """Enrol a phone number by the Server API, with the tenant's key."""
    key = basic_auth(one.api_secret_key)
    body = {"verificationMethod": "SMS", "phoneNumber": "+64211234567"}
    status, _, _ = ask(one, "POST", "/users/ann/authenticators", body, auth=key)
    assert status == 200
