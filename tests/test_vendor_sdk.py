"""Conformance with Authsignal's Python SDK: its own tests against the sandbox, and a sync of what it wrote."""

import os
import subprocess
import sys
from typing import Any

from authsignal.client import AuthsignalClient

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import SECRET, sync_from, table


def sdk(running: RunningSandbox) -> AuthsignalClient:
    return AuthsignalClient(SECRET, running.url)


def test_the_tests_of_the_sdk_pass_against_the_sandbox(empty: RunningSandbox) -> None:
    sdk(empty).enroll_verified_authenticator("user123", {"verificationMethod": "SMS", "phoneNumber": "+64211234567"})
    done = subprocess.run(
        [sys.executable, "-m", "authsignal.client_tests"],
        env={**os.environ, "AUTHSIGNAL_API_URL": empty.url, "AUTHSIGNAL_API_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ran 9 tests" in done.stderr


def write_people(client: AuthsignalClient) -> dict[str, list[tuple[str, str]]]:
    """Users, authenticators and actions through the SDK; returns (code, key) of the actions by user."""
    actions: dict[str, list[tuple[str, str]]] = {}
    for number in range(12):
        user_id = f"sdk:{number}"
        client.update_user(
            user_id, {"email": f"sdk{number}@example.com", "displayName": f"SDK {number}", "locale": "en-NZ"}
        )
        if number % 3:
            client.enroll_verified_authenticator(
                user_id, {"verificationMethod": "SMS", "phoneNumber": f"+6421000{number:03d}"}
            )
        if number % 4 == 0:
            email = {"verificationMethod": "EMAIL_OTP", "email": f"sdk{number}@example.com"}
            client.enroll_verified_authenticator(user_id, email)
        for attempt in range(number % 3):
            code = "signIn" if attempt else "payment"
            tracked = client.track(user_id, code, {"ipAddress": "203.0.113.9", "userAgent": "SDK"})
            actions.setdefault(user_id, []).append((code, tracked["idempotency_key"]))
    code, key = actions["sdk:2"][0]
    client.update_action("sdk:2", code, key, {"state": "CHALLENGE_FAILED"})
    client.delete_user("sdk:11")
    del actions["sdk:11"]
    return actions


def test_the_tables_contain_the_data_written_through_the_sdk(empty: RunningSandbox) -> None:
    client = sdk(empty)
    actions = write_people(client)
    sync_from(empty)
    users = {row["user_id"]: row for row in table("users")}
    assert sorted(users) == sorted(f"sdk:{number}" for number in range(11))
    for user_id, row in users.items():
        said = client.get_user(user_id)
        assert row["is_enrolled"] == said["is_enrolled"]
        for name in ("email", "display_name", "locale", "email_verified", "phone_number_verified"):
            assert row.get(name) == said.get(name), name
        assert_same(table("user_authenticators"), client.get_authenticators(user_id), user_id)
        assert_same_actions(client, user_id, actions.get(user_id, []))


def assert_same(loaded: list[dict[str, Any]], said: list[dict[str, Any]], user_id: str) -> None:
    mine = {row["user_authenticator_id"]: row for row in loaded if row["user_id"] == user_id}
    assert sorted(mine) == sorted(value["user_authenticator_id"] for value in said)
    for value in said:
        row = mine[value["user_authenticator_id"]]
        for name in ("verification_method", "email", "phone_number"):
            assert row.get(name) == value.get(name), name


def assert_same_actions(client: AuthsignalClient, user_id: str, actions: list[tuple[str, str]]) -> None:
    mine = [row for row in table("user_actions") if row["user_id"] == user_id]
    assert sorted((row["action_code"], row["idempotency_key"]) for row in mine) == sorted(actions)
    for row in mine:
        assert row["state"] == client.get_action(user_id, row["action_code"], row["idempotency_key"])["state"]
