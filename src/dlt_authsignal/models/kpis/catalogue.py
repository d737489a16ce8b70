"""The KPIs: `dictionary.toml` has one entry for each, and `sql/` its SQL."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models.kpis.forms import Form


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A published value to compare with.

    Attributes:
        value: The value and what it was measured on.
        source: Where it was published.
        secondary: Whether it was read in a secondary source only.
    """

    value: str
    source: str
    secondary: bool = False

    def __str__(self) -> str:
        return f"{self.value} ({self.source}{', as quoted by others' if self.secondary else ''})"


@dataclass(frozen=True, kw_only=True)
class Model:
    """One KPI, or one part of a KPI that needs other tables than the rest.

    Attributes:
        number: Number of the KPI; its parts share it.
        name: Name of the model; the view is called `kpi_<name>`.
        title: Title for display.
        question: Question that the KPI answers.
        population: What is counted.
        numerator: What counts in the numerator, by measure if there are several.
        denominator: What counts in the denominator.
        window: Time that a row covers, and which cases are left out.
        unit: ratio, seconds, count or `per user`.
        form: Form of the query; see `forms`.
        sources: api, management, events, own, or `table NAME` for a table that you supply.
        tables: Tables that the query needs; `attempts` is any table with attempts.
        columns: Columns that the query needs, as `table.column`.
        dimensions: Dimensions by which the KPI is split.
        measures: What each measure counts.
        sql: The KPI's own query.
        caution: What to keep in mind.
        bounds: Base query with the days that are loaded.
        percentiles: Measures of a duration.
        units: Units of measures that differ from `unit`.
        share_measures: Measures whose slices are shares of the total.
        warm_up: Days by measure that have to be loaded before the first value.
        has_total: Whether there is a row over all values of the dimensions.
        references: Published values to compare with.
        shown_dimension: Dimension whose largest slices a summary shows.
        shown_measures: Measures of which a summary shows slices.
    """

    number: int
    name: str
    title: str
    question: str
    population: str
    numerator: str
    denominator: str
    window: str
    unit: str
    form: Form
    sources: tuple[str, ...]
    tables: tuple[str, ...]
    measures: Mapping[str, str]
    sql: str
    columns: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    caution: str = ""
    bounds: str = ""
    percentiles: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    share_measures: tuple[str, ...] = ()
    warm_up: Mapping[str, int] = field(default_factory=dict)
    has_total: bool = True
    references: tuple[Reference, ...] = ()
    shown_dimension: str = ""
    shown_measures: tuple[str, ...] = ()

    @property
    def view(self) -> str:
        return f"kpi_{self.name}"

    @property
    def facts(self) -> dict[str, str]:
        """The parts of the definition by their names, for display."""
        measures = (f"`{name}`: {meaning}" for name, meaning in self.measures.items())
        facts = {
            "Population": self.population,
            "Numerator": self.numerator,
            "Denominator": self.denominator,
            "Window": self.window,
            "Measures": f"{'; '.join(measures)}.",
            "Unit": self.unit,
            "Dimensions": ", ".join(self.dimensions) or "none",
            "Sources": ", ".join(self.sources),
            "Caution": self.caution,
            "To compare": "; ".join(map(str, self.references)),
        }
        return {name: text for name, text in facts.items() if text}


@cache
def all_models() -> tuple[Model, ...]:
    """Return all models, sorted by number; the parts of a KPI in the order of the dictionary."""
    entries = tomllib.loads(files("dlt_authsignal.models.kpis").joinpath("dictionary.toml").read_text(encoding="utf-8"))
    return tuple(sorted((_model(entry) for entry in entries["kpi"]), key=lambda model: model.number))


def find_model(name: str) -> Model:
    """Return a model by name, with or without `kpi_`.

    Raises:
        ConfigurationError: No such model; the message lists the existing ones.
    """
    for model in all_models():
        if name in (model.name, model.view):
            return model
    raise ConfigurationError(f'No model "{name}". Known: {", ".join(model.name for model in all_models())}.')


def _model(entry: Mapping[str, Any]) -> Model:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    values["references"] = tuple(Reference(**reference) for reference in entry.get("references", ()))
    file = f"{entry['number']:02}_{entry['name']}.sql"
    sql = files("dlt_authsignal.models.kpis").joinpath("sql", file).read_text(encoding="utf-8").strip()
    return Model(**values, sql=sql)
