"""What a page shows, without its data source and its look.

`content/` makes these values from a dataset, and `render/` makes HTML from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

State = Literal["ok", "late", "failed", "missing"]


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the reader chose; None for everything. The names are the parameters of the URL.

    Attributes:
        since: First day.
        until: Last day.
        action: Action code.
        method: Verification method.
        country: Country code.
    """

    since: date | None = None
    until: date | None = None
    action: str | None = None
    method: str | None = None
    country: str | None = None


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What the reader can choose from.

    Attributes:
        first_day: First day with data; None without data.
        last_day: Last complete day.
        actions: Action codes, most frequent first.
        methods: Verification methods, most frequent first.
        countries: Country codes, most frequent first.
    """

    first_day: date | None = None
    last_day: date | None = None
    actions: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SourceTime:
    """How recent the data of one source is.

    Attributes:
        name: API, Events or Configuration.
        at: Time up to which the data is loaded; None if the source is not loaded.
        state: How the source is doing.
        detail: One sentence; for a missing source, how to load it.
    """

    name: str
    at: datetime | None
    state: State
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How a KPI is computed, from the dictionary of KPIs.

    Attributes:
        name: Name of the KPI.
        title: Title for display.
        question: Question that the KPI answers.
        facts: Population, numerator, denominator, window and so on, by their names.
        sql: The query.
    """

    name: str
    title: str
    question: str
    facts: Mapping[str, str]
    sql: str


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value.

    Attributes:
        label: A day as ISO text, or a category.
        value: The value; None if unknown.
        low: Lower bound of the 95 % interval.
        high: Upper bound of the 95 % interval.
        numerator: What was counted.
        denominator: Of how many.
        is_complete: Whether all data of the period is loaded.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    is_complete: bool = True


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one measure, in the order in which they are drawn."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A moment to draw over a chart, such as a change of the configuration."""

    day: date
    label: str
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One large number.

    Attributes:
        title: What the number is.
        point: The number; None if it is not available.
        unit: ratio, seconds, count, `per user` or money.
        before: The same for the period of the same length before; None if that is not loaded.
        better: Which direction is good news: up, down, or neither.
        trend: Points of the time before, for a small line.
        definition: Name of the definition.
        ignores: Names of chosen filters that this number does not have.
        note: What to keep in mind, in one sentence.
        needs: What has to be loaded to see the number; blank if it is available.
    """

    title: str
    point: Point | None
    unit: str
    before: Point | None = None
    better: Literal["up", "down", ""] = ""
    trend: Series | None = None
    definition: str = ""
    ignores: tuple[str, ...] = ()
    note: str = ""
    needs: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart. Each chart also has a table with the same points.

    Attributes:
        kind: `line` over days; `bar` for categories; `stack` for parts of a whole over days; `funnel` for steps.
        title: What is shown.
        caption: One sentence that says what the reader sees in it, with the figures.
        series: The series; a funnel and a bar chart usually have one.
        unit: ratio, seconds, count, `per user` or money.
        marks: Moments to draw over a line.
        definition: Name of the definition.
        ignores: Names of chosen filters that this chart does not have.
        needs: What has to be loaded to see the chart; blank if it is available.
    """

    kind: Literal["line", "bar", "stack", "funnel"]
    title: str
    caption: str
    series: tuple[Series, ...]
    unit: str
    marks: tuple[Mark, ...] = ()
    definition: str = ""
    ignores: tuple[str, ...] = ()
    needs: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        title: What is shown.
        caption: One sentence that says what the reader sees in it.
        columns: Titles of the columns.
        units: Unit of each column: text, time, or one of those of a number.
        rows: The cells.
        definition: Name of the definition.
        needs: What has to be loaded to see the table; blank if it is available.
    """

    title: str
    caption: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    definition: str = ""
    needs: str = ""


Card = Number | Chart | Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """Some cards under one heading. `intro` is the question that they answer."""

    title: str
    intro: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page for one kind of reader."""

    key: str
    title: str
    intro: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, kw_only=True)
class Document:
    """All that is shown.

    Attributes:
        dataset: Name of the dataset.
        destination: Kind of database.
        made_at: Time at which the figures were computed.
        sources: How recent each source is.
        check: Result of the last check, in one sentence.
        check_state: Whether the check passed.
        version: Version of this package, whose definitions were used.
        filters: What the reader chose.
        choices: What the reader can choose from.
        pages: The pages, or only the one that the reader asked for.
        titles: Keys and titles of all pages, in the order of the menu.
        definitions: Definitions by name.
        problem: What is wrong with the request or the data, in one sentence; blank if nothing is.
    """

    dataset: str
    destination: str
    made_at: datetime
    sources: tuple[SourceTime, ...]
    check: str
    check_state: State
    version: str
    filters: Filters
    choices: Choices
    pages: tuple[Page, ...]
    titles: tuple[tuple[str, str], ...]
    definitions: Mapping[str, Definition] = field(default_factory=dict)
    problem: str = ""
