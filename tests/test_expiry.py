"""A key that is revoked and a token that expires while a run is under way."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import AuthsignalError, TokenExpired, Unauthorized
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.sandbox import Fault, RunningSandbox
from tests.canaries import database_rows
from tests.ceremonies import ORIGIN, Visitor
from tests.helpers import sync_from, table


@pytest.mark.deep
def test_a_key_revoked_during_a_sync_is_reported_and_nothing_is_loaded(seeded: RunningSandbox) -> None:
    sync_from(seeded)
    before = table("user_actions")
    seeded.sandbox.log.clear()
    seeded.faults.add(Fault(route="*", kind="status", status=401, after=20, times=None))
    with pytest.raises(Unauthorized, match=r"had accepted the same api_secret_key.*revoked or replaced") as raised:
        sync_from(seeded, concurrency=4, full=True)
    assert raised.value.exit_code == 2
    assert seeded.sandbox.log.by_status[401] <= 4 * 4  # what was being asked for, each once
    assert table("user_actions") == before


def test_a_wrong_key_is_not_reported_as_revoked(seeded: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match=r"Check sources\.authsignal_source\.api_secret_key"):
        sync_from(seeded, api_secret_key="wrong")


def test_a_token_that_expires_between_two_attempts_is_reported(empty: RunningSandbox) -> None:
    token = Visitor(empty).track().token
    empty.faults.add(Fault(route="GET /client/user-authenticators", kind="status", status=503, times=None))

    def expire() -> None:
        deadline = time.monotonic() + 60
        while not empty.sandbox.log.by_route.get("GET /client/user-authenticators") and time.monotonic() < deadline:
            time.sleep(0.01)
        empty.clock.advance(timedelta(minutes=11))
        empty.faults.clear()

    clock = threading.Thread(target=expire)
    clock.start()
    with pytest.raises(TokenExpired, match="Have your server track an action") as raised:
        sync_from(empty, api_secret_key=None, token=token, attempts=100)
    clock.join(20)
    assert raised.value.exit_code == 2
    assert token not in str(raised.value)


class Slow(SoftwarePasskey):
    """An authenticator whose owner takes eleven minutes."""

    def __init__(self, running: RunningSandbox) -> None:
        super().__init__(origin=ORIGIN)
        self._running = running

    def create(self, options: Any, **more: Any) -> Any:
        self._running.clock.advance(timedelta(minutes=11))
        return super().create(options, **more)


def test_a_token_that_expires_in_mid_ceremony_is_reported_and_nothing_is_loaded(empty: RunningSandbox) -> None:
    token = Visitor(empty).track().token
    with pytest.raises(TokenExpired, match=r"POST /client/user-authenticators/passkey.*the token has expired"):
        sync_from(empty, api_secret_key=None, token=token, authenticator=Slow(empty), tables=["passkey_register"])
    loaded = {name.rpartition(".")[2] for name, _ in database_rows(Path("authsignal_pipeline.duckdb"))}
    assert {name for name in loaded if not name.startswith("_dlt")} == {"sync_runs"}


@pytest.mark.deep
def test_a_sync_with_a_new_token_works_after_the_old_one_expired(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.wait(minutes=11)
    with pytest.raises(AuthsignalError):
        sync_from(empty, api_secret_key=None, token=visitor.token)
    assert sync_from(empty, api_secret_key=None, token=visitor.track().token).requests == 1
