"""Look for attack signals in a pipeline's dataset, and keep them in the table `detections`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.errors import translate_errors
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models.detections.find import Found, find
from dlt_authsignal.models.detections.thresholds import Thresholds
from dlt_authsignal.models.tables import existing
from dlt_authsignal.pipeline.alerts.settings import resolved_thresholds
from dlt_authsignal.pipeline.alerts.table import Detection, is_there, merged, stored_detections, write_detections
from dlt_authsignal.pipeline.catch_up import catch_up
from dlt_authsignal.pipeline.prepared import prepared


@dataclass(frozen=True, kw_only=True)
class DetectionReport:
    """Report of `detect`.

    Attributes:
        pipeline: dlt pipeline name.
        destination: Destination type.
        dataset: Dataset (schema) name.
        detections: All detections that the rules find under the present thresholds, the latest first.
        new: Ids of those that the table did not have before.
        needs: For each rule that is not available, what it needs.
        switched_off: Rules that the settings switch off.
        cut: Rules with more findings than are kept: the earliest ones are left out.
    """

    pipeline: str
    destination: str
    dataset: str
    detections: list[Detection]
    new: frozenset[str]
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    switched_off: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)


def detect(pipeline: Pipeline, *, wait: str | float | None = None) -> DetectionReport:
    """Look for attack signals, and bring the table `detections` up to date. Sends nothing.

    A detection that was found before keeps its id; its last event and its counts move forward. A second run of the same
    pipeline, or into the same dataset, is refused while the first one runs.

    Args:
        pipeline: Any `dlt.pipeline(…)` with a destination that was synced. It becomes dlt's active pipeline.
        wait: Maximum time to wait for other programs that have the DuckDB file open, such as `"60s"`.

    Raises:
        ConfigurationError: A threshold is wrong, or nothing was synced. The table is unchanged.
        RunFailed: The run did not complete. Repeat it.
    """
    thresholds = resolved_thresholds()
    pipeline.activate()
    with prepared(pipeline, wait):
        return detected(pipeline, thresholds)


def detected(pipeline: Pipeline, thresholds: Thresholds) -> DetectionReport:
    """Find, and write what has changed. The pipeline is prepared and locked."""
    catch_up(pipeline)
    found, stored = _found(pipeline, thresholds), stored_detections(pipeline)
    rows = merged(stored, found.findings, datetime.now(UTC))
    changed = [row for row in rows if stored.get(row.detection_id) != row]
    if changed or not is_there(pipeline):
        write_detections(pipeline, changed)
    return _report(pipeline, found, rows, stored)


def preview(pipeline: Pipeline) -> DetectionReport:
    """Return what `detect` would find. Changes nothing, and takes no lock.

    Args:
        pipeline: A pipeline from `attach`.
    """
    thresholds = resolved_thresholds()
    with translate_errors(pipeline.destination.destination_name):
        found, stored = _found(pipeline, thresholds), stored_detections(pipeline)
    return _report(pipeline, found, merged(stored, found.findings, datetime.now(UTC)), stored)


def _found(pipeline: Pipeline, thresholds: Thresholds) -> Found:
    if not existing(pipeline):
        raise ConfigurationError(
            f'Dataset "{pipeline.dataset_name}" of pipeline "{pipeline.pipeline_name}" has no synced data. Nothing was'
            " changed. Run first: dlt-authsignal sync"
        )
    return find(pipeline, thresholds)


def _report(
    pipeline: Pipeline, found: Found, rows: list[Detection], stored: Mapping[str, Detection]
) -> DetectionReport:
    return DetectionReport(
        pipeline=pipeline.pipeline_name,
        destination=pipeline.destination.destination_name,
        dataset=pipeline.dataset_name,
        detections=sorted(rows, key=lambda row: (row.last_seen, row.detection_id), reverse=True),
        new=frozenset(row.detection_id for row in rows if row.detection_id not in stored),
        needs=found.needs,
        switched_off=found.switched_off,
        cut=found.cut,
    )
