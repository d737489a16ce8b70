"""Figures for Prometheus."""

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "authsignal_receiver_"
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one receiver."""

    def __init__(self) -> None:
        self._registry: Final = CollectorRegistry()
        tenant = ("tenant",)
        self._deliveries = self._counter("deliveries", "Deliveries by outcome.", ("tenant", "outcome"))
        self._events = self._counter("events", "Stored events, copies included.", ("tenant", "table"))
        self._bytes = self._counter("received_bytes", "Bytes of bodies that were read.", tenant)
        self._loads = self._counter("loads", "Runs of --load-every by outcome.", ("outcome",))
        self._seconds = self._histogram(
            "delivery_seconds", "Time from the headers of a delivery to its answer.", tenant
        )
        self._write = self._histogram("write_seconds", "Time until the files of a delivery were durable.", tenant)
        self._last = self._gauge("last_delivery_timestamp_seconds", "When the last delivery was accepted.", tenant)
        self.in_flight = self._gauge("in_flight", "Deliveries that are being received or stored.", ())
        self.disk_used = self._gauge("disk_used_ratio", "How full the disk of the spool is, from 0 to 1.", ())
        self.ready = self._gauge("ready", "1 if deliveries are accepted, 0 if the disk or the store refuses them.", ())

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(_PREFIX + name, text, labels, registry=self._registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(_PREFIX + name, text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(_PREFIX + name, text, labels, registry=self._registry, buckets=_SECONDS)

    def answered(self, tenant: str, outcome: str, *, size: int, seconds: float) -> None:
        """Count a delivery."""
        self._deliveries.labels(tenant, outcome).inc()
        self._bytes.labels(tenant).inc(size)
        self._seconds.labels(tenant).observe(seconds)

    def stored(self, tenant: str, events: Mapping[str, int], *, write_seconds: float) -> None:
        """Count the events of an accepted delivery."""
        for table, count in events.items():
            self._events.labels(tenant, table).inc(count)
        self._write.labels(tenant).observe(write_seconds)
        self._last.labels(tenant).set_to_current_time()

    def loaded(self, outcome: str) -> None:
        """Count a run of the loader."""
        self._loads.labels(outcome).inc()

    def text(self) -> bytes:
        """Return all figures in Prometheus's text format."""
        return generate_latest(self._registry)
