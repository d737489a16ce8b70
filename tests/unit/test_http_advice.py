"""Errors of Authsignal's API with the settings to check: the API layer states facts, the source names settings."""

import json
from typing import get_args

import pytest

from dlt_authsignal.api.endpoints import Auth, Endpoint, reading
from dlt_authsignal.api.management_endpoints import LIST_RULES
from dlt_authsignal.api.responses import decode as api_decode
from dlt_authsignal.api.responses import error_body
from dlt_authsignal.api.server_endpoints import QUERY_USERS
from dlt_authsignal.errors import HttpError, TokenExpired, Unauthorized
from dlt_authsignal.source.http.advice import decode, withdrawn

SETTINGS = {
    "server": "api_secret_key",
    "management": "management_secret_key",
    "bearer": "token",
    "tenant": "tenant_id",
    "tenant or bearer": "tenant_id and token",
    "none": "base_url",
}


def endpoint(auth: Auth) -> Endpoint:
    return reading("any", "/any", auth=auth)


def refused(asked: Endpoint, status: int = 401, code: str = "unauthorized") -> HttpError:
    with pytest.raises(HttpError) as raised:
        decode(asked, status, {}, json.dumps(error_body(code, "text")).encode(), dict)
    return raised.value


def test_a_refused_management_key_is_reported_as_the_management_key() -> None:
    said = str(refused(LIST_RULES))
    assert "sources.authsignal_source.management_secret_key" in said
    assert "api_secret_key" not in said
    assert "management_secret_key" in str(withdrawn(LIST_RULES))
    assert "api_secret_key" not in str(withdrawn(LIST_RULES))


@pytest.mark.parametrize("auth", get_args(Auth))
def test_a_refusal_shows_only_the_setting_of_its_authentication_scheme(auth: Auth) -> None:
    for error in (refused(endpoint(auth)), withdrawn(endpoint(auth))):
        assert isinstance(error, Unauthorized)
        assert error.auth == auth
        assert f"sources.authsignal_source.{SETTINGS[auth]}" in str(error)
        others = {"api_secret_key", "management_secret_key"} - {SETTINGS[auth]}
        assert not [name for name in others if name in str(error)]


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (429, "too_many_requests", "Lower rate or concurrency"),
        (302, "", "correct base_url"),
        (404, "", "base_url: it ends in /v1"),
    ],
)
def test_other_refusals_show_their_settings(status: int, code: str, hint: str) -> None:
    assert hint in str(refused(QUERY_USERS, status, code))


def test_a_response_that_is_not_from_authsignal_suggests_checking_base_url() -> None:
    with pytest.raises(HttpError, match="base_url points at the Authsignal API"):
        decode(QUERY_USERS, 200, {}, b"<html>", dict)


def test_an_expired_token_raises_token_expired() -> None:
    assert isinstance(refused(endpoint("bearer"), code="expired_token"), TokenExpired)


@pytest.mark.parametrize("auth", get_args(Auth))
def test_errors_of_the_api_layer_mention_no_setting(auth: Auth) -> None:
    for status, body in [(401, b"{}"), (403, b"{}"), (404, b"{}"), (429, b"{}"), (302, b""), (500, b""), (200, b"<")]:
        with pytest.raises(HttpError) as raised:
            api_decode(endpoint(auth), status, {}, body, dict)
        assert not [
            name for name in ("sources.", "base_url", "secret_key", "region", "rate ") if name in str(raised.value)
        ]
