"""Every route against every caller: who is let in, who is not, and what those who are not are told."""

import base64
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from dlt_authsignal.api.endpoints import Endpoint, basic_auth, bearer_auth
from dlt_authsignal.api.responses import UNAUTHORIZED_TEXT
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.app.route_table import ALIASES, SERVED
from dlt_authsignal.sandbox.sessions.tokens import mint
from tests.ceremonies import Visitor
from tests.helpers import MANAGEMENT_SECRET, SECRET, ask

ROUTES = [described for described, _ in (*SERVED, *ALIASES)]
GUARDED = [described for described in ROUTES if described.auth != "none"]
BY_TOKEN = [described for described in ROUTES if described.auth in ("bearer", "tenant or bearer")]
SCOPED = [described for described in ROUTES if described.scope]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    """One tenant for all: no call of this file may change anything."""
    with run_in_thread(SandboxConfig(users=5, seed=7)) as sandbox:
        sandbox.sandbox.clock.freeze()
        yield sandbox


@pytest.fixture(autouse=True)
def untouched(running: RunningSandbox) -> Iterator[None]:
    before = running.sandbox.store.counts()
    yield
    assert running.sandbox.store.counts() == before
    assert len(running.sandbox.outbox) == 0


def call(running: RunningSandbox, described: Endpoint, auth: str | None) -> tuple[int, dict[str, str]]:
    path = described.path.replace("{", "").replace("}", "")
    body: dict[str, str] | None = {} if described.method in ("POST", "PATCH") else None
    status, answer, _ = ask(running, described.method, path, body, auth=auth)
    return status, answer


def token(running: RunningSandbox, *, scope: str = "read:authenticators", hours_ago: int = 0) -> str:
    from datetime import timedelta

    sandbox = running.sandbox
    then = sandbox.clock.now() - timedelta(hours=hours_ago)
    user = next(sandbox.store.users())
    return mint(sandbox.config, then, user_id=user.user_id, action_code="a", idempotency_key="k", scope=scope)


def keys(running: RunningSandbox) -> dict[str, str]:
    """A valid header for each scheme."""
    return {
        "server": basic_auth(SECRET),
        "management": basic_auth(MANAGEMENT_SECRET),
        "tenant": basic_auth(running.sandbox.config.tenant_id),
        "bearer": bearer_auth(token(running)),
    }


NONSENSE = [
    None,
    "",
    "Basic",
    "Basic !!!",
    "Bearer",
    "Bearer a.b.c",
    "Digest abc",
    basic_auth("wrong"),
    "Basic " + base64.b64encode(b"\xff\xfe:").decode(),
]


@pytest.mark.parametrize("described", GUARDED, ids=str)
def test_a_route_refuses_malformed_credentials_and_keys_of_other_apis(
    running: RunningSandbox, described: Endpoint
) -> None:
    allowed = described.auth.split(" or ")
    others = [header for scheme, header in keys(running).items() if scheme not in allowed]
    for auth in [*NONSENSE, *others]:
        status, answer = call(running, described, auth)
        assert (status, answer["errorCode"]) == (401, "unauthorized"), auth
        assert (answer["error"], answer["errorDescription"]) == ("unauthorized", UNAUTHORIZED_TEXT)


@pytest.mark.parametrize("described", BY_TOKEN, ids=str)
def test_a_route_reports_an_expired_token_as_expired(running: RunningSandbox, described: Endpoint) -> None:
    status, answer = call(running, described, bearer_auth(token(running, hours_ago=1)))
    assert (status, answer["errorCode"]) == (401, "expired_token")


@pytest.mark.parametrize("described", BY_TOKEN, ids=str)
def test_a_route_refuses_a_token_of_another_tenant_or_of_another_key(
    running: RunningSandbox, described: Endpoint
) -> None:
    now = running.sandbox.clock.now()
    for config in (SandboxConfig(tenant_id="other"), SandboxConfig(api_secret_key="other")):
        user = next(running.sandbox.store.users())
        foreign = mint(
            config, now, user_id=user.user_id, action_code="a", idempotency_key="k", scope="read:authenticators"
        )
        status, answer = call(running, described, bearer_auth(foreign))
        assert (status, answer["errorCode"]) == (401, "unauthorized")


@pytest.mark.parametrize("described", SCOPED, ids=str)
def test_a_route_refuses_a_token_without_its_scope(running: RunningSandbox, described: Endpoint) -> None:
    status, answer = call(running, described, bearer_auth(token(running, scope="update:authenticators")))
    assert status == running.sandbox.config.missing_scope_status
    assert described.scope
    assert described.scope in answer["errorDescription"]


def test_a_token_shows_its_own_user_only(running: RunningSandbox) -> None:
    store = running.sandbox.store
    for user in list(store.users()):
        visitor = Visitor(running, user.user_id)
        visitor.token = mint(
            running.sandbox.config,
            running.sandbox.clock.now(),
            user_id=user.user_id,
            action_code="a",
            idempotency_key="k",
            scope="read:authenticators",
        )
        mine = {value.user_authenticator_id for value in store.authenticators(user.user_id)}
        assert {row["userAuthenticatorId"] for row in visitor.authenticators()} == mine


