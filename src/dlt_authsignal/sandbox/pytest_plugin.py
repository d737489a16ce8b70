"""Pytest fixtures: a sandbox for each test that uses one. Until then only pytest is imported."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from dlt_authsignal.sandbox import Fixture, RunningSandbox, SandboxConfig

MARKER = "authsignal_sandbox"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(users=0, days=45, seed=None, ...): configuration of the authsignal_sandbox and"
        " authsignal_app fixtures: any field of SandboxConfig. fixture may be a file beside the test, or a dict.",
    )


@pytest.fixture
def authsignal_sandbox(request: pytest.FixtureRequest) -> "Iterator[RunningSandbox]":
    """A local Authsignal at `.url`, on a free port, for this test only. It has no users unless the marker adds some.

    Example:
        >>> @pytest.mark.authsignal_sandbox(users=20, seed=7)
        ... def test_sign_in(authsignal_sandbox):
        ...     authsignal_sandbox.url
    """
    config = _config(request)
    from dlt_authsignal.sandbox import run_in_thread

    with run_in_thread(config) as running:
        yield running


@pytest.fixture
def authsignal_app(request: pytest.FixtureRequest) -> "Starlette":
    """The same as an ASGI app without a socket, for an HTTP client's ASGI transport. Its state is `.state.sandbox`, and
    that of other tenants `.state.tenants.get(tenant_id)`.

    Example:
        >>> async def test_sign_in(authsignal_app):
        ...     transport = httpx.ASGITransport(app=authsignal_app)
        ...     httpx.AsyncClient(transport=transport, base_url="http://authsignal/v1")
    """
    config = _config(request)
    from dlt_authsignal.sandbox.app.app import create_app
    from dlt_authsignal.sandbox.tenants.tenants import Tenants

    tenants = Tenants.start(config)
    app = create_app(tenants.first, tenants)
    app.state.sandbox, app.state.tenants = tenants.first, tenants
    return app


def _fixture(given: "str | Path | dict[str, Any]", folder: Path) -> "Fixture":
    """Return the fixture of a dict, or of a file whose path is relative to the folder of the test."""
    from dlt_authsignal.sandbox import Fixture

    return Fixture.of(given) if isinstance(given, dict) else Fixture.read(folder / given)


def _with_fixture(given: Any, request: pytest.FixtureRequest) -> Any:
    """Return the fields of a tenant with its fixture as an object."""
    if isinstance(given, dict) and isinstance(fixture := given.get("fixture"), str | Path | dict):
        return {**given, "fixture": _fixture(fixture, request.path.parent)}
    return given


def _config(request: pytest.FixtureRequest) -> "SandboxConfig":
    """Merge the markers. The one nearest to the test takes precedence."""
    try:
        from dlt_authsignal.sandbox import SandboxConfig
    except ModuleNotFoundError as missing:
        raise pytest.UsageError(f"{missing}. The sandbox needs: pip install 'dlt-authsignal[sandbox]'") from missing
    given: dict[str, Any] = {}
    for marker in reversed(list(request.node.iter_markers(MARKER))):
        if marker.args:
            raise pytest.UsageError(f"@pytest.mark.{MARKER} takes fields by name only, such as users=20.")
        given |= marker.kwargs
    try:
        if isinstance(tenants := given.get("tenants"), dict):
            given["tenants"] = {name: _with_fixture(value, request) for name, value in tenants.items()}
        return SandboxConfig(**_with_fixture(given, request))
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"@pytest.mark.{MARKER}: {error}") from None
