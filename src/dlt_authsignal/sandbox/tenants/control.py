"""Control routes about the tenants of a sandbox: list, add, remove.

The control routes of one tenant are below its id: `/_sandbox/tenants/acme/reset` (see `by_tenant`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.core.config import MOST_DAYS, SandboxConfig
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.http.dispatch import base_url, json_response, read_body
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenants.tenants import NoSuchTenant, Tenants

MAX_BYTES: Final = 256 * 1024 * 1024
"""As for a fixture, because a tenant may start with one."""

Key = Annotated[str, Meta(min_length=1, max_length=256)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]


class NewTenant(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Body of `POST /_sandbox/tenants`."""

    tenant_id: str
    region: Literal["us", "au", "eu", "ca"] | UnsetType = UNSET
    api_secret_key: Key | UnsetType = UNSET
    management_secret_key: Key | UnsetType = UNSET
    users: Count = 0
    days: Annotated[int, Meta(ge=0, le=MOST_DAYS)] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    fixture: dict[str, Any] | UnsetType = UNSET

    def fields(self) -> dict[str, Any]:
        """Return the fields of the configuration that differ from those of the first tenant."""
        found = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        del found["tenant_id"]
        if "fixture" in found:
            from dlt_authsignal.sandbox.fixtures.fixture import Fixture  # most sandboxes start without it

            found["fixture"] = Fixture.of(found["fixture"], "fixture")
        return found


def shown_tenant(sandbox: Sandbox, base: str) -> dict[str, Any]:
    """Return what programs need to know of a tenant. Keys that the user chose may be real ones, so they are null."""
    config = sandbox.config
    return {
        "tenantId": config.tenant_id,
        "region": config.region,
        "url": f"{base}{config.region_path}/v1",
        "controlUrl": f"{base}{sandbox.control_path}",
        "apiSecretKey": _unless_chosen(config, "api_secret_key", "server"),
        "managementSecretKey": _unless_chosen(config, "management_secret_key", "management"),
        "now": iso(sandbox.clock.now()),
        "users": sandbox.store.counts()["users"],
    }


def _unless_chosen(config: SandboxConfig, name: str, kind: str) -> str | None:
    key: str = getattr(config, name)
    return key if key in (f"{config.tenant_id}-{kind}-secret", getattr(SandboxConfig, name)) else None


def tenant_routes(tenants: Tenants) -> list[Route]:
    """Return the routes."""

    async def listed(request: Request) -> Any:
        base = base_url(request)
        return {"tenants": [shown_tenant(one, base) for one in tenants.sandboxes]}

    async def add(request: Request) -> Any:
        raw = await read_body(request, MAX_BYTES)
        try:
            asked = await asyncio.to_thread(msgspec.json.decode, raw, type=NewTenant)
        except msgspec.ValidationError as error:
            raise ValueError(f"The body is invalid: {error}. No tenant was added.") from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ValueError("The body is not valid JSON. No tenant was added.") from None
        fields = await asyncio.to_thread(asked.fields)
        return shown_tenant(await tenants.add(asked.tenant_id, fields), base_url(request))

    async def one(request: Request) -> Any:
        return shown_tenant(tenants.get(_tenant_id(request)), base_url(request))

    async def remove(request: Request) -> Any:
        tenants.remove(_tenant_id(request))
        return await listed(request)

    return [
        _route("GET", "", listed),
        _route("POST", "", add),
        _route("GET", "/{tenant_id}", one),
        _route("DELETE", "/{tenant_id}", remove),
    ]


def _tenant_id(request: Request) -> str:
    return unquote(request.path_params["tenant_id"])


def _route(method: str, path: str, act: Callable[[Request], Awaitable[Any]]) -> Route:
    async def handle(request: Request) -> Response:
        try:
            return json_response(await act(request), headers={"cache-control": "no-store"})
        except NoSuchTenant as error:
            return json_response({"error": str(error)}, 404)
        except (ValueError, ConfigurationError) as error:
            return json_response({"error": str(error)}, 400)
        except Refusal as refusal:
            return json_response({"error": refusal.description}, refusal.status)

    return Route(f"/_sandbox/tenants{path}", handle, methods=[method])
