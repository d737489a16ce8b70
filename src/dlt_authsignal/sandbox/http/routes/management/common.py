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


def merged(old: Json, new: Json, defaults: Json | None = None) -> Json:
    """Return the old values with the new ones. A value that null removes goes back to its default, if it has one."""
    kept = {name: value for name, value in {**old, **new}.items() if value is not None}
    return {**(defaults or {}), **kept}


def required(body: Json, *names: str) -> None:
    """Check a body that creates an object."""
    for name in names:
        if body.get(name) in (None, "", []):
            raise invalid(f"{name} is required.")


def kept_required(new: Json, *names: str) -> None:
    """Check a body that changes an object: what it needs cannot be removed."""
    for name in names:
        if name in new and new[name] in (None, "", []):
            raise invalid(f"{name} is required and cannot be removed.")


def unchangeable(old: Json, new: Json, *names: str) -> Json:
    """Return the body without fields that a client cannot set. Assumed: it may repeat their values or leave them empty.

    Raises:
        Refusal: 400: the body has another value for one of them.
    """
    for name in names:
        if new.get(name) not in (None, "", old.get(name)):
            raise invalid(f"{name} cannot be set.")
    return {name: value for name, value in new.items() if name not in names}


def one(call: Call, collection: str, key: str, what: str) -> Json:
    found: Json | None = getattr(call.sandbox.shown_tenant, collection).get(call.path(key))
    if found is None:
        raise not_found(what)
    return found
