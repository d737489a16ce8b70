"""What Authsignal says, as pure functions."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS
from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.responses import decode, error_body, retry_after
from dlt_authsignal.api.server_endpoints import DELETE_AUTHENTICATOR, GET_USER, QUERY_USERS
from dlt_authsignal.errors import (
    AuthsignalError,
    RateLimited,
    RequestRefused,
    ServerFault,
    TokenExpired,
    Unauthorized,
    UnexpectedAnswer,
)
from dlt_authsignal.schema.columns import column_name
from dlt_authsignal.schema.tables.server import TABLES


def test_basic_auth_is_the_key_with_an_empty_password() -> None:
    assert basic_auth("key") == "Basic a2V5Og=="


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_user_id_is_one_path_segment(user_id: str) -> None:
    segment = GET_USER.fill(userId=user_id).removeprefix("/users/")
    assert not set(segment) & set("/?# ")
    assert unquote(segment) == user_id


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text(min_size=1, alphabet="ab/%?.*[]|"))
def test_the_route_of_one_user_matches_no_other_user(user_id: str, other: str) -> None:
    method, pattern = DELETE_AUTHENTICATOR.route(userId=user_id)
    assert method == "DELETE"
    assert re.fullmatch(pattern, DELETE_AUTHENTICATOR.fill(userId=user_id, userAuthenticatorId=other))
    if other != user_id:
        assert not re.fullmatch(pattern, DELETE_AUTHENTICATOR.fill(userId=other, userAuthenticatorId="x"))


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Unauthorized),
        (401, "expired_token", TokenExpired),
        (429, "too_many_requests", RateLimited),
        (400, "invalid_request", RequestRefused),
        (404, "not_found", RequestRefused),
        (302, "", RequestRefused),
        (500, "", ServerFault),
        (503, "", ServerFault),
    ],
)
def test_each_refusal_raises_its_error_type_with_the_route(
    status: int, code: str, expected: type[AuthsignalError]
) -> None:
    with pytest.raises(expected) as raised:
        decode(QUERY_USERS, status, {}, json.dumps(error_body(code, "text")).encode(), dict)
    assert "GET /users" in str(raised.value)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"<html>", "HTML"),
        (b"", "empty body"),
        (b'{"users": [', "ends early"),
        (b"hello", "not JSON"),
        (b"[]", "an array where the API documents an object"),
        (b"3", "a bare value"),
        (b'{"error":"x","errorCode":"x","errorDescription":""}', "error body"),
    ],
)
def test_a_success_response_with_an_unexpected_body_is_reported_with_its_kind(body: bytes, found: str) -> None:
    with pytest.raises(UnexpectedAnswer, match=found):
        decode(QUERY_USERS, 200, {}, body, dict)


def test_lone_surrogates_are_kept_as_escapes() -> None:
    escaped = decode(QUERY_USERS, 200, {}, b'{"a":"x\\ud800y","b":"\\ud83d\\ude00"}', dict)
    raw = decode(QUERY_USERS, 200, {}, b'{"a":"x\xed\xa0\x80y","b":"z"}', dict)
    assert (escaped["a"], raw["a"]) == ("x\\ud800y", "x\\ud800y")
    assert escaped["b"] == "\U0001f600"


def test_nul_characters_are_kept_as_escapes() -> None:
    assert decode(QUERY_USERS, 200, {}, b'{"a\\u0000":["x\\u0000y"]}', dict) == {"a\\u0000": ["x\\u0000y"]}


@pytest.mark.parametrize("body", [b"[null]", b'["x"]', b"[[1]]", b"[" * 100_000], ids=["null", "text", "list", "deep"])
def test_an_array_of_anything_but_objects_is_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedAnswer):
        decode(CLIENT_AUTHENTICATORS, 200, {}, body, list)


def test_error_messages_do_not_repeat_the_text_of_the_server() -> None:
    body = b'{"error":"invalid_request","errorCode":"invalid_request","errorDescription":"person@example.com is taken"}'
    with pytest.raises(RequestRefused) as raised:
        decode(QUERY_USERS, 400, {}, body, dict)
    assert "person@" not in str(raised.value)


def test_retry_after_is_read_in_both_its_forms() -> None:
    now = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "Mon, 02 Nov 2026 09:00:30 GMT"}, now) == 30
    assert retry_after({"retry-after": "Mon, 02 Nov 2026 09:00:30 -0000"}, now) == 30
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_column_names_are_api_field_names_in_snake_case() -> None:
    assert column_name("webauthnCredential.aaguidMapping.name") == "webauthn_credential__aaguid_mapping__name"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_declares_its_key_and_no_duplicate_column(name: str) -> None:
    names = [column.name for column in TABLES[name].columns]
    assert set(TABLES[name].key) <= {*names, "tenant_id"}  # tables with one row have their tenant as key
    assert len(names) == len(set(names))
