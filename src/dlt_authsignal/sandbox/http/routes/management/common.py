"""Functions that the routes of the Management API share."""

from typing import Any, Final

import msgspec

from dlt_authsignal.sandbox.core.refusals import invalid, not_found
from dlt_authsignal.sandbox.http.dispatch import Call
from dlt_authsignal.sandbox.http.routes.management.bodies import Changes
from dlt_authsignal.sandbox.tenant import answers

Json = dict[str, Any]


class Deleted(answers.Answer, kw_only=True):
    """The response to a deletion, with the field names of the Go SDK's response type."""

    success: bool
    status_code: int


DELETED: Final = Deleted(success=True, status_code=200)


def written(body: Changes) -> Json:
    """Return the fields that a body contains, nulls included."""
    value: Json = msgspec.to_builtins(body)
    return value


def merged(old: Json, new: Json) -> Json:
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def required(body: Json, *names: str) -> None:
    for name in names:
        if body.get(name) in (None, "", []):
            raise invalid(f"{name} is required.")


def one(call: Call, collection: str, key: str, what: str) -> Json:
    found: Json | None = getattr(call.sandbox.shown_tenant, collection).get(call.path(key))
    if found is None:
        raise not_found(what)
    return found
