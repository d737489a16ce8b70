"""The receiver and Authsignal's own SDK agree on which deliveries are signed.

The SDK is the one for Node: the newest one for Python in a package registry, 4.1.0, verifies no webhooks.
"""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_authsignal.api.webhooks import SIGNATURE_HEADER, sign
from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET, ask
from tests.receivers import KEY, PATH, action, batch_of, receiving, wait_for
from tests.test_webhooks import judged, later, steps
from tests.tiers import examples

KEYS = st.lists(st.sampled_from([KEY, "the-next-key", "a-third-key"]), min_size=1, max_size=3, unique=True)
AGES = st.one_of(st.integers(-900, 290), st.integers(310, 900))
"""Seconds. The SDK rounds the time, so the edge itself is left out."""

CHANGES = st.sampled_from(
    [
        lambda header: header,
        lambda header: header.replace("v2=", "v1="),
        lambda header: header + ",v2=AAAA",
        lambda header: "v2=AAAA," + header,
        lambda header: header + ",v3=x,k",
        lambda header: header.replace(",v2", "=,v2") + "=",
        lambda header: header[:-1],
        lambda header: header.swapcase(),
        lambda header: header.partition(",")[2],
        lambda header: header.partition(",")[0],
        lambda header: header.replace("t=", "t=x"),
        lambda _: "t=,v2=",
        lambda _: "",
    ]
)
DELIVERIES = st.tuples(st.text(max_size=20), KEYS, AGES, CHANGES, st.booleans())


@pytest.mark.examples
@pytest.mark.usefixtures("node_modules")
def test_the_receiver_accepts_what_authsignals_sdk_accepts_and_nothing_else() -> None:
    with receiving() as receiver:

        @settings(max_examples=examples(25, quick=1))
        @given(st.lists(DELIVERIES, min_size=20, max_size=60))
        def agree(deliveries: list[tuple[str, list[str], int, Callable[[str], str], bool]]) -> None:
            cases = [made(*delivery) for delivery in deliveries]
            found = [
                receiver.request(body, {SIGNATURE_HEADER: header} if header else {}).status for body, header in cases
            ]
            expected = [200 if "event" in verdict else 401 for verdict in judged(cases, KEY)]
            assert found == expected

        agree()


def made(text: str, keys: list[str], age: int, change: Callable[[str], str], is_changed: bool) -> tuple[bytes, str]:
    """A body and the header that comes with it."""
    body = batch_of(action(actionCode=text))
    header = sign(keys, body, int(time.time()) - age)
    return body + b" " * is_changed, change(header)


def test_the_receiver_accepts_what_the_sandbox_sends(empty: RunningSandbox) -> None:
    with receiving(api_secret_key=SECRET) as receiver:
        url = f"http://127.0.0.1:{receiver.port}{PATH}"
        empty.sandbox.clock.freeze()
        empty.sandbox.webhooks.configure(log_events_url=url, authenticator_events_url=url)
        ask(empty, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+64211234567"})
        steps(empty, 3)
        later(empty, timedelta(minutes=10))
        wait_for(lambda: len(receiver.files()) == 2)
        assert [file.table for file in receiver.files()] == ["authenticator_events", "challenge_log"]
        assert len(receiver.rows("challenge_log")) == 3
