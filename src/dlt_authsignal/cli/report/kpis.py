"""Installs the KPI views and prints what they say."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.models import Installed, Kpi

ROWS_PER_MODEL: Final = 5


def print_kpis(pipeline: "Pipeline") -> None:
    """Installs the views in the pipeline's dataset and prints the largest slices of each."""
    from dlt_authsignal.models import install, read

    installed = install(pipeline)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("KPI", "slice"):
        table.add_column(heading)
    for heading in ("value", "of"):
        table.add_column(heading, justify="right")
    for model, kpis in groupby(read(pipeline), key=lambda kpi: kpi.model):
        slices = list(kpis)
        for place, kpi in enumerate(slices[:ROWS_PER_MODEL]):
            table.add_row(model.title if place == 0 else "", kpi.slice, value_text(kpi), of_text(kpi))
        if len(slices) > ROWS_PER_MODEL:
            table.add_row("", f"… and {len(slices) - ROWS_PER_MODEL} more, in the view", "", "")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{_where(pipeline, installed)}", soft_wrap=True)
    for model, tables in installed.skipped.items():
        console.print(f"Left out {model}: {', '.join(tables)} not synced yet.", soft_wrap=True)


def _where(pipeline: "Pipeline", installed: "Installed") -> str:
    if not installed.views:
        return "Files hold no views: this was computed now. The SQL of each: dlt-authsignal models show NAME"
    return f"These are views beside your data, such as {pipeline.dataset_name}.{installed.views[0]}."


def value_text(kpi: "Kpi") -> str:
    """`84.2 %` or `7.3 s`; a dash over nothing."""
    if kpi.value is None:
        return "-"
    return f"{kpi.value:.1f} s" if kpi.unit == "seconds" else f"{kpi.value:.1%}".replace("%", " %")


def of_text(kpi: "Kpi") -> str:
    """`321 of 500`; nothing for seconds."""
    return "" if kpi.unit == "seconds" else f"{kpi.numerator:,} of {kpi.denominator:,}"
