"""Report which of dlt's steps is running, for a progress display."""

from typing import Final

from dlt.common.runtime.collector import NullCollector

from dlt_authsignal.source.metrics.run_metrics import RunMetrics


class StageCollector(NullCollector):
    """A value for `dlt.pipeline(progress=…)` that writes dlt's current step to the metrics."""

    _STAGES: Final = {"extract": "reading", "normalize": "preparing", "load": "loading"}

    def __init__(self, metrics: RunMetrics) -> None:
        self._metrics = metrics

    def _start(self, step: str) -> None:
        self._metrics.stage = self._STAGES.get(step.split(maxsplit=1)[0].lower(), self._metrics.stage)
