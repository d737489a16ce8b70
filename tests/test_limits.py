"""Rate limits on request: 429 for a key that asks too much, and for no other."""

import time
from typing import Any

from dlt_authsignal.api.endpoints import basic_auth, bearer_auth
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.core.rate_limits import Limit
from tests.helpers import ask


def statuses(running: RunningSandbox, count: int, path: str = "/users/u", **arguments: Any) -> list[int]:
    return [ask(running, "GET", path, **arguments)[0] for _ in range(count)]


def test_a_key_that_used_its_burst_gets_429_with_retry_after(empty: RunningSandbox) -> None:
    limit = {"key": "server", "perSecond": 0.5, "burst": 3}
    assert ask(empty, "POST", "/_sandbox/limits", limit)[1] == {"limits": [{**limit, "retryAfter": True}]}
    assert statuses(empty, 3) == [200] * 3
    status, answer, headers = ask(empty, "GET", "/users/u")
    assert (status, answer["errorCode"], headers["retry-after"]) == (429, "too_many_requests", "2")


def test_a_429_response_can_omit_retry_after(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/_sandbox/limits", {"key": "server", "perSecond": 0.1, "retryAfter": False})
    ask(empty, "GET", "/users/u")
    status, _, headers = ask(empty, "GET", "/users/u")
    assert (status, "retry-after" in headers) == (429, False)


def test_a_token_bucket_refills(empty: RunningSandbox) -> None:
    empty.limits.set(Limit(key="server", per_second=20, burst=1))
    assert statuses(empty, 1) == [200]
    time.sleep(0.1)
    assert statuses(empty, 1) == [200]


def test_keys_do_not_share_a_limit(empty: RunningSandbox) -> None:
    token = ask(empty, "POST", "/users/u/actions/signIn")[1]["token"]
    management = basic_auth("sandbox-management-secret")
    empty.limits.set(Limit(key="bearer", per_second=0.1, burst=1))
    mine = "/client/user-authenticators"
    assert statuses(empty, 2, mine, auth=bearer_auth(token)) == [200, 429]
    assert statuses(empty, 2) == [200, 200]
    empty.limits.set(Limit(key="management", per_second=0.1, burst=1))
    assert statuses(empty, 2, "/management/tenant", auth=management) == [200, 429]


def test_a_route_that_accepts_two_credentials_counts_against_the_one_used(empty: RunningSandbox) -> None:
    empty.limits.set(Limit(key="tenant", per_second=0.1, burst=1))
    tenant = basic_auth(empty.sandbox.config.tenant_id)
    body = {"action": "signIn"}
    answered = [ask(empty, "POST", "/client/challenge", body, auth=tenant)[0] for _ in range(2)]
    assert answered == [200, 429]


def test_a_request_with_a_wrong_key_does_not_count(empty: RunningSandbox) -> None:
    empty.limits.set(Limit(key="server", per_second=0.1, burst=1))
    assert statuses(empty, 2, auth=basic_auth("wrong")) == [401, 401]
    assert statuses(empty, 2) == [200, 429]


def test_limits_are_removed_on_request_and_by_a_reset(empty: RunningSandbox) -> None:
    for method, path in (("DELETE", "limits"), ("POST", "reset")):
        empty.limits.set(Limit(key="server", per_second=0.1, burst=1))
        assert statuses(empty, 2) == [200, 429]
        ask(empty, method, f"/_sandbox/{path}")
        assert statuses(empty, 3) == [200] * 3
        assert ask(empty, "GET", "/_sandbox/limits")[1] == {"limits": []}
