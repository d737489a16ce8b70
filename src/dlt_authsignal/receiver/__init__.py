"""Receive events by webhook: verify each delivery, protect it, make it durable, and only then accept it."""

from typing import TYPE_CHECKING

from dlt_authsignal.errors import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.applications import Starlette

    from dlt_authsignal.receiver.limits import Limits
    from dlt_authsignal.receiver.repeated_load import RepeatedLoad
    from dlt_authsignal.source.config.event_settings import EventSettings
    from dlt_authsignal.source.config.source_settings import SourceSettings


def create_app(
    settings: "EventSettings | None" = None,
    source: "SourceSettings | None" = None,
    *,
    tenants: "Sequence[str] | None" = None,
    limits: "Limits | None" = None,
    load: "RepeatedLoad | None" = None,
) -> "Starlette":
    """Return the receiver as an ASGI application.

    Args:
        settings: Settings of events. Default: those that dlt finds in `[sources.authsignal_events]`.
        source: Settings with the privacy rules. Default: those in `[sources.authsignal_source]`.
        tenants: Names of the tenants to receive. Default: all that have a path.
        limits: Limits of size and time. The settings contain the others.
        load: A command to run again and again while the receiver runs.

    Raises:
        ConfigurationError: A setting is missing or wrong.
        ExtraMissing: The extra `receiver` is not installed.
    """
    try:
        from dlt_authsignal.receiver.app import make_app
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("starlette", "prometheus_client", "uvicorn"):
            raise
        raise ExtraMissing("The receiver", "receiver") from None
    return make_app(settings, source, tenants=tenants, limits=limits, load=load)


__all__ = ["create_app"]
