"""Tenants of one sandbox share the address only: no call of one changes another, and no secret of one works there."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import jwt
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.sandbox import Fixture, RunningSandbox, Sandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.app.app import create_app
from dlt_authsignal.sandbox.app.route_table import ALIASES, SERVED
from tests.tiers import examples

FIRST: Final = "first"
TENANTS: Final = (FIRST, "acme", "globex")
SECRETS: Final = ("server", "management", "tenant", "bearer")

CONTROLLED: Final = sorted(
    f"{method} {route.path}"
    for route in create_app(Sandbox()).routes
    if isinstance(route, Route)
    for method in route.methods or ()
    if route.path.startswith("/_sandbox/") and "/tenants" not in route.path and method != "HEAD"
)

BODIES: Final[dict[str, Any]] = {
    "POST /_sandbox/seed": {"users": 3, "seed": 1},
    "POST /_sandbox/config": {"listing": "refused", "token_minutes": 3},
    "POST /_sandbox/snapshot": {"name": "kept"},
    "POST /_sandbox/restore": {"name": "kept"},
    "POST /_sandbox/clock/advance": {"days": 3},
    "POST /_sandbox/ip": {"address": "192.0.2.9", "countryCode": "NZ"},
    "POST /_sandbox/try": {"userId": "ann"},
    "POST /_sandbox/fixture": {"users": {"eve": {}}, "fixedCodes": {"eve@example.com": "1234"}},
    "POST /_sandbox/state": {"users": {"eve": {}}},
    "POST /_sandbox/faults": {"route": "*", "kind": "status", "status": 500, "times": 2},
    "POST /_sandbox/limits": {"key": "server", "perSecond": 1},
    "POST /_sandbox/webhooks": {"log_events_url": "http://127.0.0.1:9/log", "faults": {"drops": 0.5, "seed": 1}},
    "POST /_sandbox/configuration/as-of": {"at": None},
}

ANY: Final[dict[str, Any]] = {
    "userId": "ann",
    "userIds": ["ann"],
    "action": "signIn",
    "actionCode": "signIn",
    "verificationMethod": "EMAIL_OTP",
    "email": "ann@example.com",
    "phoneNumber": "+64211234567",
    "name": "A name",
    "type": "BLOCK",
    "verificationCode": "123456",
    "clientId": "web",
    "tokenDurationInMinutes": 7,
    "itemType": "string",
    "valueListItems": ["a"],
    "dataType": "text",
    "modelType": "action",
    "primaryColor": "#112233",
    "messageOverrides": {"en": {"choose.title": "Changed"}},
}
"""A body that many routes accept. The others refuse it, which must not change another tenant either."""


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    """Three tenants with users of the same ids. The clocks are stopped, so that states can be compared."""
    config = SandboxConfig(seed=1, tenants={name: {} for name in TENANTS[1:]})
    with run_in_thread(config) as started:
        yield started


def tenant(running: RunningSandbox, name: str) -> RunningSandbox:
    return running if name == FIRST else running.tenant(name)


USERS: Final[dict[str, Any]] = {
    "ann": {
        "email": "ann@example.com",
        "authenticators": [{"verificationMethod": "PASSKEY"}, {"verificationMethod": "EMAIL_OTP"}],
        "actions": [{"actionCode": "signIn", "state": "CHALLENGE_SUCCEEDED", "createdAt": "-1d"}],
        "devices": [{"deviceId": "phone"}],
    },
    "ben": {},
}


def fill(running: RunningSandbox) -> None:
    """Give each tenant users of the same ids, and a stopped clock."""
    for name in TENANTS:
        one = tenant(running, name)
        one.reset()
        one.load(Fixture.of({"users": USERS, "clock": {"now": "2026-11-02T09:00:00Z", "frozen": True}}))
        one.snapshot("kept")


def complete(one: RunningSandbox) -> dict[str, Any]:
    """All that a tenant is: its exported state, and what an export does not contain."""
    sandbox = one.sandbox
    return {
        "state": Fixture.state_of(sandbox),
        "requests": sandbox.log.shown(),
        "faults": sandbox.faults.shown(),
        "limits": sandbox.limits.shown(),
        "webhooks": sandbox.webhooks.shown(),
        "snapshots": sandbox.snapshots(),
        "config": sandbox.config,
        "random": (sandbox.rng.getstate(), sandbox.id_rng.getstate()),
    }


def server(one: RunningSandbox, method: str, path: str, body: Any = None) -> Any:
    answer = requests.request(method, f"{one.url}{path}", json=body, auth=(one.api_secret_key, ""), timeout=30)
    return answer.json()


def token_of(one: RunningSandbox, user_id: str = "ann") -> str:
    body = {"scope": "read:authenticators add:authenticators update:authenticators"}
    found: str = server(one, "POST", f"/users/{user_id}/actions/signIn", body)["token"]
    return found


def client(one: RunningSandbox, path: str, body: Any, token: str | None = None) -> requests.Response:
    """Call the Client API with a token, or with the tenant id."""
    auth = None if token else (one.tenant_id, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(f"{one.url}/client{path}", json=body, auth=auth, headers=headers, timeout=30)


def others(running: RunningSandbox, name: str) -> list[RunningSandbox]:
    return [tenant(running, one) for one in TENANTS if one != name]


@pytest.mark.parametrize("name", ["acme", FIRST])
@pytest.mark.parametrize("route", CONTROLLED)
def test_a_control_route_changes_only_its_own_tenant(running: RunningSandbox, name: str, route: str) -> None:
    fill(running)
    one, (method, path) = tenant(running, name), route.split(" ")
    before = [complete(other) for other in others(running, name)]
    url = one.control_url + path.removeprefix("/_sandbox/")
    requests.request(method, url, json=BODIES.get(route, {}) if method == "POST" else None, timeout=30)
    assert [complete(other) for other in others(running, name)] == before


@pytest.mark.parametrize("name", ["acme", FIRST])
@pytest.mark.parametrize("route", [str(described) for described, _ in (*SERVED, *ALIASES)])
def test_an_api_route_changes_only_the_tenant_of_the_key(running: RunningSandbox, name: str, route: str) -> None:
    fill(running)
    one, (method, template) = tenant(running, name), route.split(" ")
    described = next(described for described, _ in (*SERVED, *ALIASES) if str(described) == route)
    token = token_of(one)
    before = [complete(other) for other in others(running, name)]
    path = re.sub(
        r"{(\w+)}", lambda found: {"userId": "ann", "tenantId": one.tenant_id}.get(found[1], "signIn"), template
    )
    keys = {"server": one.api_secret_key, "management": one.management_secret_key}
    bearer = {"Authorization": f"Bearer {token}"} if "bearer" in described.auth else {}
    auth = None if bearer else (keys.get(described.auth, one.tenant_id), "")
    body = {**ANY, "token": token} if method != "GET" else None
    answer = requests.request(method, f"{one.url}{path}", json=body, auth=auth, headers=bearer, timeout=30)
    assert answer.status_code != 401
    assert [complete(other) for other in others(running, name)] == before


CODED, LINKED = "coded@example.com", "linked@example.com"


def secrets_of(one: RunningSandbox) -> dict[str, Any]:
    """One of each secret of a tenant, all of them in use."""
    token, passkey = token_of(one, "ben"), one.passkey("ann", origin="http://localhost:3000")
    session = server(one, "POST", "/sessions", {"clientId": "web", "token": signed_in(one, passkey)})
    sent = server(one, "POST", "/challenge", {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": CODED})
    client(one, "/user-authenticators/email-magic-link", {"email": LINKED}, token)
    code, link = one.outbox.last(CODED), one.outbox.last(LINKED)
    assert code
    assert link
    return {
        "token": token,
        "passkey": passkey,
        "session": session,
        "code": {"challengeId": sent["challengeId"], "verificationCode": code.code},
        "link": link.url,
    }


def signed_in(one: RunningSandbox, passkey: SoftwarePasskey) -> str:
    """Return the token of a sign-in with a passkey."""
    started = client(one, "/user-authenticators/passkey/authentication-options", {}).json()
    body = {"challengeId": started["challengeId"], "authenticationCredential": passkey.get(started["options"])}
    answer = client(one, "/verify/passkey", body)
    found: str = answer.json().get("accessToken", "")
    return found


@pytest.mark.parametrize(("mine", "other"), [("acme", "globex"), ("acme", FIRST), (FIRST, "acme")])
def test_no_secret_of_one_tenant_works_with_another(running: RunningSandbox, mine: str, other: str) -> None:
    fill(running)
    one, two = tenant(running, mine), tenant(running, other)
    held = secrets_of(one)
    before = Fixture.of_sandbox(two.sandbox)["users"]

    bearer = {"Authorization": f"Bearer {held['token']}"}
    assert server(one, "POST", "/validate", {"token": held["token"]})["userId"] == "ben"
    assert server(two, "POST", "/validate", {"token": held["token"]}) == {
        "isValid": False,
        "error": "Token is invalid.",
    }
    assert signed_in(one, held["passkey"])
    assert not signed_in(two, held["passkey"])
    access, refresh = held["session"]["accessToken"], held["session"]["refreshToken"]
    known = {"accessToken": access, "clientIds": ["web"]}
    assert server(one, "POST", "/sessions/validate", known)["user"]["userId"] == "ann"
    assert server(two, "POST", "/sessions/validate", known)["error"] == "invalid_request"
    assert server(two, "POST", "/sessions/refresh", {"refreshToken": refresh})["error"] == "invalid_request"
    assert server(two, "POST", "/verify", held["code"]) == server(
        two, "POST", "/verify", {**held["code"], "challengeId": "x"}
    )
    assert server(one, "POST", "/verify", held["code"])["isVerified"]
    assert keys(one) != keys(two)
    assert one.control_url in held["link"]
    there = held["link"].replace(one.control_url, two.control_url)
    assert [requests.get(url, timeout=30).status_code for url in (there, held["link"])] == [404, 200]
    page = requests.get(f"{two.url}/client/user-authenticators", headers=bearer, timeout=30)
    assert page.status_code == (200 if two.url == one.url else 401)  # at one URL, the token is that of its own tenant
    assert Fixture.of_sandbox(two.sandbox)["users"] == before


def keys(one: RunningSandbox) -> Any:
    """The public keys of a tenant's sessions."""
    return requests.get(f"{one.url}/client/public/{one.tenant_id}/.well-known/jwks", timeout=30).json()["keys"]


