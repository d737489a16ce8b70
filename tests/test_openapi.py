"""The sandbox's OpenAPI document. Schemathesis checks every route against it with generated input."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of

from dlt_authsignal.api.endpoints import Endpoint, basic_auth, bearer_auth
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.app.openapi import describe
from dlt_authsignal.sandbox.app.route_table import ALIASES, SERVED
from dlt_authsignal.sandbox.sessions.tokens import MANAGE
from dlt_authsignal.sandbox.tenant.entities import Device
from dlt_authsignal.sandbox.tenant.settings import BLOCK_RULE
from tests.helpers import ask
from tests.tiers import examples

ROUTES = [endpoint for endpoint, _ in (*SERVED, *ALIASES)]


def test_the_document_is_served_without_a_key_and_lists_every_route(empty: RunningSandbox) -> None:
    with urlopen(empty.url.removesuffix("/v1") + "/openapi.json", timeout=30) as answer:
        assert answer.headers["content-type"] == "application/json"
        found = json.load(answer)
    listed = {f"{method.upper()} {path}" for path, operations in found["paths"].items() for method in operations}
    assert listed == {str(endpoint) for endpoint in ROUTES}


def test_the_document_is_valid_and_its_names_are_unique() -> None:
    schema = judged_schema()
    schema.validate()
    found = describe((*SERVED, *ALIASES))
    names = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    assert not [name for name in found["components"]["schemas"] if "." in name]


def test_the_document_omits_the_paths_of_dlthubs_authsignal_page_if_they_are_disabled() -> None:
    listed = describe(SERVED)["paths"]
    assert not [endpoint for endpoint, _ in ALIASES if endpoint.method.lower() in listed.get(endpoint.path, {})]


@cache
def judged_schema() -> Any:
    import schemathesis

    return schemathesis.openapi.from_dict(describe((*SERVED, *ALIASES)))


class Judged:
    """A sandbox with a user that the checks can use, and every way to authenticate."""

    def __init__(self, running: RunningSandbox) -> None:
        self.running = running
        tracked = {"idempotencyKey": "known", "scope": MANAGE, "deviceId": "device", "email": "judge@example.com"}
        token = ask(running, "POST", "/users/judge/actions/signIn", tracked)[1]["token"]
        enrolment = {"verificationMethod": "SMS", "phoneNumber": "+6421555000"}
        enrolled = ask(running, "POST", "/users/judge/authenticators", enrolment)[1]["authenticator"]
        tenant, config = running.sandbox.tenant, running.sandbox.config
        self.headers = {
            "server": basic_auth(config.api_secret_key),
            "management": basic_auth(config.management_secret_key),
            "tenant": basic_auth(config.tenant_id),
            "bearer": bearer_auth(token),
            "none": "",
        }
        self.known = {
            "userId": "judge",
            "userAuthenticatorId": enrolled["userAuthenticatorId"],
            "deviceId": "device",
            "action": "signIn",
            "idempotencyKey": "known",
            "tenantId": config.tenant_id,
            "actionCode": "signIn",
            "ruleId": BLOCK_RULE,
            "authenticatorId": next(iter(tenant.methods)),
            "id": next(iter(tenant.data_points)),
            "alias": "trusted-partners",
        }
        running.sandbox.store.put_device(Device(user_id="judge", device_id="device", created_at=running.clock.now()))
        running.snapshot("begin")


@pytest.fixture(scope="module")
def judged() -> Iterator[Judged]:
    with run_in_thread(SandboxConfig(seed=7, users=3)) as running:
        yield Judged(running)


@pytest.mark.examples
@pytest.mark.parametrize("endpoint", ROUTES, ids=str)
def test_every_response_matches_the_openapi_document(judged: Judged, endpoint: Endpoint) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    judged.running.restore("begin")
    operation = judged_schema()[endpoint.path][endpoint.method]
    known = {name: value for name, value in judged.known.items() if f"{{{name}}}" in endpoint.path}
    cases = one_of(
        operation.as_strategy(path_parameters=known),
        operation.as_strategy(GenerationMode.POSITIVE),
        operation.as_strategy(GenerationMode.NEGATIVE),
    )
    held_to = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    headers = {"Authorization": judged.headers[endpoint.auth.split(" or ")[-1]]}

    @settings(
        max_examples=examples(15, quick=2),
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def check(case: Any) -> None:
        answer = case.call(base_url=judged.running.url, headers=headers)
        statuses.append(answer.status_code)
        case.validate_response(answer, checks=held_to)  # raises with all that does not fit

    statuses: list[int] = []
    check()
    assert statuses
    assert max(statuses) < 500


DEVICE = "/users/judge/devices/device"


@pytest.mark.parametrize(
    ("method", "path", "raw"),
    [
        ("PATCH", DEVICE, b'{"rememberedUntil": "9999-12-31T23:59:59-12:00"}'),
        ("PATCH", DEVICE, b'{"rememberedUntil": "0001-01-01T00:00:00+12:00"}'),
        ("PATCH", "/users/u", b'{"email": "\\ud800"}'),
        ("PATCH", "/users/u", b'{"custom": {"a": NaN}}'),
        ("PATCH", "/users/u", b'{"custom": {"a": 1e999}}'),
        ("PATCH", "/users/u", b'{"custom":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}"),
        ("GET", "/users?limit=99999999999999999999999", b""),
        ("GET", "/users?limit=NaN", b""),
        ("GET", "/users/u/actions?fromDate=0001-01-01T00:00:00%2B12:00", b""),
        ("GET", "/users/%ED%A0%80", b""),
        ("GET", "/users/%zz", b""),
    ],
    ids=lambda value: str(value)[:50],
)
def test_extreme_values_are_answered_and_keep_the_data_readable(
    judged: Judged, method: str, path: str, raw: bytes
) -> None:
    assert ask(judged.running, method, path, raw=raw)[0] in (200, 400)
    for readable in ("/users/u", "/users/judge/devices"):
        assert ask(judged.running, "GET", readable)[0] == 200


def test_a_time_in_the_first_years_keeps_its_leading_zeros(judged: Judged) -> None:
    _, device, _ = ask(judged.running, "PATCH", DEVICE, {"rememberedUntil": "0001-01-01T00:00:00Z"})
    assert device["rememberedUntil"] == "0001-01-01T00:00:00.000Z"
