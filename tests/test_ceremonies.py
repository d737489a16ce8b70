"""The ceremonies of the dltHub page as resources, against the sandbox."""

import json
from pathlib import Path
from typing import Any

import dlt
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.errors import ConfigurationError, CredentialsMissing
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.source.http.single_call import description
from tests.ceremonies import ORIGIN, Visitor
from tests.helpers import command, rows, table
from tests.tiers import deep_after

PREFIX = "SOURCES__AUTHSIGNAL_SOURCE__"
ALL = (
    "user_authenticators",
    "passkey_initiate_challenge",
    "passkey_authentication_options",
    "passkey_verify_authentication",
    "passkey_register_options",
    "passkey_register",
)


def load(running: RunningSandbox, *names: str, token: str | None = None, **settings: Any) -> None:
    source = authsignal_source(
        **{
            "token": token,
            "tenant_id": running.sandbox.config.tenant_id,
            "base_url": running.url,
            "authenticator": SoftwarePasskey(origin=ORIGIN),
            **settings,
        }
    )
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    pipeline.run(source.with_resources(*names))


def test_the_six_resources_of_dlthubs_authsignal_page_load_six_tables_in_one_run(empty: RunningSandbox) -> None:
    load(empty, *ALL, token=Visitor(empty).track().token, username="ada@example.com", action="signIn")
    (options,) = table("passkey_register_options")
    assert (options["rp_id"], options["user_verification"], options["status"]) == ("localhost", "required", 200)
    assert json.loads(options["algorithms"]) == [-8, -7, -257]
    assert options["timeout_ms"] == 600_000
    (registered,) = table("passkey_register")
    assert (registered["is_verified"], registered["user_id"]) == (True, "u")
    (begun,) = table("passkey_initiate_challenge")
    (asked,) = table("passkey_authentication_options")
    assert (begun["action"], begun["challenge_hash"]) == ("signIn", asked["challenge_hash"])
    (verified,) = table("passkey_verify_authentication")
    assert (verified["is_verified"], verified["user_id"]) == (True, "u")
    assert all(row["milliseconds"] > 0 for row in (options, registered, begun, asked, verified))


def test_no_ceremony_runs_unless_it_is_selected(empty: RunningSandbox) -> None:
    source = authsignal_source(token=Visitor(empty).track().token, tenant_id="t", base_url=empty.url)
    assert set(source.selected_resources) == {"user_authenticators", "table_reads", "dataset_tenant"}
    assert set(ALL) <= set(source.resources)
    empty.sandbox.log.clear()
    dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data").run(source)
    assert set(empty.sandbox.log.by_route) == {"GET /client/user-authenticators"}


@pytest.mark.parametrize(
    ("name", "calls"),
    deep_after(
        1,
        [
            ("passkey_register_options", {"POST /client/user-authenticators/passkey/registration-options": 1}),
            ("passkey_initiate_challenge", {"POST /client/challenge": 1}),
            ("passkey_authentication_options", {"POST /client/user-authenticators/passkey/authentication-options": 1}),
        ],
    ),
)
def test_a_resource_selected_alone_makes_only_the_calls_it_needs(
    empty: RunningSandbox, name: str, calls: dict[str, int]
) -> None:
    token = Visitor(empty).track().token
    empty.sandbox.log.clear()
    load(empty, name, token=token)
    assert dict(empty.sandbox.log.by_route) == calls
    assert rows(f"select count(*) from {name}") == [(1,)]


def test_the_paths_of_dlthubs_authsignal_page_are_called_on_request(empty: RunningSandbox) -> None:
    token = Visitor(empty).track().token
    empty.sandbox.log.clear()
    load(empty, *ALL[1:], token=token, paths="dlthub", action="signIn")
    called = set(empty.sandbox.log.by_route)
    for path in ("initiate-challenge", "authentication", "register"):
        assert f"POST /client/user-authenticators/passkey/{path}" in called
    assert table("passkey_verify_authentication")[0]["is_verified"] is True


