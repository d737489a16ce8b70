"""What the sandbox can return, by its own OpenAPI description: a missing optional field is not a difference."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

from dlt_authsignal.sandbox.app.openapi import describe
from dlt_authsignal.sandbox.app.route_table import SERVED

Json = dict[str, Any]

_CASE: Final = re.compile(r"(GET) (\S+)(?: \((\d+|unknown id)\))?")
_STEP: Final = re.compile(r"\[\]|[^.\[\]]+")


class Declared:
    """The fields of the sandbox's responses."""

    @cached_property
    def _document(self) -> Json:
        return describe(SERVED)

    def is_declared(self, case: str, path: str) -> bool:
        """Return whether the sandbox can return a field, with or without a value."""
        return any(True for _ in self._at(case, path))

    def is_required(self, case: str, path: str) -> bool:
        """Return whether every response of the sandbox has a field."""
        parent, _, name = path.rpartition(".")
        return any(name in found.get("required", ()) for found in self._at(case, parent))

    def _at(self, case: str, path: str) -> Iterator[Json]:
        found = list(self._plain(self._schema(case)))
        for step in _STEP.findall(path):
            found = [inner for schema in found for inner in self._stepped(schema, step)]
        yield from found

    def _schema(self, case: str) -> Json:
        matched = _CASE.fullmatch(case)
        if matched is None:
            return {"not": {}}
        status = matched[3] if matched[3] and matched[3].isdigit() else "200"
        responses = self._document["paths"].get(matched[2], {}).get("get", {}).get("responses", {})
        schema: Json = responses.get(status, {}).get("content", {}).get("application/json", {}).get("schema", {})
        return schema

    def _plain(self, schema: Json) -> Iterator[Json]:
        """Yield the schemas that a schema stands for."""
        if "$ref" in schema:
            yield from self._plain(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        elif "anyOf" in schema:
            for each in schema["anyOf"]:
                yield from self._plain(each)
        else:
            yield schema

    def _stepped(self, schema: Json, step: str) -> Iterator[Json]:
        """Yield the schemas of a field or of the entries of a list."""
        if step == "[]":
            found = schema.get("items")
        else:
            properties = schema.get("properties", {})
            found = properties.get(step, schema.get("additionalProperties") if not properties else None)
            if found is None and not properties and schema.get("type") == "object":
                found = {}  # any field
        if isinstance(found, dict):
            yield from self._plain(found)
