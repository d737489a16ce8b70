"""What `dlt-authsignal doctor --events` checks: whether an event gets from its sender into the table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dlt_authsignal.cli.output.doctor.diagnosis import Check, Diagnosis
from dlt_authsignal.errors import AuthsignalError

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.monitor.event_delivery import Answer, SampleEvent
    from dlt_authsignal.source.config.event_settings import EventSettings, EventTenant

LOCAL: Final = "http://127.0.0.1:8480"
"""Where `dlt-authsignal receive` listens without options."""

CLOCK_SECONDS: Final = 10

_FIXES: Final = {
    401: "Set the api_secret_key of the sending tenant on both machines, and compare their clocks.",
    403: "A proxy in front of the receiver refuses it. Let POST requests to this path through.",
    404: "Compare path in the receiver's settings with this machine's. A proxy may also change the path.",
    405: "A proxy in front of the receiver refuses it. Let POST requests to this path through.",
    413: "A proxy in front of the receiver limits the size of bodies. Allow 8 MiB.",
    502: "The proxy cannot reach the receiver. Start it: dlt-authsignal receive",
    503: "The receiver runs, but cannot store deliveries now. Its log says whether the disk or the spool is the cause.",
    504: "The receiver did not respond to the proxy in time. Check that it runs: dlt-authsignal receive",
}


@dataclass(kw_only=True)
class EventDiagnosis(Diagnosis):
    """The checks of one event's way.

    Attributes:
        url: The receiver, with or without the path; None for a receiver on this machine.
        tenant: Name of the tenant in the settings of events.
        load_within: Maximum seconds to wait until the event is loaded; 0 does not look into the table.
    """

    url: str | None = None
    tenant: str = "default"
    load_within: float = 75.0

    def _all(self) -> Iterator[Check]:
        try:
            settings, tenant = self._event_settings()
        except AuthsignalError as error:
            yield _problem("settings", str(error), "", 2)
            return
        if missing := _missing(tenant):
            yield missing
            return
        from dlt_authsignal.pipeline.monitor.event_delivery import deliver, sample_event

        target = _target(self.url or LOCAL, str(tenant.path))
        event = sample_event(tenant.tenant_id)
        try:
            answer = deliver(event, target, tenant.keys)
        except AuthsignalError as error:
            fix = "Start it: dlt-authsignal receive" if self.url is None else ""
            yield _problem("receiver", f"It is not reachable at {_shown(target)}: {error}", fix, 1)
            return
        yield self._delivered(answer, target)
        if not self.problems:
            yield from _clock(answer)
            yield from self._followed(event, settings, tenant)

    def _event_settings(self) -> "tuple[EventSettings, EventTenant]":
        from dlt_authsignal.project.names import dataset_name_or, pipeline_name_or
        from dlt_authsignal.source.config.event_settings import resolved_event_settings

        self.pipeline_name = pipeline_name_or(self.pipeline_name)
        self.dataset = dataset_name_or(self.dataset)
        settings = resolved_event_settings(self.pipeline_name)
        self.address = self.url or LOCAL
        return settings, settings.tenant(self.tenant)

    def _delivered(self, answer: "Answer", target: str) -> Check:
        if answer.status == 200 and answer.is_receiver:
            return Check(name="receiver", level="ok", message=f"It accepted a signed delivery at {_shown(target)}.")
        if answer.status == 200:
            message = f"Another program answered at {_shown(target)}: its 200 is not an answer of the receiver."
            return _problem("receiver", message, "Check the host, the port, and the proxy in front of the receiver.", 2)
        said = f' It says: "{answer.hint}"' if answer.hint else ""
        message = f"It refused a signed delivery with {answer.status}.{said}"
        if 300 <= answer.status < 400:
            return _problem("receiver", message, "Authsignal may not follow redirects. Use the URL it leads to.", 2)
        exit_code = 1 if answer.status >= 500 else 2
        return _problem("receiver", message, _FIXES.get(answer.status, "Check the receiver's log."), exit_code)

    def _followed(self, event: "SampleEvent", settings: "EventSettings", tenant: "EventTenant") -> Iterator[Check]:
        from dlt_authsignal.pipeline.monitor.event_delivery import in_spool, in_table
        from dlt_authsignal.spool import open_spool

        try:
            name = in_spool(event, open_spool(settings.spool), tenant.name)
        except AuthsignalError as error:
            yield _problem("spool", str(error), "", 1)
            return
        if name is None:
            yield _problem(
                "spool",
                f"The accepted event is not in the spool {settings.spool}, as set on this machine.",
                "If the receiver runs on another machine and its spool is a folder, run this command there. Otherwise"
                " compare the setting spool on both machines.",
                2,
            )
            return
        yield Check(name="spool", level="ok", message=f"The event is in {name}.")
        if not self.load_within:
            return
        where = {"destination": self.destination, "dataset": self.dataset, "pipeline_name": self.pipeline_name}
        why = in_table(event, self.load_within, **where)
        if why is None:
            yield Check(name="table", level="ok", message="The event is in unknown_events: deliveries are loaded.")
            return
        message = f"The event was not loaded within {self.load_within:g} s." + (f" {why}" if why else "")
        fix = "Run dlt-authsignal events load, or start the receiver with --load-every 60s."
        yield _problem("table", message, fix, 1)


def _missing(tenant: "EventTenant") -> Check | None:
    if tenant.path is None:
        return _problem("path", "The webhook has no path.", "Run dlt-authsignal init --events.", 2)
    if not tenant.keys:
        return _problem("api_secret_key", "No key to sign with was found.", "Run dlt-authsignal init.", 2)
    return None


def _clock(answer: "Answer") -> Iterator[Check]:
    if answer.clock_ahead is not None and abs(answer.clock_ahead) > CLOCK_SECONDS:
        way = "ahead of" if answer.clock_ahead > 0 else "behind"
        yield Check(
            name="clock",
            level="note",
            message=f"The receiver's clock is {abs(answer.clock_ahead):.0f} s {way} this machine's.",
            fix="Synchronise both clocks (NTP). The age of signatures, and which users are due, depend on them.",
        )


def _target(url: str, path: str) -> str:
    """Return the URL with the webhook's path, unless it has a path."""
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + path


def _shown(url: str) -> str:
    """Return the URL without its path, which is secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _problem(name: str, message: str, fix: str, exit_code: int) -> Check:
    return Check(name=name, level="problem", message=message, fix=fix, exit_code=exit_code)
