"""Install the KPI views and print their values."""

from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dlt.pipeline.pipeline import Pipeline

    from dlt_authsignal.models import Installed, Kpi

SLICES_SHOWN: Final = 3

HEADLINES: Final = (
    ("enrolment_coverage", "users"),
    ("passkey_usage_rate", "passkey"),
    ("passkey_success_rate", "succeeded"),
    ("challenge_success_rate", "succeeded"),
    ("drop_off_rate", "abandoned"),
    ("fallback_rate", "chose otherwise"),
    ("seconds_to_authenticate", "p50"),
    ("mfa_coverage", "one or more"),
    ("phishing_resistant_coverage", "passkey or security key"),
    ("otp_spend", "spent"),
    ("otp_avoided", "avoided"),
    ("active_users", "in 30 days"),
)
"""KPIs and measures that stand for all of them, in the demo."""


def print_kpis(pipeline: "Pipeline", *, materialize: bool = False) -> None:
    """Install the views or tables in the dataset and print the totals of each KPI, with the largest slices."""
    from dlt_authsignal.models import all_models, install, read

    installed = install(pipeline, materialize=materialize)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("KPI", "measure, slice"):
        table.add_column(heading)
    for heading in ("value", "of"):
        table.add_column(heading, justify="right", no_wrap=True)
    found = read(pipeline)
    for model, rows in groupby(found, key=lambda kpi: kpi.model):
        for place, kpi in enumerate(_shown(list(rows))):
            name = kpi.measure if kpi.dimension == "all" else f"  {kpi.dimension_value}"
            table.add_row(model.title if place == 0 else "", name, value_text(kpi), of_text(kpi))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"\n{_where(pipeline, installed, materialize=materialize)}", soft_wrap=True)
    shown = {kpi.model.name for kpi in found}
    empty = [model.title for model in all_models() if model.name not in installed.needs.keys() | shown]
    if empty:
        console.print(f"No cases yet: {', '.join(empty)}.", soft_wrap=True)
    print_needs(console, installed.needs)


def print_headlines(pipeline: "Pipeline") -> None:
    """Install the views in the dataset and print one line for each of the KPIs that stand for all of them."""
    from dlt_authsignal.models import all_models, find_model, install, read

    installed = install(pipeline)
    found = {(kpi.model.name, kpi.measure): kpi for kpi in read(pipeline) if kpi.dimension == "all"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "left", "right", "right"):
        table.add_column(justify=justify, no_wrap=True)
    for key in HEADLINES:
        if kpi := found.get(key):
            table.add_row(find_model(key[0]).title, kpi.measure, value_text(kpi), of_text(kpi))
    console = Console(highlight=False)
    console.print(table)
    available = len(all_models()) - len(installed.needs)
    console.print(f"\n{available} views have these by day and slice: {pipeline.dataset_name}.kpi_….", soft_wrap=True)


def _shown(rows: "list[Kpi]") -> "Iterator[Kpi]":
    """Yield the total of each measure, and its largest slices by the KPI's first dimension if that tells more."""
    for measure in rows[0].model.measures:
        of_measure = [kpi for kpi in rows if kpi.measure == measure]
        is_share = measure in rows[0].model.share_measures
        if not is_share:
            yield from (kpi for kpi in of_measure if kpi.dimension == "all")
        shown = rows[0].model.shown_dimension
        if shown and measure in rows[0].model.shown_measures:
            yield from [kpi for kpi in of_measure if kpi.dimension == shown][:SLICES_SHOWN]


def print_needs(console: Console, needs: "Mapping[str, tuple[str, ...]]") -> None:
    """Print which KPIs are not available, by what they need."""
    from dlt_authsignal.models import find_model

    by_need: dict[str, list[str]] = {}
    for name, needed in needs.items():
        by_need.setdefault(", ".join(needed), []).append(find_model(name).title)
    for need, titles in by_need.items():
        console.print(f"Not available without {need}: {', '.join(titles)}.", soft_wrap=True)


def _where(pipeline: "Pipeline", installed: "Installed", *, materialize: bool) -> str:
    if not installed.views:
        return (
            "Tables made of files cannot have views, so these values were computed now. To see the SQL:"
            " dlt-authsignal models show NAME"
        )
    example = f"{pipeline.dataset_name}.{installed.views[0]}"
    if materialize:
        return f"These are tables in your dataset, such as {example}. Run the command again after a sync."
    return f"These are views in your dataset, such as {example}."


def value_text(kpi: "Kpi") -> str:
    """Format a value: `84.2 %`, `7.3 s`, `0.10` or `1,203`; a dash if there is none."""
    if kpi.value is None:
        return "-"
    if kpi.unit == "seconds":
        return _duration(kpi.value)
    if kpi.unit == "count":
        return f"{kpi.value:,.0f}"
    return f"{kpi.value:.1%}".replace("%", " %") if kpi.unit == "ratio" else f"{kpi.value:,.2f}"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.1f} s"


def of_text(kpi: "Kpi") -> str:
    """Format the counts: `321 of 500`; for a duration, the number of them; empty for a count.

    A sum of money or of rates has two decimals.
    """
    if kpi.denominator is None:
        return ""
    if kpi.numerator is None:
        return f"{kpi.denominator:,}"
    of = f"{kpi.numerator:,.0f}" if float(kpi.numerator).is_integer() else f"{kpi.numerator:,.2f}"
    return f"{of} of {kpi.denominator:,}"
