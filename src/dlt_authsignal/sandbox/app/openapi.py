"""`/openapi.json`: the routes of the sandbox, generated from the types with which they validate and respond."""

import json
import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.http.dispatch import MAX_BODY_BYTES, Served, Signature

Json = dict[str, Any]

OPENAPI: Final = "3.1.0"
SCHEMAS: Final = "#/components/schemas/"

SECURITY: Final[dict[str, Json]] = {
    "server": {"type": "http", "scheme": "basic", "description": "The Server API secret; no password."},
    "management": {"type": "http", "scheme": "basic", "description": "The Management API secret; no password."},
    "tenant": {"type": "http", "scheme": "basic", "description": "The tenant id; no password."},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token from track."},
}

ERROR: Final[Json] = {
    "type": "object",
    "title": "Error",
    "properties": {name: {"type": "string"} for name in ("error", "errorCode", "errorDescription")},
    "required": ["error", "errorCode", "errorDescription"],
}

REFUSALS: Final = {
    "400": "The request is invalid.",
    "401": "The key or token is missing, wrong or expired.",
    "403": "The token does not have the required scope.",
    "404": "The object does not exist.",
    "413": f"The body exceeds {MAX_BODY_BYTES} bytes.",
    "429": "Too many requests.",
}


@cache
def describe(served: tuple[Served, ...]) -> Json:
    """Return the OpenAPI document of these routes."""
    signatures = [(endpoint, Signature.of(handler)) for endpoint, handler in served]
    types = {kind for _, found in signatures for kind in (found.body, found.query, found.answer) if kind is not None}
    named = sorted(types, key=repr)
    schemas, components = msgspec.json.schema_components(named, ref_template=SCHEMAS + "{name}")
    shapes = dict(zip(named, schemas, strict=True))
    paths: dict[str, Json] = {}
    for endpoint, signature in signatures:
        operation = _operation(endpoint, signature, shapes, components)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    found = {
        "openapi": OPENAPI,
        "info": {
            "title": "Authsignal sandbox",
            "version": version("dlt-authsignal"),
            "description": "A local emulator of Authsignal's APIs, as far as published. Not from Authsignal.",
        },
        "servers": [{"url": "/v1"}],
        "paths": paths,
        "components": {"schemas": {**components, "Error": ERROR}, "securitySchemes": SECURITY},
    }
    return _with_short_names(found, components)


def _operation(endpoint: Endpoint, signature: Signature, shapes: dict[Any, Json], components: Json) -> Json:
    placeholders = re.findall(r"{(\w+)}", endpoint.path)
    operation: Json = {
        "operationId": f"{endpoint.method.lower()}_{endpoint.name}",
        "description": f"Known from: {endpoint.evidence}.",
        "tags": [_tag(endpoint)],
        "parameters": [*map(_placeholder, placeholders), *_query(signature, shapes, components)],
        "responses": _responses(endpoint, signature, shapes, bool(placeholders)),
    }
    if endpoint.auth != "none":
        operation["security"] = [{scheme: []} for scheme in endpoint.auth.split(" or ")]
    if signature.body is not None:
        operation["requestBody"] = {"content": _json(shapes[signature.body])}
    return operation


def _tag(endpoint: Endpoint) -> str:
    first = endpoint.path.split("/")[1]
    return first.capitalize() if first in ("client", "management") else "Server"


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _placeholder(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query(signature: Signature, shapes: dict[Any, Json], components: Json) -> Iterable[Json]:
    if signature.query is None:
        return
    shape = components[shapes[signature.query]["$ref"].removeprefix(SCHEMAS)]
    for name, schema in shape["properties"].items():
        yield {"name": name, "in": "query", "required": name in shape.get("required", ()), "schema": _plain(schema)}


def _plain(schema: Json) -> Json:
    """Return the schema without null, which a query cannot express."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {name: value for name, value in schema.items() if value is not None}


def _responses(endpoint: Endpoint, signature: Signature, shapes: dict[Any, Json], has_placeholders: bool) -> Json:
    takes_input = has_placeholders or signature.body is not None or signature.query is not None
    can_occur = {
        "400": takes_input or endpoint.effect == "write",
        "401": endpoint.auth != "none",
        "403": "bearer" in endpoint.auth,
        "404": takes_input,  # an id in the path or in the body
        "413": signature.body is not None,
        "429": endpoint.auth != "none",
    }
    answer = {} if signature.answer is None else shapes[signature.answer]
    refusal = _json({"$ref": f"{SCHEMAS}Error"})
    refusals = {code: {"description": REFUSALS[code], "content": refusal} for code in REFUSALS if can_occur[code]}
    return {"200": {"description": "The response.", "content": _json(answer)}, **refusals}


def _with_short_names(found: Json, components: Json) -> Json:
    """Shorten the names of schemas that two modules share, such as `CodesVerified`."""
    text = json.dumps(found)
    for name in components:
        if "." in name:
            module, kind = name.split(".")[-2:]
            text = text.replace(f'{name}"', module.title().replace("_", "") + kind + '"')
    short: Json = json.loads(text)
    return short


def openapi_route(served: tuple[Served, ...]) -> Route:
    """Return the route. It needs no key."""

    async def show(_request: Request) -> Response:
        return Response(msgspec.json.encode(describe(served)), headers={"content-type": "application/json"})

    return Route("/openapi.json", show, methods=["GET"])
