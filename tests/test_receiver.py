"""Deliveries over HTTP: what is accepted, what is refused, and what is on disk afterwards."""

import gzip
import json
import logging
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.receiver import create_app
from dlt_authsignal.receiver.limits import Limits
from dlt_authsignal.source.config.event_settings import resolved_event_settings
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.spool.encryption import Sealer
from tests.receivers import KEY, PATH, Receiver, action, batch_of, receiving, signed

EVENT = json.dumps(action("e-1")).encode()
DEEP = b'{"type": "x", "id": "e-1", "data": {"list": ' + b"[" * 900 + b"]" * 900 + b"}}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def test_a_signed_delivery_is_answered_200_and_is_in_the_spool(receiver: Receiver) -> None:
    answer = receiver.deliver(batch_of(action("e-1"), action("e-2")))
    assert (answer.status, json.loads(answer.body)) == (200, {"events": 2})
    (file,) = receiver.files()
    assert file.table == "action_log"
    assert [(row["event_id"], row["_read_at"], row["_api"]) for row in receiver.rows()] == [
        ("e-1", file.received_at, "webhook"),
        ("e-2", file.received_at, "webhook"),
    ]


def test_each_table_of_a_delivery_gets_its_file(receiver: Receiver) -> None:
    known, future = action("e-1"), {"id": "e-2", "type": "session.revoked", "data": {"userId": "u"}}
    assert receiver.deliver(batch_of(known, future, {"no": "type"})).status == 200
    assert [file.table for file in receiver.files()] == ["action_log", "unknown_events"]
    assert len(receiver.rows("unknown_events")) == 2


def test_a_single_event_and_an_empty_batch_are_accepted(receiver: Receiver) -> None:
    assert receiver.deliver(EVENT).status == 200
    assert receiver.deliver(batch_of()).status == 200
    assert len(receiver.files()) == 1


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({}, "wrong_signature"),
        ({SIGNATURE_HEADER: "v2=x"}, "wrong_signature"),
        (signed(EVENT, key="another-key"), "wrong_signature"),
        (signed(EVENT + b" "), "wrong_signature"),
        (signed(EVENT, at=-600), "too_old"),
        (signed(EVENT, key="another-key", at=-600), "wrong_signature"),
    ],
    ids=["none", "malformed", "another key", "another body", "too old", "too old and another key"],
)
def test_a_wrong_signature_is_answered_401_and_nothing_is_stored(
    receiver: Receiver, headers: dict[str, str], outcome: str
) -> None:
    answer = receiver.request(EVENT, headers)
    assert (answer.status, json.loads(answer.body)["error"]) == (401, outcome)
    assert receiver.files() == []


def test_a_clock_that_is_ten_minutes_off_is_reported_and_accepted_without_a_tolerance(receiver: Receiver) -> None:
    assert receiver.deliver(EVENT, at=600).status == 200
    late = receiver.deliver(EVENT, at=-600)
    assert late.status == 401
    assert re.search(r"60\d s old", late.hint)
    assert "A known key signed this delivery, so the clock is wrong" in late.hint
    with receiving(tolerance="0") as tolerant:
        assert tolerant.deliver(EVENT, at=-600).status == 200


def test_keys_are_rotated_without_a_refused_delivery() -> None:
    with receiving(additional_secret_keys="the-next-key") as receiver:
        for key in (KEY, [KEY, "the-next-key"], ["unknown", "the-next-key"], "the-next-key"):
            assert receiver.deliver(EVENT, key=key).status == 200


def test_each_tenant_has_its_path_key_and_folder() -> None:
    eu = {"path": "/webhooks/eu", "api_secret_key": "key-of-eu"}
    with receiving(tenants={"eu": eu}) as receiver:
        assert receiver.deliver(EVENT).status == 200
        assert receiver.deliver(EVENT, key="key-of-eu").status == 401
        assert receiver.deliver(EVENT, path="/webhooks/eu").status == 401
        assert receiver.deliver(EVENT, key="key-of-eu", path="/webhooks/eu").status == 200
        assert [len(receiver.files(tenant)) for tenant in ("default", "eu")] == [1, 1]
    with receiving(tenants={"eu": eu}, only=["eu"]) as receiver:
        assert receiver.deliver(EVENT).status == 404
        assert receiver.deliver(EVENT, key="key-of-eu", path="/webhooks/eu").status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"{}", b'{"records": {}}', b"[" * 5000, b"\xff", DEEP])
