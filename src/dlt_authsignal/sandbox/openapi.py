"""What the sandbox serves, as OpenAPI 3.1: made from the same endpoints and types that serve it."""

import re
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import msgspec

from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox.http import Served, Signature

Json = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"

SECURITY: Final[dict[str, list[dict[str, list[str]]]]] = {
    "server": [{"serverSecret": []}],
    "management": [{"managementSecret": []}],
    "tenant": [{"tenantId": []}],
    "bearer": [{"bearer": []}],
    "tenant or bearer": [{"tenantId": []}, {"bearer": []}],
    "none": [],
}

SCHEMES: Final[Json] = {
    "serverSecret": {"type": "http", "scheme": "basic", "description": "User name: the server secret; no password."},
    "managementSecret": {"type": "http", "scheme": "basic", "description": "User name: the management secret."},
    "tenantId": {"type": "http", "scheme": "basic", "description": "User name: the tenant id; no password."},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}

ERROR: Final[Json] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("error", "errorCode", "errorDescription")},
    "required": ["error", "errorCode", "errorDescription"],
}

REFUSALS: Final = {
    "400": "The request cannot be met as it is",
    "401": "The key or token is missing, wrong or expired",
    "403": "The token lacks a scope",
    "404": "There is no such thing",
    "413": "The body is too large",
    "429": "Too many requests",
}


def describe(served: Iterable[Served]) -> Json:
    """The OpenAPI document of the routes given."""
    routes = [(endpoint, Signature.of(handler)) for endpoint, handler in served]
    types = [kind for _, signature in routes for kind in (signature.body, signature.query, signature.answer) if kind]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: Json = {}
    for endpoint, signature in routes:
        operation = _operation(endpoint, signature, by_type, components)
        paths.setdefault(f"/v1{endpoint.path}", {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Authsignal, as the dlt-authsignal sandbox emulates it",
            "version": version("dlt-authsignal"),
            "description": "Not Authsignal's own description: what a local double serves.",
        },
        "paths": paths,
        "components": {"schemas": {**components, "Error": ERROR}, "securitySchemes": SCHEMES},
    }


def _operation(endpoint: Endpoint, signature: Signature, by_type: dict[int, Any], components: Json) -> Json:
    operation: Json = {
        "operationId": f"{endpoint.method.lower()}_{endpoint.name}",
        "summary": endpoint.name.replace("_", " "),
        "description": f"Known from: {endpoint.evidence}.",
        "tags": [endpoint.auth],
        "security": SECURITY[endpoint.auth],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(signature, by_type, components)],
        "responses": {
            "200": {
                "description": "Done",
                "content": {"application/json": {"schema": by_type.get(id(signature.answer), {})}},
            },
            **{status: _refusal(text) for status, text in REFUSALS.items()},
        },
    }
    if signature.body:
        schema = by_type[id(signature.body)]
        operation["requestBody"] = {"content": {"application/json": {"schema": schema}}, "required": False}
    return operation


def _path_parameters(endpoint: Endpoint) -> list[Json]:
    names = re.findall(r"{(\w+)}", endpoint.path)
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(signature: Signature, by_type: dict[int, Any], components: Json) -> list[Json]:
    if signature.query is None:
        return []
    schema = by_type[id(signature.query)]
    schema = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _of_text(inner)}
        for name, inner in schema["properties"].items()
    ]


def _of_text(schema: Json) -> Json:
    """A query holds text: there is no null in it."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


@cache
def _refusal_content() -> Json:
    return {"application/json": {"schema": {"$ref": _REF.format(name="Error")}}}


def _refusal(text: str) -> Json:
    return {"description": text, "content": _refusal_content()}
