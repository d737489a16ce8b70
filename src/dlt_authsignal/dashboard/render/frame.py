"""What surrounds the cards: the menu, links, filters, and the definitions that a page needs."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Final
from urllib.parse import quote, urlencode

from dlt_authsignal.dashboard.page import Card, Chart, Definition, Document, Filters, Number, Page, Table
from dlt_authsignal.dashboard.render.rows import csv_of

PERIODS: Final = (7, 28, 90)
"""Days of the periods that one click chooses."""


def kind_of(card: Card) -> str:
    """Return number, chart or table."""
    return {Number: "number", Chart: "chart", Table: "table"}[type(card)]


def groups_of(cards: tuple[Card, ...]) -> list[tuple[str, list[Card]]]:
    """Return neighbouring cards of the same kind together: they share a grid."""
    return [(kind, list(group)) for kind, group in groupby(cards, key=kind_of)]


@dataclass(frozen=True)
class Period:
    """A period that one click chooses."""

    title: str
    href: str
    is_chosen: bool


class Frame:
    """A document in one of its two forms."""

    def __init__(self, document: Document, key: str, *, self_contained: bool) -> None:
        self.document = document
        self.key = key
        self.self_contained = self_contained

    @property
    def pages(self) -> tuple[Page, ...]:
        """Pages to write."""
        every = self.document.pages
        return every if self.self_contained else tuple(page for page in every if page.key == self.key)

    @property
    def title(self) -> str:
        """Title of the browser's tab."""
        titles = dict(self.document.titles)
        return f"{titles.get(self.key, self.key)} · {self.document.dataset}"

    @property
    def query(self) -> str:
        """The chosen filters as the query of a URL, with its question mark."""
        return _query(self.document.filters)

    def page_href(self, key: str) -> str:
        """Return the link to a page; it keeps the filters."""
        return f"#{key}" if self.self_contained else f"/{quote(key)}{self.query}"

    def mark_href(self, href: str) -> str:
        """Return the link of a mark, to a page of the server or of the file; blank for links that lead elsewhere."""
        if not href.startswith(("/", "#")) or href.startswith("//"):
            return ""
        if href.startswith("#") or not self.self_contained:
            return href
        path, _, anchor = href.partition("#")
        return f"#{anchor or path.partition('?')[0].strip('/')}"

    def csv_href(self, card: Card) -> str:
        """Return the link to the rows of a card: at the server those of its definition, otherwise the card's own."""
        if card.definition and not self.self_contained:
            return f"/csv/{quote(card.definition, safe='')}{self.query}"
        return "data:text/csv;charset=utf-8;base64," + base64.b64encode(csv_of(card).encode()).decode()

    def file_name(self, card: Card) -> str:
        """Return the name of the file in which a browser stores the rows of a card."""
        kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in card.title.lower())
        return f"{'-'.join(filter(None, kept.split('-')))[:60] or 'rows'}.csv"

    def definition(self, card: Card) -> Definition | None:
        """Return the definition of a card, if the document has it."""
        return self.document.definitions.get(card.definition)

    def definitions(self) -> list[Definition]:
        """Return the definitions of the cards that are written, in their order."""
        cards = (card for page in self.pages for section in page.sections for card in section.cards)
        named = dict.fromkeys(card.definition for card in cards)
        return [self.document.definitions[name] for name in named if name in self.document.definitions]

    def chosen(self) -> list[str]:
        """Return the chosen filters in words."""
        filters = self.document.filters
        names = (("Action", filters.action), ("Method", filters.method), ("Country", filters.country))
        return [f"{name}: {value}" for name, value in names if value]

    def periods(self) -> Iterator[Period]:
        """Yield the periods that one click chooses."""
        filters, last = self.document.filters, self.document.choices.last_day
        if last:
            for days in PERIODS:
                since = max(last, date.min + timedelta(days=days)) - timedelta(days=days - 1)
                chosen = (filters.since, filters.until) == (since, last)
                yield Period(f"{days} days", self._with_period(since, last), chosen)
        yield Period("All", self._with_period(None, None), not (filters.since or filters.until))

    def _with_period(self, since: date | None, until: date | None) -> str:
        return f"/{quote(self.key)}{_query(replace(self.document.filters, since=since, until=until))}"


def _query(filters: Filters) -> str:
    values = {
        "since": filters.since and filters.since.isoformat(),
        "until": filters.until and filters.until.isoformat(),
        "action": filters.action,
        "method": filters.method,
        "country": filters.country,
    }
    chosen = urlencode({name: value for name, value in values.items() if value})
    return f"?{chosen}" if chosen else ""
