"""The funnel of one-time codes: sent, delivered, entered."""

from dataclasses import replace
from typing import Final

from dlt_authsignal.dashboard.content.cards.look import Better, Look, line_of, no_chart, no_table
from dlt_authsignal.dashboard.content.data.selection import ignored
from dlt_authsignal.dashboard.content.text import wording
from dlt_authsignal.dashboard.figure_text import share
from dlt_authsignal.dashboard.page import Chart, Number, Point, Series, Table
from dlt_authsignal.models.kpis.catalogue import find_model

_KPI: Final = "otp_funnel"
_COLUMNS: Final = ("Split by", "Slice", "Attempts with a sent code", "Delivered, of those reported", "Entered")
_UNITS: Final = ("text", "text", "count", "ratio", "ratio")
_DIMENSIONS: Final = ("channel", "phone_country")
_MOST: Final = 10


def otp_funnel(look: Look) -> Chart:
    """Return attempts with a sent code, and with one that was entered, by channel."""
    title, model, needs = "From sent code to entered code", find_model(_KPI), look.needs(_KPI)
    if needs:
        return no_chart("funnel", title, model, needs)
    row = next((each for each in look.rows(_KPI) if each.measure == "entered"), None)
    sent, entered = (row.denominator or 0, row.numerator or 0) if row else (0, 0)
    points = (
        Point(label="Code sent", value=sent, numerator=sent),
        Point(label="Code entered", value=entered, numerator=entered, denominator=sent),
    )
    said = f"{share(entered / sent)} of {sent:,} attempts with a sent code ended with a correct code." if sent else ""
    finding = look.finding(_KPI, "entered", ("channel", "phone_country"))
    return Chart(
        kind="funnel",
        title=title,
        caption=" ".join(part for part in (said, finding) if part) or "No codes in the selected data.",
        series=(Series(name="Attempts", points=points),) if sent else (),
        unit="count",
        definition=_KPI,
        ignores=ignored(model, look.filters),
    )


def otp_table(look: Look) -> Table:
    """Return the funnel by channel and by the country of the phone number."""
    title, needs = "Codes by channel and country of the phone", look.needs(_KPI)
    if needs:
        return no_table(title, _COLUMNS, _UNITS, needs, _KPI)
    found = {(row.dimension, row.dimension_value, row.measure): row for row in look.rows(_KPI, ("all",), _DIMENSIONS)}
    rows: list[tuple[object, ...]] = []
    for dimension in _DIMENSIONS:
        entered = [row for key, row in found.items() if key[0] == dimension and key[2] == "entered"]
        for row in sorted(entered, key=lambda each: -(each.denominator or 0))[:_MOST]:
            delivered = found.get((dimension, row.dimension_value, "delivered"))
            rows.append(
                (
                    wording.TITLES[dimension],
                    row.dimension_value,
                    row.denominator,
                    delivered.value if delivered else None,
                    row.value,
                )
            )
    caption = "Codes that are sent and not entered cost money, and may be an attack on your messages."
    return Table(title=title, caption=caption, columns=_COLUMNS, units=_UNITS, rows=tuple(rows), definition=_KPI)


def spent(look: Look) -> Number:
    """Return what the sent codes cost in all. Filters do not apply."""
    return _sum(look, "otp_spend", "spent", "Spent on codes", "down", "In the currency of otp_prices.")


def avoided(look: Look) -> Number:
    """Return what the challenges that passkeys passed would have cost in codes. Filters do not apply."""
    note = "An estimate, in the currency of otp_prices: as if the others' methods had been used."
    return _sum(look, "otp_avoided", "avoided", "Codes avoided by passkeys", "up", note)


def _sum(look: Look, kpi: str, measure: str, title: str, better: Better, note: str) -> Number:
    """Return the numerator of a KPI as the number."""
    shown = look.number(kpi, measure, title, better=better, note=note)
    if shown.point is None:
        return shown
    rows = [row for row in look.rows(kpi, ("month",)) if row.dimension == "all"]
    sums = [replace(row, value=row.numerator) for row in rows]
    trend = line_of(shown.title, sums)
    point = replace(shown.point, value=shown.point.numerator, numerator=None)
    return replace(shown, point=point, trend=trend if len(trend.points) > 1 else None)
