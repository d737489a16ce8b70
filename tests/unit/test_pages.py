"""What a page says, without a browser: numbers, differences, rows as CSV, and the HTML itself."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from dlt_authsignal.dashboard.figure_text import shown
from dlt_authsignal.dashboard.page import Card, Chart, Number, Point, Series
from dlt_authsignal.dashboard.render import csv_of, html
from dlt_authsignal.dashboard.render.axis import axis_of
from dlt_authsignal.dashboard.render.drawing import bars_of, drawing_of
from dlt_authsignal.dashboard.render.numbers import difference
from tests.documents import FORMULA, HOSTILE, LONG, charts, example, numbers, ratio, tables, without_data


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.4321, "ratio", "43.2 %"),
        (1.0, "ratio", "100 %"),
        (0.99999, "ratio", "99.9 %"),
        (0.00001, "ratio", "0.1 %"),
        (8.23, "seconds", "8.2 s"),
        (150, "seconds", "2.5 min"),
        (90_000, "seconds", "25.0 h"),
        (12_373, "count", "12,373"),
        (1.416, "per user", "1.42"),
        (None, "ratio", "–"),
    ],
)
def test_a_value_is_shown_with_its_unit(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("now", "before", "better", "direction", "verdict"),
    [
        (0.82, 0.79, "up", "up", "better"),
        (0.82, 0.79, "down", "up", "worse"),
        (0.82, 0.79, "", "up", ""),
        (0.79, 0.82, "up", "down", "worse"),
        (0.82, 0.81, "up", "up", "within margin"),
        (0.82, 0.82, "up", "flat", ""),
    ],
)
def test_a_difference_has_a_direction_and_a_verdict(
    now: float, before: float, better: str, direction: str, verdict: str
) -> None:
    number = Number(title="", point=ratio(now, 900), before=ratio(before, 900), unit="ratio", better=better)  # type: ignore[arg-type]
    found = difference(number)
    assert found
    assert (found.direction, found.verdict) == (direction, verdict)


def test_without_an_earlier_value_there_is_no_difference() -> None:
    assert difference(Number(title="", point=ratio(0.5, 10), unit="ratio")) is None
    assert difference(Number(title="", point=None, before=ratio(0.5, 10), unit="ratio")) is None


@pytest.mark.parametrize("chart", [chart for chart in charts() if chart.kind in {"line", "stack"} and chart.series])
def test_every_value_is_within_the_axis(chart: Chart) -> None:
    axis = axis_of(chart)
    values = [point.value for series in chart.series for point in series.points if point.value is not None]
    assert axis.low <= min(values)
    assert max(values) <= axis.high
    places = [float(y) for y in re.findall(r",([-\d.]+)", " ".join(line.points for line in drawing_of(chart).lines))]
    assert all(-0.01 <= place <= 100.01 for place in places)


@pytest.mark.parametrize("value", [0.0, 1.0, 5.0, 1e-9, 3e12, -4.0])
def test_a_single_value_has_an_axis(value: float) -> None:
    series = Series(name="s", points=(Point(label="2026-10-01", value=value),))
    axis = axis_of(Chart(kind="line", title="", caption="", series=(series,), unit="seconds"))
    assert axis.low <= value <= axis.high
    assert 2 <= len(axis.ticks) <= 12


def test_a_funnel_says_how_much_each_step_keeps_and_loses() -> None:
    [funnel] = [chart for chart in charts() if chart.kind == "funnel"]
    first, second, *_ = bars_of(funnel)
    assert (first.width, first.of_first, first.lost) == (100.0, 1.0, None)
    assert second.of_first == pytest.approx(11_312 / 12_400)
    assert second.lost == pytest.approx(1 - 11_312 / 12_400)


def test_the_csv_of_a_card_has_its_points() -> None:
    chart = charts()[0]
    rows = list(csv.DictReader(io.StringIO(csv_of(chart))))
    points = chart.series[0].points
    assert [float(row["value"]) for row in rows] == [point.value for point in points]
    assert [row["label"] for row in rows] == [point.label for point in points]
    assert rows[-1]["is_complete"] == "false"


def test_no_cell_of_a_csv_is_a_formula() -> None:
    cards: tuple[Card, ...] = (*numbers(), *charts(), *tables())
    cells = [cell for card in cards for row in csv.reader(io.StringIO(csv_of(card))) for cell in row]
    assert f"'{FORMULA}" in cells
    assert "'-1+1" in cells
    assert "'=Note" in cells
    assert [cell for cell in cells if cell[:1] in "=+-@\t\r" and not re.fullmatch(r"-?[\d.e-]*", cell)] == []


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("self_contained", [False, True])
def test_names_from_the_database_are_text(self_contained: bool) -> None:
    text = html(example(), page="overview", self_contained=self_contained)
    assert HOSTILE not in text
    assert LONG in text
    for tag, attributes in Tags(text).found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
        assert not (attributes.get("href") or "").startswith("javascript:")


def test_a_served_page_has_no_inline_script_or_style() -> None:
    for tag, attributes in Tags(html(example())).found:
        assert tag != "style"
        assert tag != "script" or (attributes["src"] or "").startswith("/static/")


def test_ids_are_unique() -> None:
    ids = [about["id"] for _, about in Tags(html(example(), self_contained=True)).found if "id" in about]
    assert len(ids) == len(set(ids))


def test_without_data_the_page_says_what_to_load() -> None:
    text = html(without_data())
    assert "Not available" in text
    assert "dlt-authsignal events load" in text