def test_a_signed_body_that_is_not_an_envelope_is_answered_400(receiver: Receiver, body: bytes) -> None:
    answer = receiver.deliver(body)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "not_an_envelope")
    assert receiver.files() == []


def test_an_unpaired_surrogate_is_stored_as_an_escape(receiver: Receiver) -> None:
    body = batch_of(action("e-1", deviceName="Ann\ud83d", note="\ud83d\ude00"))
    assert b"\\ud83d" in body
    assert receiver.deliver(body).status == 200
    (row,) = receiver.rows()
    assert (row["device_name"], row["note"]) == ("Ann\\ud83d", "\U0001f600")


@pytest.mark.parametrize("kind", ["email.created", "sms.created", "push.created", "action.verify"])
def test_a_webhook_that_a_sign_in_waits_for_is_answered_404_and_never_written(kind: str, tmp_path: Path) -> None:
    event = {"version": 1, "id": "e", "type": kind, "data": {"to": "ann@example.com", "code": "123456"}}
    with receiving(spool_encryption=Fernet.generate_key().decode()) as receiver:
        alone = receiver.deliver(json.dumps(event).encode())
        assert (alone.status, receiver.files(), list(receiver.spool.raw_files("default"))) == (404, [], [])
        assert "enter the receiver's URL for log events and authenticator events only" in alone.hint
        assert receiver.deliver(batch_of(action("e-1"), event)).status == 200
        assert [row["event_id"] for row in receiver.rows()] == ["e-1"]
        assert list(receiver.spool.raw_files("default")) == []
    assert not [path for path in tmp_path.rglob("*.*") if path.is_file() and b"123456" in path.read_bytes()]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", PATH, 405), ("POST", "/", 404), ("POST", PATH + "/", 404)]
)
def test_only_post_to_the_path_of_a_tenant_is_answered(receiver: Receiver, method: str, path: str, status: int) -> None:
    assert receiver.request(EVENT, signed(EVENT), path, method).status == status
    assert receiver.files() == []


@pytest.mark.parametrize("is_declared", [True, False], ids=["content-length", "chunked"])
def test_a_body_over_the_limit_is_answered_413_before_it_is_verified(*, is_declared: bool) -> None:
    with receiving(limits=Limits(body_bytes=100_000)) as receiver:
        if is_declared:
            assert declared(receiver, 100_001).startswith(b"HTTP/1.1 413 ")
        else:
            chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
            assert raw(receiver, head("Transfer-Encoding: chunked"), chunk, chunk).startswith(b"HTTP/1.1 413 ")
        assert receiver.deliver(batch_of(*(action(note="x" * 900) for _ in range(70)))).status == 200


def test_a_body_that_comes_too_slowly_is_answered_408() -> None:
    with receiving(limits=Limits(body_seconds=0.3)) as receiver:
        assert raw(receiver, head("Content-Length: 10"), b"12").startswith(b"HTTP/1.1 408 ")
        assert receiver.deliver(EVENT).status == 200


def test_a_sender_that_closes_the_connection_in_the_middle_leaves_nothing(receiver: Receiver) -> None:
    with connected(receiver) as sender:
        sender.sendall(head("Content-Length: 10") + b"12")
    wait_for_metric(receiver, 'outcome="disconnected"')
    assert receiver.files() == []


def test_endless_headers_close_the_connection() -> None:
    with receiving(limits=Limits(header_seconds=0.3, header_bytes=4096)) as receiver:
        assert raw(receiver, b"POST / HTTP/1.1\r\nHost: a\r\n").startswith(b"HTTP/1.1 408 ")
        assert raw(receiver).startswith(b"HTTP/1.1 408 ")
        assert raw(receiver, b"POST / HTTP/1.1\r\nA: " + b"x" * 5000).startswith(b"HTTP/1.1 431 ")
        with connected(receiver) as sender:  # the second request on a connection
            sender.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET")
            assert sender.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert b"HTTP/1.1 408 " in received(sender)


