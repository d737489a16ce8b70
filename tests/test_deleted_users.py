"""A token of a deleted user works nowhere, also if a user with the same id is created again."""

import pytest

from dlt_authsignal.api.endpoints import Endpoint, bearer_auth
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.app.route_table import SERVED
from tests.ceremonies import Visitor
from tests.helpers import ask
from tests.test_webhooks import Receiver, receiver
from tests.tiers import deep_after

__all__ = ["receiver"]

BY_TOKEN = [described for described, _ in SERVED if described.auth in ("bearer", "tenant or bearer")]


@pytest.fixture
def deleted(empty: RunningSandbox) -> Visitor:
    """The holder of a token with every scope. The user was deleted, and created again by another attempt."""
    visitor = Visitor(empty).track()
    visitor.register()
    assert ask(empty, "DELETE", "/users/u")[0] == 200
    ask(empty, "POST", "/users/u/actions/signIn", {})
    return visitor


def test_every_route_of_the_client_api_refuses_it(deleted: Visitor) -> None:
    for described in BY_TOKEN:
        assert _status(deleted, described) == (401, "unauthorized"), described


def _status(visitor: Visitor, described: Endpoint) -> tuple[int, str]:
    body: dict[str, str] | None = None if described.method == "GET" else {}
    status, answer, _ = ask(visitor.running, described.method, described.path, body, auth=bearer_auth(visitor.token))
    return status, answer["errorCode"]


def test_the_server_api_refuses_it(deleted: Visitor) -> None:
    running, token = deleted.running, deleted.token
    assert deleted.validate()["isValid"] is False
    assert deleted.validate()["error"] == "User is invalid."
    assert ask(running, "POST", "/sessions", {"clientId": "web", "token": token})[0] == 400
    assert ask(running, "GET", f"/users?token={token}")[0] == 400
    used = ask(running, "POST", "/_sandbox/recovery-code", {"token": token, "code": "0"})
    assert (used[0], "invalid" in used[1]["error"]) == (400, True)


def test_a_new_token_of_the_user_who_was_created_again_works(deleted: Visitor) -> None:
    again = Visitor(deleted.running).track()
    assert again.register()[0] == 200
    assert len(again.authenticators()) == 1


def test_a_token_does_not_work_while_its_user_does_not_exist(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    ask(empty, "DELETE", "/users/u?actions=true")
    assert visitor.post("/user-authenticators/totp")[0] == 401
    assert empty.sandbox.store.get_user("u") is None


def test_the_fault_that_deletes_a_user_ends_the_users_tokens_too(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    empty.faults.add(Fault(route="GET /users/{userId}", kind="drop_user"))
    ask(empty, "GET", "/users/u")
    assert visitor.post("/user-authenticators/totp")[0] == 401


def test_a_snapshot_from_before_the_deletion_makes_the_token_valid_again(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    empty.snapshot("before")
    ask(empty, "DELETE", "/users/u")
    assert visitor.post("/user-authenticators/totp")[0] == 401
    empty.restore("before")
    assert visitor.post("/user-authenticators/totp")[0] == 200


@pytest.mark.parametrize("route", deep_after(1, ["passkey", "email-otp"]))
def test_a_user_who_is_deleted_while_a_webhook_is_called_gets_no_authenticator(
    empty: RunningSandbox, receiver: Receiver, route: str
) -> None:
    visitor = Visitor(empty).track()
    receiver.before = lambda: empty.sandbox.delete_user("u", actions=False)
    if route == "passkey":
        empty.sandbox.webhooks.configure(verification_urls={"signIn": receiver.url})
        assert visitor.register()[0] == 401
    else:
        empty.sandbox.webhooks.configure(provider_urls={"EMAIL_OTP": receiver.url})
        assert visitor.post("/user-authenticators/email-otp", {"email": "a@example.com"})[0] == 401
    assert len(receiver.taken) == 1
    assert empty.sandbox.store.authenticators("u") == []
