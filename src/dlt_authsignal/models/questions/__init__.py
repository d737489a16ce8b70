"""Six questions that a new user asks, each with one query in DuckDB's SQL over the KPI views and the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlt_authsignal.models.opened import Ask


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question.

    Attributes:
        name: Name of its file, without the number.
        text: The question.
        note: What the answer shows.
        sql: The query. `{first}` and `{last}` stand for the first and the last day in question.
    """

    name: str
    text: str
    note: str
    sql: str

    def about(self, first: date, last: date) -> str:
        """Return the query about these days."""
        return self.sql.format(first=first.isoformat(), last=last.isoformat())


@cache
def all_questions() -> tuple[Question, ...]:
    """Return the questions in order."""
    found = sorted(file.name for file in files(__name__).iterdir() if file.name.endswith(".sql"))
    return tuple(map(_read, found))


def question(name: str) -> Question:
    """Return the question of that name."""
    return next(each for each in all_questions() if each.name == name)


def answer(ask: "Ask", name: str, first: date, last: date) -> Sequence[tuple[Any, ...]]:
    """Return the answer to a question about these days: the rows of its query.

    Args:
        ask: Runs a query: see `models.opened.opened`.
        name: Name of the question.
        first: The first day.
        last: The last day.
    """
    return ask(question(name).about(first, last))


def _read(name: str) -> Question:
    text, note, sql = files(__name__).joinpath(name).read_text("utf-8").split("\n", 2)
    return Question(
        name=name.removesuffix(".sql").partition("_")[2],
        text=text.removeprefix("--").strip(),
        note=note.removeprefix("--").strip(),
        sql=sql.strip(),
    )
