"""The rows behind a card: as a table for the page, and as CSV."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from dlt_authsignal.dashboard.page import Card, Chart, Number, Point, Series, Table

COLUMNS: Final = ("series", "label", "value", "low_95", "high_95", "numerator", "denominator", "is_complete")

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that a spreadsheet may run as a formula."""


@dataclass(frozen=True)
class Cell:
    """One cell: a value and its unit, `text`, `label`, `interval`, `share`, `time` or a unit of numbers."""

    value: object
    unit: str
    is_complete: bool = True


@dataclass(frozen=True)
class Grid:
    """A table for display."""

    columns: tuple[tuple[str, bool], ...]
    """Titles, and whether the column has numbers."""

    rows: tuple[tuple[Cell, ...], ...]


def grid_of(card: Chart | Table) -> Grid:
    """Return the table of a chart or table."""
    if isinstance(card, Table):
        return _grid_of_table(card)
    if len(card.series) == 1:
        return _grid_of_one(card, card.series[0])
    return _grid_of_many(card)


def _grid_of_table(table: Table) -> Grid:
    columns = tuple(
        (title, unit not in {"text", "time"}) for title, unit in zip(table.columns, table.units, strict=True)
    )
    return Grid(
        columns,
        tuple(tuple(Cell(value, unit) for value, unit in zip(row, table.units, strict=True)) for row in table.rows),
    )


def _grid_of_one(chart: Chart, series: Series) -> Grid:
    has_interval = any(point.low is not None for point in series.points)
    has_counts = any(point.denominator is not None for point in series.points)
    columns = [(_first_column(chart), False), (series.name, True)]
    columns += [("95 % interval", True)] if has_interval else []
    columns += [("Counted", True)] if has_counts else []

    def cells(point: Point) -> Iterator[Cell]:
        yield Cell(point.label, "label", point.is_complete)
        yield Cell(point.value, chart.unit)
        if has_interval:
            yield Cell((point.low, point.high, chart.unit), "interval")
        if has_counts:
            yield Cell((point.numerator, point.denominator), "share")

    return Grid(tuple(columns), tuple(tuple(cells(point)) for point in series.points))


def _grid_of_many(chart: Chart) -> Grid:
    columns = ((_first_column(chart), False), *((series.name, True) for series in chart.series))
    by_label = [{point.label: point for point in series.points} for series in chart.series]
    rows = []
    for label in labels_of(chart):
        points = [points.get(label) for points in by_label]
        is_complete = all(point.is_complete for point in points if point)
        values = (Cell(point.value if point else None, chart.unit) for point in points)
        rows.append((Cell(label, "label", is_complete), *values))
    return Grid(columns, tuple(rows))


def _first_column(chart: Chart) -> str:
    return {"line": "Date", "stack": "Date", "bar": "Category", "funnel": "Step"}[chart.kind]


def labels_of(chart: Chart) -> tuple[str, ...]:
    """Return the labels of all series in the order in which they are drawn; days are sorted."""
    labels = tuple(dict.fromkeys(point.label for series in chart.series for point in series.points))
    return tuple(sorted(labels)) if chart.kind in {"line", "stack"} else labels


def csv_of(card: Card) -> str:
    """Return the rows of a card as CSV, with values as they were computed. Text that looks like a formula is quoted."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    if isinstance(card, Table):
        writer.writerow(map(safe_cell, card.columns))
        writer.writerows(tuple(map(safe_cell, row)) for row in card.rows)
        return text.getvalue()
    writer.writerow(COLUMNS)
    for series in _series_of(card):
        writer.writerows(tuple(map(safe_cell, _row(series.name, point))) for point in series.points)
    return text.getvalue()


def _series_of(card: Number | Chart) -> tuple[Series, ...]:
    if isinstance(card, Chart):
        return card.series
    total = (Series(name=card.title, points=(card.point,)),) if card.point else ()
    return (*total, card.trend) if card.trend else total


def _row(series: str, point: Point) -> tuple[object, ...]:
    values = (point.value, point.low, point.high, point.numerator, point.denominator)
    return (series, point.label, *values, str(point.is_complete).lower())


def safe_cell(value: object) -> object:
    """Return a value for CSV: text that a spreadsheet would run as a formula gets an apostrophe in front."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA):
        return f"'{value}"
    return "" if value is None else value