NO_ROUTE = [
    ("GET", "/users/u/actions/signIn/"),
    ("GET", "/users/u/nothing"),
    ("GET", "/"),
    ("GET", ""),
    ("PUT", "/users/u"),
    ("POST", "/authenticators"),
    ("GET", "/users/%ff"),
    ("GET", "/managements"),
    ("GET", "/clients"),
    ("GET", "/management"),
    ("GET", "/management/nothing"),
    ("GET", "/management/action-configurations/"),
    ("PUT", "/management/tenant"),
    ("GET", "/client"),
    ("GET", "/client/nothing"),
    ("GET", "/client/verify/passkey"),
    ("PUT", "/client/user-authenticators/passkey"),
]


@pytest.mark.parametrize(("method", "path"), NO_ROUTE)
def test_a_path_without_a_route_is_authenticated_before_it_is_looked_up(
    running: RunningSandbox, method: str, path: str
) -> None:
    kept = keys(running)
    kinds = {"management": ["management"], "client": ["tenant", "bearer"]}
    allowed = kinds.get(path.split("/")[1] if "/" in path else "", ["server"])
    for auth in [*NONSENSE, *(header for kind, header in kept.items() if kind not in allowed)]:
        status, answer, _ = ask(running, method, path, auth=auth)
        assert (status, answer["errorCode"], answer["errorDescription"]) == (401, "unauthorized", UNAUTHORIZED_TEXT)
    for kind in allowed:
        assert ask(running, method, path, auth=kept[kind])[0] in (400, 404, 405)


def test_a_path_without_a_route_reports_an_expired_token_as_expired(running: RunningSandbox) -> None:
    answer = ask(running, "GET", "/client/nothing", auth=bearer_auth(token(running, hours_ago=1)))[1]
    assert answer["errorCode"] == "expired_token"


def test_a_wrong_method_names_the_right_ones(running: RunningSandbox) -> None:
    status, _, headers = ask(running, "DELETE", "/authenticators", auth=basic_auth(SECRET))
    assert (status, sorted(headers["allow"].split(", "))) == (405, ["GET", "HEAD"])


def test_paths_outside_of_the_apis_need_no_key(running: RunningSandbox) -> None:
    assert ask(running, "GET", "/client/public/other/.well-known/jwks", auth=None)[0] == 404
    assert ask(running, "GET", "/_sandbox/nothing", auth=None)[0] == 404


AWKWARD = SandboxConfig(
    api_secret_key="s\u00e9cret?>~~", management_secret_key="m\u00e0nage?>~", tenant_id="t\u00e9nant/\u00ff?>"
)
"""Keys whose base64 contains the two letters in which the alphabets differ."""


def spellings(name: str) -> list[str]:
    """A user name as SDKs send it: either alphabet, padded or not, with the colon or without."""
    found = []
    for text in (name, f"{name}:"):
        standard = base64.b64encode(text.encode()).decode()
        url_safe = base64.urlsafe_b64encode(text.encode()).decode()
        found += [standard, standard.rstrip("="), url_safe, url_safe.rstrip("=")]
    return found


def test_every_spelling_of_a_key_is_accepted() -> None:
    with run_in_thread(AWKWARD) as running:
        for path, name in (
            ("/authenticators", AWKWARD.api_secret_key),
            ("/management/tenant", AWKWARD.management_secret_key),
            ("/client/user-authenticators/passkey?credentialId=x", AWKWARD.tenant_id),
        ):
            given = spellings(name)
            assert {"+", "/"} & set("".join(given))
            assert {"-", "_"} & set("".join(given))
            for text in given:
                status = ask(running, "GET", path, auth=f"Basic {text}")[0]
                assert status == (404 if "passkey" in path else 200), text
            for wrong in (name + "x", name[:-1], f"{name}:password", f"{name}::", ""):
                assert ask(running, "GET", path, auth=f"basic {spellings(wrong)[0]}")[0] == 401


def test_the_browser_sdk_percent_encodes_the_tenant_id_and_leaves_the_colon_out() -> None:
    with run_in_thread(AWKWARD) as running:
        for text in spellings(quote(AWKWARD.tenant_id, safe="")):
            path = "/client/user-authenticators/passkey?credentialId=x"
            assert ask(running, "GET", path, auth=f"Basic {text}")[0] == 404


def test_every_route_is_tested() -> None:
    from dlt_authsignal.api import client_endpoints, management_endpoints
    from dlt_authsignal.api import server_endpoints as endpoints

    declared = {
        str(value)
        for module in (endpoints, client_endpoints, management_endpoints)
        for found in vars(module).values()
        for value in (found.values() if isinstance(found, dict) else [found])
        if isinstance(value, Endpoint)
    }
    assert declared - {str(described) for described in ROUTES} == set()
