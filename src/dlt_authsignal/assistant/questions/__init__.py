"""Three common questions per table, one SQL file per table. Each is a comment and a query in DuckDB's SQL."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question.

    Attributes:
        text: The question as a sentence.
        sql: The query that answers it, with unqualified table names.
    """

    text: str
    sql: str


@cache
def questions(table: str) -> tuple[Question, ...]:
    """Return the questions of one table; empty if it has none."""
    file = files(__name__).joinpath(f"{table}.sql")
    if not file.is_file():
        return ()
    return tuple(_parse(block) for block in file.read_text("utf-8").split(";") if block.strip())


def _parse(block: str) -> Question:
    comment, _, sql = block.strip().partition("\n")
    return Question(text=comment.removeprefix("--").strip(), sql=sql.strip())
