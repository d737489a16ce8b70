"""Read the KPIs of a dataset."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.models import lake
from dlt_authsignal.models.dialects import in_duckdb
from dlt_authsignal.models.kpis.availability import needs_of
from dlt_authsignal.models.kpis.catalogue import Model, all_models
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.tables import existing, is_there

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One row of the view of a KPI.

    Attributes:
        model: The KPI.
        measure: What is measured; see `model.measures`.
        period_grain: day, week (from Monday), month or all.
        period_start: First day of the period, in UTC; None for all.
        dimension: Dimension of the slice; `all` for the total.
        dimension_value: Value of the dimension; `all` for the total.
        numerator: Number of matching cases; None for durations.
        denominator: Number of all cases; None for counts.
        value: numerator / denominator, or seconds, or the count.
        low: Lower bound of the 95 % confidence interval (Wilson) of a ratio.
        high: Upper bound.
        unit: ratio, seconds, count or `per user`.
        is_complete: Whether all of the period is loaded.
    """

    model: Model
    measure: str
    period_grain: str
    period_start: date | None
    dimension: str
    dimension_value: str
    numerator: float | None
    denominator: int | None
    value: float | None
    low: float | None
    high: float | None
    unit: str
    is_complete: bool


_NAMES: Final = tuple(name for name in Kpi.__dataclass_fields__ if name != "model")
_READ: Final = (
    "select {names} from {view}{where} order by measure, period_grain, period_start, dimension,"
    " denominator desc, numerator desc, dimension_value"
)


def read(pipeline: "Pipeline", grains: Iterable[str] = ("all",)) -> list[Kpi]:
    """Return the rows of the installed views, largest slices first. Over files, compute the KPIs.

    Args:
        pipeline: Pipeline that loaded the dataset.
        grains: Periods to return: all, month, week or day.
    """
    from dlt_authsignal.destination.stores.store import is_made_of_files

    rows = _of_files if is_made_of_files(pipeline) else _of_views
    listed = ", ".join(f"'{grain}'" for grain in grains)
    where = f" where period_grain in ({listed})"
    return [_kpi(model, row) for model, row in rows(pipeline, where)]


def _of_views(pipeline: "Pipeline", where: str) -> Iterator[tuple[Model, Any]]:
    with pipeline.sql_client() as client:
        for model in all_models():
            if is_there(client, model.view):
                view = client.make_qualified_table_name(model.view)
                for row in client.execute_sql(_READ.format(names=", ".join(_NAMES), view=view, where=where)) or ():
                    yield model, row


def _of_files(pipeline: "Pipeline", where: str) -> Iterator[tuple[Model, Any]]:
    stored, held = existing(pipeline), lake.held(pipeline)
    with lake.opened(held) as connection:
        for model in all_models():
            if not needs_of(model, stored):
                view = f"({in_duckdb(query(model, stored))}) as k"
                text = _READ.format(names=", ".join(_NAMES), view=view, where=where)
                yield from ((model, row) for row in connection.execute(text).fetchall())


def _kpi(model: Model, row: Any) -> Kpi:
    return Kpi(model=model, **dict(zip(_NAMES, row, strict=True)))
