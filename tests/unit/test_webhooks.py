"""Signatures, envelopes and settings, as pure functions."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.api.webhooks import batch, envelope, sign, verify
from dlt_authsignal.errors import SignatureRefused
from dlt_authsignal.sandbox.webhooks.queue import QUEUE_LENGTH, Pending, Queue, next_wait
from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults, WebhookSettings, changed

BODY = b'{"version":1}'
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_signature_is_the_unpadded_base64_hmac_of_time_dot_body() -> None:
    digest = hmac.new(b"key", b'1700000000.{"version":1}', hashlib.sha256).digest()
    assert sign("key", BODY, 1_700_000_000) == f"t=1700000000,v2={base64.b64encode(digest).decode()[:-1]}"


@given(secrets=st.lists(TEXT, min_size=1, max_size=2), body=st.binary(), timestamp=st.integers(0, 2**40))
def test_a_signature_verifies_with_each_signing_key(secrets: list[str], body: bytes, timestamp: int) -> None:
    header = sign(secrets, body, timestamp)
    for secret in secrets:
        verify(secret, body, header, now=timestamp)


@given(body=st.binary(), other=st.binary())
def test_another_body_does_not_verify(body: bytes, other: bytes) -> None:
    if body != other:
        with pytest.raises(SignatureRefused, match="mismatch"):
            verify("key", other, sign("key", body, 1), now=1)


def test_a_signature_of_another_key_does_not_verify_and_no_key_is_shown() -> None:
    with pytest.raises(SignatureRefused, match="mismatch") as raised:
        verify(["mine", "older"], BODY, sign("theirs", BODY, 1), now=1)
    assert not any(key in str(raised.value) for key in ("mine", "older", "theirs"))


@pytest.mark.parametrize(("age", "tolerance"), [(0, 300), (300, 300), (-9999, 300), (9999, 0), (9999, -1), (60, 60)])
def test_a_signature_within_the_tolerance_or_from_the_future_verifies(age: int, tolerance: float) -> None:
    verify("key", BODY, sign("key", BODY, 1_000_000), now=1_000_000 + age, tolerance=tolerance)


@pytest.mark.parametrize(("age", "tolerance"), [(301, 300), (61, 60), (10**9, 300)])
def test_an_older_signature_is_refused_with_both_ages(age: int, tolerance: float) -> None:
    with pytest.raises(SignatureRefused, match=f"tolerance zone.* {age} s old, {tolerance:.0f} s"):
        verify("key", BODY, sign("key", BODY, 1_000_000), now=1_000_000 + age, tolerance=tolerance)


@pytest.mark.parametrize(
    "header",
    [None, "", "t=1", "v2=x", "t=,v2=x", "t=x,v2=x", "t=-1,v2=x", "t=1_0,v2=x", "t=1,t=2,v2=x", "t=1,v1=x", "t=²,v2=x"],
)
def test_a_malformed_header_is_reported_as_a_format_error(header: str | None) -> None:
    with pytest.raises(SignatureRefused, match="format"):
        verify("key", BODY, header, now=1)


@given(header=st.text(st.characters()))
def test_any_invalid_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureRefused):
        verify("key", BODY, header, now=1, tolerance=0)


def test_log_events_contain_a_record_and_other_events_contain_data() -> None:
    about = {"id": "i", "time": "2026-11-02T09:00:00.000Z", "tenant_id": "t"}
    one = envelope("authenticator.created", {"a": 1}, **about)
    assert one == {
        "version": 1,
        "id": "i",
        "source": "https://authsignal.com",
        "time": "2026-11-02T09:00:00.000Z",
        "tenantId": "t",
        "type": "authenticator.created",
        "data": {"a": 1},
    }
    log = envelope("action.log_created", {"a": 1}, **about)
    assert log["record"] == {"a": 1}
    assert "data" not in log
    assert batch([log]) == {"records": [log]}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://h/p",
        "file:///etc/passwd",
        "http://",
        "http:///p",
        "http://h:x/",
        "http://h:0/",
        "http://h/ p",
        5,
    ],
)
def test_an_invalid_url_is_refused_with_its_setting_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="log_events_url must be an http or https URL"):
        WebhookSettings(log_events_url=url)
    with pytest.raises(ValueError, match=r'provider_urls\["SMS"\] must be'):
        WebhookSettings(provider_urls={"SMS": url})


@pytest.mark.parametrize(
    "settings",
    [
        {"provider_urls": {"PASSKEY": "http://h/"}},
        {"verification_urls": ["http://h/"]},
        {"include_public_keys": 1},
        {"previous_secret_key": ""},
        {"timeout_seconds": 0},
        {"timeout_seconds": True},
        {"unheard_of": 1},
    ],
)
def test_an_invalid_setting_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(settings))) if "provider_urls" not in settings else "PASSKEY"):
        changed(WebhookSettings(), settings)


@pytest.mark.parametrize(
    "faults", [{"duplicates": 1.1}, {"duplicates": -0.1}, {"shuffle": "yes"}, {"outage": -1}, {"seed": 0.5}, {"x": 1}]
)
def test_invalid_faults_are_refused(faults: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(faults)))):
        changed(WebhookFaults(), faults)


def test_shown_settings_contain_no_secret() -> None:
    settings = WebhookSettings(log_events_url="https://me:pw@h:8/p?token=t", previous_secret_key="old")
    shown = settings.shown()
    assert shown["log_events_url"] == "https://h:8/p?…"
    assert shown["signing_keys"] == 2
    assert not any(secret in f"{shown}" for secret in ("pw", "token", "old"))


NOW = datetime(2026, 11, 2, tzinfo=UTC)


def pending(type: str, attempts: int = 0) -> Pending:
    return Pending(type=type, time=NOW, make=dict, attempts=attempts)


def test_the_queue_returns_due_events_in_order_and_keeps_the_rest() -> None:
    queue, second = Queue(), timedelta(seconds=1)
    late, first, same = (pending("action.log_created") for _ in range(3))
    for due, one in ((NOW + second, late), (NOW, first), (NOW, same)):
        queue.put(due, one)
    assert [one is expected for one, expected in zip(queue.take_due(NOW), (first, same), strict=True)] == [True, True]
    assert len(queue) == 1
    assert queue.take_due(NOW + second)[0] is late


def test_a_full_queue_rejects_events_and_counts_them_as_lost() -> None:
    queue, one = Queue(), pending("action.log_created")
    for _ in range(QUEUE_LENGTH + 2):
        queue.put(NOW, one)
    assert (len(queue), queue.lost) == (QUEUE_LENGTH, 2)


def test_retry_waits_grow_for_log_events_and_end_for_authenticator_events() -> None:
    log = [next_wait(pending("action.log_created", attempts)) for attempts in (1, 2, 3, 7, 8, 9, 10**6)]
    assert log == [timedelta(seconds=seconds) for seconds in (30, 60, 120, 1920, 3600, 3600, 3600)]
    others = [next_wait(pending("authenticator.created", attempts)) for attempts in (1, 2, 3, 4)]
    assert others == [timedelta(seconds=30)] * 3 + [None]
