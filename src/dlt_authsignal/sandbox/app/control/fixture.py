"""Control routes about fixtures: read and write the tenant as a file, save it, and hand out its passkeys.

What reads and writes fixtures is imported when it is needed, because most sandboxes start without it.
"""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.sandbox.app.control.answering import route
from dlt_authsignal.sandbox.http.dispatch import json_response, read_body
from dlt_authsignal.sandbox.sandbox import Sandbox

MAX_FIXTURE_BYTES: Final = 256 * 1024 * 1024
"""Enough for 40,000 invented users with 45 days of actions."""


class FixtureControl:
    """The handlers of one sandbox. Invalid input raises ValueError, Refusal or ConfigurationError."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def fixture(self, request: Request) -> Response:
        """Return the tenant as JSON, which is YAML as well, or as YAML for people."""
        from dlt_authsignal.sandbox.fixtures.fixture import Fixture
        from dlt_authsignal.sandbox.fixtures.form.text import as_json, as_yaml

        value = Fixture.of_sandbox(self._sandbox)
        if request.query_params.get("format") == "yaml":
            return Response(await asyncio.to_thread(as_yaml, value), media_type="application/yaml")
        return Response(as_json(value), media_type="application/json")

    async def put_fixture(self, request: Request) -> Response:
        """Replace the tenant by that of a YAML or JSON body."""
        from dlt_authsignal.sandbox.fixtures.fixture import Fixture

        raw = await read_body(request, MAX_FIXTURE_BYTES)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise ValueError("The body is not UTF-8. The sandbox was not changed.") from None
        given = await asyncio.to_thread(Fixture.from_text, text, "The body")
        given.put_into(self._sandbox)
        return json_response({"counts": self._sandbox.store.counts()})

    async def schema(self, _request: Request) -> Response:
        from dlt_authsignal.sandbox.fixtures.form.schema import fixture_schema

        return json_response(fixture_schema())

    async def state(self, _request: Request) -> Response:
        """Return the tenant with what is in progress, for another sandbox."""
        from dlt_authsignal.sandbox.fixtures.fixture import Fixture
        from dlt_authsignal.sandbox.fixtures.form.text import as_json

        return Response(as_json(Fixture.state_of(self._sandbox)), media_type="application/json")

    async def save(self, _request: Request) -> Response:
        return json_response({"saved": self._sandbox.save()})

    async def passkey(self, request: Request) -> Response:
        """Return the passkeys of a user with their private keys, for `SoftwarePasskey.load`."""
        from dlt_authsignal.sandbox.fixtures.passkeys import software_passkey

        user_id = request.query_params.get("userId")
        if not user_id:
            raise ValueError("userId is missing. Pass it in the query: ?userId=ann.")
        return json_response(software_passkey(self._sandbox, user_id, request.query_params.get("origin")).export())


def fixture_routes(sandbox: Sandbox) -> list[Route]:
    """Return the control routes about fixtures."""
    control = FixtureControl(sandbox)
    return [
        route("GET", "fixture", control.fixture),
        route("POST", "fixture", control.put_fixture),
        route("GET", "fixture/schema", control.schema),
        route("GET", "state", control.state),
        route("POST", "state", control.put_fixture),
        route("POST", "state/save", control.save),
        route("GET", "passkey", control.passkey),
    ]
