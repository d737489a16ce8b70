"""Install the KPI views and print their values."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.models import Installed, Kpi

ROWS_PER_MODEL: Final = 5


def print_kpis(pipeline: "Pipeline") -> None:
    """Install the views in the pipeline's dataset and print the largest slices of each."""
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
        console.print(f"Skipped {model}: {', '.join(tables)} not synced yet.", soft_wrap=True)


def _where(pipeline: "Pipeline", installed: "Installed") -> str:
    if not installed.views:
        return "Tables made of files cannot have views, so these values were computed now. To see the SQL:"
        " dlt-authsignal models show NAME"
    return f"These are views in your dataset, such as {pipeline.dataset_name}.{installed.views[0]}."


def value_text(kpi: "Kpi") -> str:
    """Format a value: `84.2 %` or `7.3 s`; a dash if there is none."""
    if kpi.value is None:
        return "-"
    return f"{kpi.value:.1f} s" if kpi.unit == "seconds" else f"{kpi.value:.1%}".replace("%", " %")


def of_text(kpi: "Kpi") -> str:
    """Format the counts of a ratio: `321 of 500`; empty for seconds."""
    return "" if kpi.unit == "seconds" else f"{kpi.numerator:,} of {kpi.denominator:,}"
