"""What the buttons of the pages do: the same as the control routes of these names."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import Request

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.sandbox.app.control.handlers import Control
from dlt_authsignal.sandbox.core.refusals import Refusal
from dlt_authsignal.sandbox.http.dispatch import read_body
from dlt_authsignal.sandbox.sandbox import Sandbox

Form = Mapping[str, str]
Body = dict[str, Any]

MOST_FIELDS: Final = 20
SEED_FIELDS: Final = ("users", "days", "seed")


@dataclass(frozen=True)
class Button:
    """What a button does.

    Attributes:
        act: Does it. Invalid input raises ValueError, Refusal or ConfigurationError.
        back: The page to return to, as the menu names it.
    """

    act: Callable[[Form], Any]
    back: str


def buttons(sandbox: Sandbox) -> dict[str, Button]:
    """Return the buttons by name."""
    control, hooks = Control(sandbox), sandbox.webhooks

    def in_controls(act: Callable[[Form], Any]) -> Button:
        return Button(act, "controls")

    return {
        "reset": in_controls(lambda _: control.reset({})),
        "seed": in_controls(lambda form: control.seed({name: _whole(form, name) for name in SEED_FIELDS})),
        "snapshot": in_controls(lambda form: control.snapshot({"name": form.get("name", "")})),
        "restore": in_controls(lambda form: control.restore({"name": form.get("name", "")})),
        "fixture": in_controls(lambda form: _put_fixture(sandbox, form.get("fixture", ""))),
        "save": in_controls(lambda _: sandbox.save()),
        "clock-freeze": in_controls(lambda _: control.freeze({})),
        "clock-resume": in_controls(lambda _: control.resume({})),
        "clock-advance": in_controls(lambda form: control.advance({form.get("unit", ""): _whole(form, "amount")})),
        "fault": in_controls(lambda form: control.add_fault(_fault(form))),
        "faults-clear": in_controls(lambda _: control.clear_faults({})),
        "limit": in_controls(lambda form: control.set_limit(_limit(form))),
        "limits-clear": in_controls(lambda _: control.clear_limits({})),
        "ip": Button(lambda form: control.know_ip(_address(form)), "rules"),
        "outbox-clear": Button(lambda _: control.clear_outbox({}), ""),
        "requests-clear": Button(lambda _: control.clear_requests({}), ""),
        "webhooks-set": Button(lambda form: hooks.change(_urls(form)), "webhooks"),
        "webhooks-outage": Button(lambda form: _fail(sandbox, _whole(form, "outage")), "webhooks"),
        "webhooks-flush": Button(lambda _: hooks.deliver_due(), "webhooks"),
        "webhooks-resend": Button(lambda form: hooks.resend(_whole(form, "number")), "webhooks"),
    }


@dataclass(frozen=True)
class Refused:
    """Why a button did nothing, and the fields of its form, which the page shows again."""

    why: str
    given: Form


async def press(button: Button, request: Request) -> Refused | None:
    """Do what a button does. Return why it did nothing; None if it did."""
    given: Form = {}
    try:
        given = await _form(request)
        done = button.act(given)
        if inspect.isawaitable(done):
            await _awaited(done)
    except (ValueError, ConfigurationError) as error:
        return Refused(str(error), given)
    except Refusal as refusal:
        return Refused(refusal.description, given)
    return None


async def _awaited(done: Awaitable[Any]) -> None:
    await done


async def _form(request: Request) -> Form:
    """Return the fields of a form.

    Raises:
        ValueError: The body is not a form.
        Refusal: The body is too large.
    """
    try:
        parsed = parse_qs((await read_body(request)).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise ValueError("The form cannot be read. Nothing was changed.") from None
    return {name: values[-1] for name, values in parsed.items()}


async def _put_fixture(sandbox: Sandbox, text: str) -> None:
    """Replace the tenant by that of a YAML or JSON text. Imported late, because most sandboxes start without it."""
    from dlt_authsignal.sandbox.fixtures.fixture import Fixture

    if not text.strip():
        raise ValueError("Paste a fixture, or choose a file. The sandbox was not changed.")
    given = await asyncio.to_thread(Fixture.from_text, text, "The fixture")
    given.put_into(sandbox)


def _fault(form: Form) -> Body:
    """Return a fault as the control route takes it: fields that are blank are left out."""
    given: Body = {name: form[name].strip() for name in ("route", "kind") if form.get(name)}
    given |= {name: _whole(form, name) for name in ("after", "status") if form.get(name, "").strip()}
    given |= {"seconds": _number(form, "seconds")} if form.get("seconds", "").strip() else {}
    given |= {"body": form["body"]} if form.get("body") else {}
    times = form.get("times", "").strip()
    return {**given, "times": _whole(form, "times") if times else None}


def _limit(form: Form) -> Body:
    return {
        "key": form.get("key", ""),
        "perSecond": _number(form, "perSecond"),
        "burst": _whole(form, "burst") if form.get("burst", "").strip() else 1,
    }


def _address(form: Form) -> Body:
    return {
        "address": form.get("address", "").strip(),
        "countryCode": form.get("countryCode", "").strip().upper() or None,
        "isAnonymous": form.get("isAnonymous") == "on",
    }


def _urls(form: Form) -> Body:
    """Return the URLs of a form. A blank one ends the sending."""
    names = ("log_events_url", "authenticator_events_url")
    return {name: form[name].strip() or None for name in names if name in form}


def _fail(sandbox: Sandbox, count: int) -> None:
    sandbox.webhooks.set_faults(replace(sandbox.webhooks.faults, outage=count))


def _whole(form: Form, name: str) -> int:
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ValueError(f"{_LABELS.get(name, name)} must be a whole number, 0 or more. Nothing was changed.")
    return int(text)


def _number(form: Form, name: str) -> float:
    try:
        return float(form.get(name, "").strip())
    except ValueError:
        raise ValueError(f"{_LABELS.get(name, name)} must be a number. Nothing was changed.") from None


_LABELS: Final = {
    "users": "Users",
    "days": "Days",
    "seed": "Seed",
    "amount": "The amount of time",
    "times": "Times",
    "after": "Calls before it",
    "status": "Status",
    "seconds": "Seconds",
    "perSecond": "Calls per second",
    "burst": "Burst",
    "outage": "The number of deliveries",
    "number": "The number of the delivery",
}