def test_a_sign_in_needs_the_tenant_id_only(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.register()
    load(empty, "passkey_verify_authentication", authenticator=visitor.passkey, action="signIn")
    (row,) = table("passkey_verify_authentication")
    assert (row["is_verified"], row["user_id"]) == (True, "u")


def test_a_refused_ceremony_is_a_row_with_its_error(empty: RunningSandbox) -> None:
    token = Visitor(empty).track().token
    load(empty, "passkey_register", token=token, authenticator=SoftwarePasskey(origin="https://other.example"))
    (row,) = table("passkey_register")
    assert row["error_code"] == "SecurityError"
    assert "status" not in row
    load(empty, "passkey_verify_authentication")
    assert table("passkey_verify_authentication")[0]["error_code"] == "NotAllowedError"
    empty.sandbox.faults.add(Fault(route="POST /client/challenge", kind="status", status=503))
    load(empty, "passkey_initiate_challenge", action="signIn")
    assert table("passkey_initiate_challenge")[0]["status"] == 503


def test_an_expired_token_stops_the_run_and_is_reported(empty: RunningSandbox) -> None:
    visitor = Visitor(empty).track()
    visitor.wait(minutes=11)
    with pytest.raises(Exception, match="expired"):
        load(empty, "passkey_register_options", token=visitor.token)


def test_no_file_contains_a_challenge_token_or_key(empty: RunningSandbox, workdir: Path) -> None:
    visitor = Visitor(empty).track()
    load(empty, *ALL[1:], token=visitor.token, action="signIn")
    left = b"".join(path.read_bytes() for path in workdir.rglob("*") if path.is_file())
    known = [visitor.token, *(value.challenge_id for value in empty.sandbox.challenges.live(empty.sandbox.clock.now()))]
    for secret in known:
        assert secret.encode() not in left


@pytest.mark.parametrize("settings", [{"paths": "other"}, {"authenticator_attachment": "chip"}])
def test_an_invalid_setting_is_refused_with_its_name(empty: RunningSandbox, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        authsignal_source(tenant_id="t", base_url=empty.url, **settings)


def test_registration_without_a_token_reports_the_missing_token(empty: RunningSandbox) -> None:
    with pytest.raises(Exception, match="needs a token"):
        load(empty, "passkey_register_options")


def test_a_refusal_is_explained_without_repeating_sent_values(empty: RunningSandbox) -> None:
    empty.sandbox.configure(missing_scope_status=403)
    enrolled = Visitor(empty).track()
    enrolled.register()
    load(empty, "passkey_register_options", token=enrolled.track().token)
    (row,) = table("passkey_register_options")
    assert (row["status"], row["error_description"]) == (403, "The token does not have the scope add:authenticators.")
    said = {"errorCode": "invalid_request", "errorDescription": "There is no ada@example.com here."}
    empty.sandbox.faults.add(
        Fault(route="POST /client/user-authenticators/passkey/authentication-options", kind="status", status=400)
    )
    load(empty, "passkey_authentication_options", username="ada@example.com")
    assert table("passkey_authentication_options")[0]["error_description"] == "Injected fault of the sandbox."
    assert description(json.dumps(said).encode(), {"username": "ada@example.com"}) is None
    assert description(json.dumps(said).encode(), {"username": "bob@example.com"}) == said["errorDescription"]


def test_a_tenant_id_without_a_token_is_refused_with_the_reason(empty: RunningSandbox) -> None:
    source = authsignal_source(tenant_id="t", base_url=empty.url)
    with pytest.raises(Exception, match="needs a token"):
        dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data").run(source)
    done = command("sync", env={f"{PREFIX}TENANT_ID": "t", f"{PREFIX}BASE_URL": empty.url})
    assert done.returncode == 2
    assert "needs a token" in done.stderr


def test_a_placeholder_tenant_id_is_refused() -> None:
    with pytest.raises(CredentialsMissing):
        authsignal_source(tenant_id="your_tenant_id_here")


def test_a_wrong_tenant_id_is_reported(empty: RunningSandbox) -> None:
    with pytest.raises(Exception, match="tenant_id"):
        load(empty, "passkey_initiate_challenge", tenant_id="other")