@pytest.mark.parametrize("name", ["acme", FIRST])
def test_a_token_that_claims_another_tenant_is_refused(running: RunningSandbox, name: str) -> None:
    fill(running)
    one = tenant(running, name)
    claims = jwt.decode(token_of(one), options={"verify_signature": False})
    claims["other"]["tenantId"] = "globex"
    forged = jwt.encode(claims, one.api_secret_key.ljust(32, "."), algorithm="HS256")
    headers = {"Authorization": f"Bearer {forged}"}
    assert requests.get(f"{running.url}/client/user-authenticators", headers=headers, timeout=30).status_code == 401
    assert (
        requests.get(f"{running.control_url.removesuffix('_sandbox/')}hosted/?token={forged}", timeout=30).status_code
        == 401
    )


def reset(one: RunningSandbox) -> None:
    one.reset()
    one.clock.freeze()


STEPS: Final[dict[str, Callable[[RunningSandbox], Any]]] = {
    "track": token_of,
    "sign in": lambda one: signed_in(one, one.passkey("ann", origin="http://localhost:3000")),
    "delete a user": lambda one: server(one, "DELETE", "/users/ann"),
    "change a user": lambda one: server(one, "PATCH", "/users/ben", {"email": "new@example.com"}),
    "send a code": lambda one: client(one, "/challenge/email-otp", {}, token_of(one, "ben")),
    "create a session": lambda one: server(one, "POST", "/sessions", {"clientId": "web", "token": token_of(one)}),
    "reset": reset,
    "seed": lambda one: one.seed(2, days=2, seed=5),
    "move the clock": lambda one: one.clock.advance(hours=1),
    "take a snapshot": lambda one: one.snapshot("kept"),
    "restore a snapshot": lambda one: one.restore("kept"),
    "load a fixture": lambda one: one.load(Fixture.of({"users": {"zoe": {}}})),
    "add a fault": lambda one: control(one, "faults", {"route": "*", "kind": "status", "status": 500}),
    "set a limit": lambda one: control(one, "limits", {"key": "server", "perSecond": 0.5}),
    "clear faults": lambda one: one.faults.clear(),
    "change settings": lambda one: control(one, "config", {"token_minutes": 3}),
    "turn webhooks on": lambda one: control(one, "webhooks", {"log_events_url": "http://127.0.0.1:9/"}),
    "deliver webhooks": lambda one: control(one, "webhooks/flush", {}),
}


def control(one: RunningSandbox, path: str, body: Any) -> None:
    requests.post(one.control_url + path, json=body, timeout=30)


@settings(max_examples=examples(60, quick=8))
@given(
    steps=st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from(sorted(STEPS))), min_size=3, max_size=10),
)
def test_whatever_happens_in_one_tenant_the_others_stay_as_they_are(
    running: RunningSandbox, steps: list[tuple[str, str]]
) -> None:
    fill(running)
    for name, step in steps:
        before = [complete(other) for other in others(running, name)]
        with suppress(KeyError, ValueError, ConfigurationError):  # the users of the step are gone, or a fault applies
            STEPS[step](tenant(running, name))
        tenant(running, name).sandbox.webhooks.flush()  # what is due now must not be delivered during the next step
        assert [complete(other) for other in others(running, name)] == before, step
