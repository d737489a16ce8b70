"""The sandbox over its socket: authentication, errors, the listing, the window, control."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.responses import UNAUTHORIZED_TEXT
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig
from tests.helpers import ask

UNAUTHORIZED = {"error": "unauthorized", "errorCode": "unauthorized", "errorDescription": UNAUTHORIZED_TEXT}


SERVER_ROUTES = [
    ("GET", "/users"),
    ("GET", "/users/u"),
    ("PATCH", "/users/u"),
    ("POST", "/users/u"),
    ("DELETE", "/users/u"),
    ("GET", "/users/u/authenticators"),
    ("POST", "/users/u/authenticators"),
    ("DELETE", "/users/u/authenticators/a"),
    ("GET", "/users/u/actions"),
    ("POST", "/users/u/actions/signIn"),
    ("GET", "/users/u/actions/signIn/k"),
    ("PATCH", "/users/u/actions/signIn/k"),
    ("GET", "/users/u/devices"),
    ("GET", "/authenticators"),
    ("POST", "/validate"),
]


@pytest.mark.parametrize(("method", "path"), [*SERVER_ROUTES, ("GET", "/client/user-authenticators")])
@pytest.mark.parametrize("auth", [None, "", basic_auth("wrong"), "Bearer nonsense", "Basic !!", "Basic \u00e9\u00ff"])
def test_every_route_refuses_requests_without_the_right_key(
    empty: RunningSandbox, method: str, path: str, auth: str | None
) -> None:
    status, body, headers = ask(empty, method, path, auth=auth)
    assert (status, body) == (401, UNAUTHORIZED)
    assert headers["content-type"] == "application/json"


def test_a_server_key_gives_no_access_to_the_client_api(empty: RunningSandbox) -> None:
    assert ask(empty, "GET", "/client/user-authenticators")[0] == 401


def test_a_token_reads_its_own_user_only(seeded: RunningSandbox) -> None:
    store = seeded.sandbox.store
    user = next(user for user in store.users() if store.authenticators(user.user_id) and "/" not in user.user_id)
    token = ask(seeded, "POST", f"/users/{user.user_id}/actions/signIn", {})[1]["token"]
    status, body, _ = ask(seeded, "GET", "/client/user-authenticators", auth=f"Bearer {token}")
    assert status == 200
    assert {row["userAuthenticatorId"] for row in body} == {
        value.user_authenticator_id for value in store.authenticators(user.user_id)
    }
    assert all("userId" not in row and "isDefault" in row for row in body)


def test_a_token_expires_after_ten_minutes(empty: RunningSandbox) -> None:
    token = ask(empty, "POST", "/users/u/actions/signIn")[1]["token"]
    ask(empty, "POST", "/_sandbox/clock/advance", {"seconds": 599})
    assert ask(empty, "GET", "/client/user-authenticators", auth=f"Bearer {token}")[0] == 200
    ask(empty, "POST", "/_sandbox/clock/advance", {"seconds": 2})
    status, body, _ = ask(empty, "GET", "/client/user-authenticators", auth=f"Bearer {token}")
    assert (status, body["errorCode"]) == (401, "expired_token")


def test_an_unknown_user_is_returned_as_not_enrolled(empty: RunningSandbox) -> None:
    assert ask(empty, "GET", "/users/nobody")[:2] == (200, {"isEnrolled": False})
    assert ask(empty, "GET", "/users/nobody/authenticators")[:2] == (200, [])


def test_actions_reach_back_thirty_days_and_no_further(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/u/actions/signIn", {"idempotencyKey": "old"})
    ask(empty, "POST", "/_sandbox/clock/advance", {"seconds": int(timedelta(days=30, seconds=5).total_seconds())})
    ask(empty, "POST", "/users/u/actions/signIn", {"idempotencyKey": "new"})
    for query in ("", "?fromDate=2020-01-01T00:00:00.000Z", "?codes=signIn,other", "?state=ALLOW"):
        assert [row["idempotencyKey"] for row in ask(empty, "GET", f"/users/u/actions{query}")[1]] == ["new"]
    assert ask(empty, "GET", "/users/u/actions?codes=other")[1] == []
    assert ask(empty, "GET", "/users/u/actions?state=BLOCK")[1] == []


def test_the_same_idempotency_key_is_the_same_action(empty: RunningSandbox) -> None:
    for _ in range(2):
        ask(empty, "POST", "/users/u/actions/signIn", {"idempotencyKey": "k"})
    assert len(ask(empty, "GET", "/users/u/actions")[1]) == 1


def test_a_challenge_needs_an_enrolled_user(empty: RunningSandbox) -> None:
    assert ask(empty, "POST", "/users/u/actions/signIn")[1]["state"] == "ALLOW"
    ask(empty, "POST", "/users/u/authenticators", {"verificationMethod": "SMS", "phoneNumber": "+1"})
    assert ask(empty, "POST", "/users/u/actions/signIn")[1]["state"] == "CHALLENGE_REQUIRED"
    assert ask(empty, "POST", "/users/u/actions/updateProfile")[1]["state"] == "ALLOW"


def test_the_user_list_returns_all_users_once_through_short_and_empty_pages(seeded: RunningSandbox) -> None:
    for place in range(45):
        seeded.sandbox.store.put_deleted(f"gone-{place}")
    ask(seeded, "PATCH", "/users/last", {"email": "l@x"})
    seen, sizes, cursor = [], [], ""
    for _ in range(50):
        page = ask(seeded, "GET", f"/users?limit=20{cursor}")[1]
        seen += [user["userId"] for user in page["users"]]
        sizes.append(len(page["users"]))
        if "lastEvaluatedUserId" not in page:
            break
        cursor = f"&lastEvaluatedUserId={quote(page['lastEvaluatedUserId'], safe='')}"
    assert seen == [user.user_id for user in seeded.sandbox.store.users()]
    assert 0 in sizes[:-1]


def test_filters_match_exactly(empty: RunningSandbox) -> None:
    ask(empty, "PATCH", "/users/u1", {"email": "a@x", "phoneNumber": "+64", "username": "a"})
    ask(empty, "PATCH", "/users/u2", {"email": "aa@x"})
    for query in ("email=a@x", "phoneNumber=%2B64", "username=a"):
        assert [user["userId"] for user in ask(empty, "GET", f"/users?{query}")[1]["users"]] == ["u1"]


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("POST", "/users/u/actions/signIn", b"{broken", 400),
        ("POST", "/users/u/actions/signIn", b"[]", 400),
        ("POST", "/users/u/actions/signIn", b"\xff\xfe", 400),
        ("POST", "/users/u/actions/sign%20in", b"", 400),
        ("POST", "/users/u/actions/" + "a" * 65, b"", 400),
        ("PATCH", "/users/u", b'{"email": 3}', 400),
        ("PATCH", "/users/u", b'{"email": "' + b"a" * 1_100_000 + b'"}', 413),
        ("POST", "/users/u/authenticators", b'{"verificationMethod": "TELEPATHY"}', 400),
        ("POST", "/users/u/authenticators", b'{"verificationMethod": "PASSKEY"}', 400),
        ("POST", "/users/u/actions/signIn", b'{"idempotencyKey": 3}', 400),
        ("DELETE", "/users/u/authenticators/none", b"", 400),
        ("PATCH", "/users/u/actions/signIn/none", b'{"state":"ALLOW"}', 404),
        ("GET", "/users?limit=0", b"", 400),
        ("GET", "/users/u/actions?fromDate=soon", b"", 400),
        ("GET", "/no/such/route", b"", 404),
        ("GET", "/users/", b"", 404),
    ],
)
def test_bad_input_is_a_documented_error_and_changes_nothing(
    empty: RunningSandbox, method: str, path: str, raw: bytes, status: int
) -> None:
    answered, body, headers = ask(empty, method, path, raw=raw)
    assert answered == status
    assert body["error"] == body["errorCode"]
    assert body["errorDescription"]
    assert headers["content-type"] == "application/json"
    assert empty.sandbox.store.counts() == {"users": 0, "authenticators": 0, "actions": 0, "devices": 0}


def test_unknown_keys_in_a_body_are_ignored(empty: RunningSandbox) -> None:
    assert ask(empty, "POST", "/users/u/actions/signIn", {"redirect_url": "x", "nonsense": 1})[0] == 200


def test_a_malformed_token_is_invalid_and_not_an_error(empty: RunningSandbox) -> None:
    status, body, _ = ask(empty, "POST", "/validate", {"token": "garbage"})
    assert (status, body["isValid"]) == (200, False)


def test_control_routes_seed_reset_configure_and_count(empty: RunningSandbox) -> None:
    assert ask(empty, "POST", "/_sandbox/seed", {"users": 10, "days": 5, "seed": 7})[1]["counts"]["users"] == 10
    assert ask(empty, "POST", "/_sandbox/config", {"listing": "refused"})[1]["config"]["listing"] == "refused"
    assert ask(empty, "GET", "/users")[1]["errorCode"] == "invalid_request"
    requests = ask(empty, "GET", "/_sandbox/requests")[1]
    assert (requests["total"], requests["byRoute"], requests["byStatus"]) == (1, {"GET /users": 1}, {"400": 1})
    assert ask(empty, "DELETE", "/_sandbox/requests")[1]["total"] == 0
    assert ask(empty, "POST", "/_sandbox/reset")[1]["counts"]["users"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("seed", {"users": -1}),
        ("seed", {"users": "many"}),
        ("seed", {"users": 10**9}),
        ("seed", {"users": 1, "days": 10**9}),
        ("config", {"token_minutes": 10**30}),
        ("config", {"missing_scope_status": 500}),
        ("config", {"passkey_action": "with space"}),
        ("config", {"masked_credentials": "yes"}),
        ("limits", {"key": "server", "perSecond": 1e-320}),
        ("config", {"colour": "blue"}),
        ("config", {"listing": "maybe"}),
        ("config", {"default_page_size": 0}),
        ("config", {"default_action_result": "SHRUG"}),
        ("clock/advance", {"seconds": -5}),
        ("faults", {"kind": "status"}),
        ("faults", {"route": "GET /nosuch", "kind": "html"}),
        ("faults", {"route": "*", "kind": "flood"}),
        ("faults", {"route": "*", "kind": "html", "colour": "blue"}),
    ],
)
def test_control_routes_report_what_is_wrong(empty: RunningSandbox, path: str, body: dict[str, Any]) -> None:
    status, answer, _ = ask(empty, "POST", f"/_sandbox/{path}", body)
    assert status == 400
    assert answer["error"]


def test_assumptions_can_be_changed_at_run_time(empty: RunningSandbox) -> None:
    changes = {"missing_scope_status": 401, "passkey_action": "hello", "failed_on_max_attempts": True}
    assert changes.items() <= ask(empty, "POST", "/_sandbox/config", changes)[1]["config"].items()
    token = ask(empty, "POST", "/users/u/actions/signIn", {"scope": "update:authenticators"})[1]["token"]
    assert ask(empty, "GET", "/client/user-authenticators", auth=f"Bearer {token}")[0] == 401


def test_a_fault_on_an_unknown_route_suggests_the_nearest_route(empty: RunningSandbox) -> None:
    answer = ask(empty, "POST", "/_sandbox/faults", {"route": "GET /users/ann", "kind": "html"})[1]
    assert 'Did you mean "GET /users/{userId}"?' in answer["error"]


@pytest.mark.parametrize(
    "settings",
    [
        {"relying_party": "http://localhost"},
        {"expected_origins": ("localhost:3000",)},
        {"expected_origins": "http://localhost:3000"},
        {"users": "3"},
        {"token_minutes": -1},
    ],
)
def test_an_invalid_configuration_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        SandboxConfig(**settings)