def test_too_many_deliveries_at_once_are_answered_503_with_a_time_to_wait() -> None:
    with receiving(max_in_flight=1) as receiver, connected(receiver) as slow:
        slow.sendall(head("Content-Length: 10") + b"12")
        wait_for_metric(receiver, "authsignal_receiver_in_flight 1.0")
        answer = receiver.deliver(EVENT)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        slow.close()
        wait_for_metric(receiver, "authsignal_receiver_in_flight 0.0")
        assert receiver.deliver(EVENT).status == 200


def test_bodies_that_together_are_too_large_are_answered_503() -> None:
    with receiving(limits=Limits(in_flight_bytes=1000)) as receiver:
        assert receiver.deliver(batch_of(action(note="x" * 2000))).status == 503
        assert receiver.deliver(EVENT).status == 200


def test_a_disk_that_is_nearly_full_is_answered_503_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(disk_limit="0.01%") as receiver:
        answer = receiver.deliver(EVENT)
        assert (answer.status, answer.headers["retry-after"]) == (503, "60")
        assert receiver.files() == []
        health = receiver.get("/healthz")
        assert (health.status, json.loads(health.body)["reason"]) == (503, "the disk is nearly full")
    assert "deliveries are refused with 503" in caplog.text


def test_a_spool_that_cannot_be_written_is_answered_503_until_it_can(tmp_path: Path) -> None:
    with receiving(limits=Limits(check_seconds=0.1)) as receiver:
        folder = tmp_path / "spool"
        folder.rename(tmp_path / "away")
        folder.write_text("a file in the place of the folder")
        answer = receiver.deliver(EVENT)
        assert (answer.status, answer.headers["retry-after"]) == (503, "30")
        assert receiver.get("/healthz").status == 503
        folder.unlink()
        (tmp_path / "away").rename(folder)
        wait_for_metric(receiver, "authsignal_receiver_ready 1.0")
        assert receiver.deliver(EVENT).status == 200


def test_a_receiver_starts_while_the_spool_is_unreachable_and_accepts_deliveries_when_it_is_reachable(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "spool"
    place.write_text("a file in the place of the folder")
    with receiving(limits=Limits(check_seconds=0.1)) as receiver:
        assert receiver.get("/healthz").status == 503
        assert receiver.deliver(EVENT).status == 503
        place.unlink()
        wait_for_metric(receiver, "authsignal_receiver_ready 1.0")
        assert receiver.deliver(EVENT).status == 200
    assert "Deliveries are refused with 503: The spool" in caplog.text


def test_a_user_id_that_cannot_be_protected_is_answered_503_and_not_written() -> None:
    with receiving(source={"privacy": "pseudonymize"}) as receiver:
        assert receiver.deliver(batch_of(action(userId="ann@example.com"))).status == 503
        assert receiver.files() == []


def test_identifiers_are_protected_before_anything_is_written(tmp_path: Path) -> None:
    with receiving(source={"privacy": "pseudonymize", "privacy_key": "q8Vx2ZrT7mK4pW9sL1nB6cD3fG5hJ0aE"}) as receiver:
        event = action(email="ann@example.com", phoneNumber="+64211234567", customVariables={"colour": "teal"})
        assert receiver.deliver(batch_of(event)).status == 200
        (row,) = receiver.rows()
        assert (len(row["email"]), row["email_domain"], row["phone_number_country"]) == (64, "example.com", "NZ")
    kept = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file())
    assert not [plain for plain in (b"ann@", b"64211234567", b"teal") if plain in kept]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_body_that_a_proxy_compressed_is_verified_as_it_was_signed(receiver: Receiver, encoding: str) -> None:
    compress: Callable[[bytes], bytes] = gzip.compress if encoding == "gzip" else zlib.compress
    headers = {**signed(EVENT), "Content-Encoding": encoding}
    assert receiver.request(compress(EVENT), headers).status == 200
    assert receiver.request(EVENT, headers).status == 200  # decompressed by a proxy that left the header
    packed = compress(EVENT)
    assert receiver.request(packed, {**signed(packed), "Content-Encoding": encoding}).status == 200
    assert len(receiver.rows()) == 3


