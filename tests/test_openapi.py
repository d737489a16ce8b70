"""The API's own description, and schemathesis, which knows nothing of us, holding the sandbox to it."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dlt_authsignal.api.endpoints import basic_auth, bearer_auth
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.openapi import describe
from dlt_authsignal.sandbox.served import ALIASES, SERVED
from dlt_authsignal.sandbox.tokens import MANAGE
from dlt_authsignal.sandbox.verification import token_for
from tests.helpers import MANAGEMENT_SECRET, SECRET

EXAMPLES = 12
OPERATIONS = [
    result.ok()  # type: ignore[union-attr] # raises on what is not OpenAPI
    for result in schemathesis.openapi.from_dict(describe((*SERVED, *ALIASES))).get_all_operations()
]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSandbox]:
    with run_in_thread(SandboxConfig(users=20, seed=7)) as sandbox:
        yield sandbox


def authorisation(running: RunningSandbox, lane: str) -> str:
    """A valid header for a lane; the token is that of an invented user with methods."""
    sandbox = running.sandbox
    if lane in ("bearer", "tenant or bearer"):
        user = next(user for user in sandbox.store.users() if sandbox.store.authenticators(user.user_id))
        token = token_for(sandbox, user.user_id, "signIn", "k", MANAGE)
        return bearer_auth(token)
    keys = {"server": SECRET, "management": MANAGEMENT_SECRET, "tenant": sandbox.config.tenant_id, "none": ""}
    return basic_auth(keys[lane])


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
        for operation in OPERATIONS
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        if mode is GenerationMode.POSITIVE or operation.tags != ["none"]  # where nothing can be unfitting
    ],
)
def test_a_route_answers_as_it_is_described(operation: Any, mode: GenerationMode, running: RunningSandbox) -> None:
    header = authorisation(running, operation.tags[0])
    base_url = running.url.removesuffix("/v1")

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def holds(case: Any) -> None:
        case.call_and_validate(base_url, headers={"Authorization": header}, checks=CHECKS, timeout=10)

    holds()


def test_operation_ids_are_unique() -> None:
    served = (*SERVED, *ALIASES)
    document = describe(served)
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) == len(served)
