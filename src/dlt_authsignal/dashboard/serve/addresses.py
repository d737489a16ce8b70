"""Filters in the query of a URL."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from dlt_authsignal.dashboard.page import Choices, Filters

LONGEST: Final = 200
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATES: Final = ("since", "until")
_CHOICES: Final[Mapping[str, str]] = {"action": "actions", "method": "methods", "country": "countries"}


class WrongFilter(ValueError):
    """A filter of the URL is not usable. The message is for the reader."""


def filters_of(query: Iterable[tuple[str, str]], choices: Choices) -> Filters:
    """Return the filters of a query. Blank ones are not chosen, and other parameters are ignored.

    Args:
        query: Names and values.
        choices: What can be chosen.

    Raises:
        WrongFilter: A value is not one of the choices, or not a date, or given twice, or the dates are in reverse.
    """
    given: dict[str, str] = {}
    for name, value in query:
        if name in (*_DATES, *_CHOICES) and value:
            if name in given:
                raise WrongFilter(f'The filter "{name}" is given twice. Choose one value.')
            given[name] = value
    days = {name: _date(name, given[name]) for name in _DATES if name in given}
    since, until = days.get("since"), days.get("until")
    if since and until and since > until:
        raise WrongFilter(f"The first day, {since}, is after the last day, {until}. Choose an earlier first day.")
    chosen = {name: _chosen(name, given[name], getattr(choices, _CHOICES[name])) for name in _CHOICES if name in given}
    return Filters(since=since, until=until, **chosen)


def _date(name: str, value: str) -> date:
    try:
        if _DATE.fullmatch(value):  # not the other forms of ISO 8601
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise WrongFilter(f'"{_shown(value)}" in the filter "{name}" is not a date. Write it like 2026-01-31.')


def _chosen(name: str, value: str, known: tuple[str, ...]) -> str:
    if value in known:
        return value
    raise WrongFilter(f'The data has no {name} "{_shown(value)}". Choose one from the list.')


def _shown(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