def test_a_decompression_bomb_and_a_changed_body_are_refused_with_a_hint_about_the_proxy() -> None:
    with receiving(limits=Limits(body_bytes=100_000)) as receiver:
        bomb = gzip.compress(b" " * 50_000_000)
        assert len(bomb) < 100_000
        refused = receiver.request(bomb, {**signed(EVENT), "Content-Encoding": "gzip"})
        assert (refused.status, "larger than 100,000 bytes when decompressed" in refused.hint) == (401, True)
        signed_bomb = receiver.request(bomb, {**signed(bomb), "Content-Encoding": "gzip"})
        assert signed_bomb.status == 400
        for body, encoding in ((gzip.compress(EVENT)[:-9], "gzip"), (b"x", "br"), (EVENT + b"\n", "identity")):
            changed = receiver.request(body, {**signed(EVENT), "Content-Encoding": encoding})
            assert (changed.status, "it must pass on the bytes that Authsignal sent" in changed.hint) == (401, True)


def test_deliveries_are_kept_encrypted_only_with_a_key() -> None:
    key = Fernet.generate_key().decode()
    with receiving(spool_encryption=key) as receiver:
        headers = signed(EVENT)
        receiver.request(EVENT, headers)
        (file,) = receiver.spool.raw_files("default")
        head_lines, body = Sealer([Fernet.generate_key().decode(), key]).opened(receiver.spool.read(file.name))
        assert body == EVENT
        assert head_lines["X-Signature-V2"] == headers[SIGNATURE_HEADER]
        assert file.name.removeprefix("raw/").split(".delivery")[0] == receiver.files()[0].name.split(".action_log")[0]


def test_metrics_count_deliveries_and_events(receiver: Receiver) -> None:
    receiver.deliver(batch_of(action(), action()))
    receiver.request(EVENT, {})
    text = receiver.get("/metrics").body.decode()
    assert 'authsignal_receiver_deliveries_total{outcome="accepted",tenant="default"} 1.0' in text
    assert 'authsignal_receiver_deliveries_total{outcome="wrong_signature",tenant="default"} 1.0' in text
    assert 'authsignal_receiver_events_total{table="action_log",tenant="default"} 2.0' in text
    assert 'authsignal_receiver_last_delivery_timestamp_seconds{tenant="default"}' in text
    assert receiver.get("/healthz").status == 200


def test_the_log_contains_no_body_query_path_or_key(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        receiver.deliver(batch_of(action(email="ann@example.com")), path=PATH + "?token=t0ken")
        receiver.deliver(EVENT, key="another-key")
        receiver.request(EVENT, {}, "/webhooks/unknown-secret")
        assert receiver.get("/healthz").status == 200
    assert "tenant=default status=200 outcome=accepted events=1" in caplog.text
    assert not [secret for secret in ("ann@", "t0ken", PATH, KEY, "unknown-secret") if secret in caplog.text]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"api_secret_key": KEY}, ConfigurationError, "No webhook path is set"),
        ({"path": PATH}, ConfigurationError, 'verify the events of tenant "default"'),
        ({"path": PATH, "api_secret_key": KEY, "spool_encryption": "short"}, ConfigurationError, "not a Fernet key"),
    ],
)
def test_a_missing_setting_is_reported_before_anything_is_received(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    source = SourceSettings()
    with pytest.raises(error, match=message):
        create_app(resolved_event_settings(source=source, **settings), source)


def head(*headers: str) -> bytes:
    return "\r\n".join((f"POST {PATH} HTTP/1.1", "Host: a", *headers, "", "")).encode()


def connected(receiver: Receiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", receiver.port), timeout=30)


def raw(receiver: Receiver, *parts: bytes) -> bytes:
    """What comes back before the receiver closes the connection."""
    with connected(receiver) as sender:
        for part in parts:
            sender.sendall(part)
        return received(sender)


def received(sender: socket.socket) -> bytes:
    found = b""
    while part := sender.recv(65_536):
        found += part
    return found


def declared(receiver: Receiver, size: int) -> bytes:
    return raw(receiver, head(f"Content-Length: {size}"))


def wait_for_metric(receiver: Receiver, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in receiver.get("/metrics").body.decode():
        assert time.monotonic() < deadline, f"no {text}"
        time.sleep(0.02)
