"""The KPI models, read from SQL files. The first comment line holds title and question, the others the definition."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dlt_authsignal.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class Model:
    """One KPI.

    Attributes:
        name: Name of the model; the view is called `kpi_<name>`.
        title: Title for display.
        question: Question that the KPI answers.
        definition: Grain and rules of the KPI.
        sql: Query in DuckDB's dialect, with unqualified table names.
    """

    name: str
    title: str
    question: str
    definition: str
    sql: str

    @property
    def view(self) -> str:
        return f"kpi_{self.name}"


@cache
def all_models() -> tuple[Model, ...]:
    """Return all models, sorted by name."""
    found = files("dlt_authsignal.models").joinpath("sql").iterdir()
    return tuple(
        _parse(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for file in sorted(found, key=lambda file: file.name)
        if file.name.endswith(".sql")
    )


def find_model(name: str) -> Model:
    """Return a model by name, with or without `kpi_`.

    Raises:
        ConfigurationError: No such model; the message lists the existing ones.
    """
    for model in all_models():
        if name in (model.name, model.view):
            return model
    raise ConfigurationError(f'No model "{name}". Known: {", ".join(model.name for model in all_models())}.')


def _parse(name: str, text: str) -> Model:
    lines = text.strip().split("\n")
    comments = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
    title, _, question = comments[0].partition(": ")
    query = "\n".join(line for line in lines if not line.startswith("--"))
    return Model(name=name, title=title, question=question, definition=" ".join(comments[1:]), sql=query)
