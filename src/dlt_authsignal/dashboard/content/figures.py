"""The figures of a dataset, and the pages that show them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Final

from dlt_authsignal.dashboard.content.cards.look import Look
from dlt_authsignal.dashboard.content.cards.marks import marks_of
from dlt_authsignal.dashboard.content.data.cubes import Cubes, Progress, make_cubes, no_progress
from dlt_authsignal.dashboard.content.data.facts import Facts, read_facts
from dlt_authsignal.dashboard.content.data.selection import Asked, Selection, applied
from dlt_authsignal.dashboard.content.header import check, sources
from dlt_authsignal.dashboard.content.pages import adoption, changes, funnel, overview, reliability, security, trust
from dlt_authsignal.dashboard.page import Choices, Definition, Document, Filters, Page
from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.models.kpis.catalogue import find_model
from dlt_authsignal.models.kpis.forms import GRAINS
from dlt_authsignal.models.kpis.queries import explained
from dlt_authsignal.models.values import Kpi

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

PAGES: Final[Mapping[str, ModuleType]] = {
    "overview": overview,
    "adoption": adoption,
    "funnel": funnel,
    "reliability": reliability,
    "changes": changes,
    "security": security,
    "trust": trust,
}
"""The pages by their keys, in the order of the menu."""

_NOTHING: Final = Filters()


class Figures:
    """The figures of a dataset at one moment. Pages are computed from memory, for any filters.

    Args:
        dataset: Name of the dataset.
        destination: Kind of database.
        cubes: The cubes.
        facts: What is known beside the KPIs.
    """

    def __init__(self, dataset: str, destination: str, cubes: Cubes, facts: Facts) -> None:
        self.made_at = datetime.now(UTC)
        self._dataset, self._destination, self._facts = dataset, destination, facts
        self._selection = Selection(cubes)
        self._marks = marks_of(facts.timeline)
        self.choices = _choices(self._selection)
        self._attempts = _attempts(self._selection)
        self.document = lru_cache(maxsize=128)(self._document)

    def _document(self, filters: Filters = _NOTHING, page: str | None = None) -> Document:
        """Return what is shown.

        Args:
            filters: What the reader chose.
            page: Key of one page; None for all pages.

        Raises:
            ConfigurationError: There is no such page.
        """
        if page is not None and page not in PAGES:
            raise ConfigurationError(f'No page "{page}". Pages: {", ".join(PAGES)}.')
        look = Look(selection=self._selection, filters=filters, marks=self._marks)
        pages = tuple(_page(key, self._facts, look) for key in ([page] if page else PAGES))
        said, state = check(self._facts, self._attempts)
        return Document(
            dataset=self._dataset,
            destination=self._destination,
            made_at=self.made_at,
            sources=sources(self._facts),
            check=said,
            check_state=state,
            version=version("dlt-authsignal"),
            filters=filters,
            choices=self.choices,
            pages=pages,
            titles=tuple((key, str(module.TITLE)) for key, module in PAGES.items()),
            definitions={name: _definition(name) for name in sorted(look.used)},
        )

    def rows(self, kpi: str, filters: Filters = _NOTHING) -> Sequence[Kpi]:
        """Return all rows of a KPI under the filters: each period, and each slice by one dimension.

        Raises:
            ConfigurationError: There is no such KPI.
        """
        model = find_model(kpi)
        return self._selection.rows(Asked(model.name, applied(model, filters), GRAINS, model.dimensions))

    def warm(self) -> None:
        """Compute each page without filters, so that it is there when it is opened."""
        for key in PAGES:
            self.document(_NOTHING, key)


def open_figures(pipeline: "Pipeline", progress: Progress = no_progress) -> Figures:
    """Read the figures of a pipeline's dataset. Without data, each card says what to load.

    Args:
        pipeline: Pipeline that loaded the dataset.
        progress: Is told how many steps of how many are done.
    """
    from dlt_authsignal.destination.clients import shared_clients
    from dlt_authsignal.destination.duckdb_file import keep_open

    with shared_clients(pipeline), keep_open(pipeline):
        cubes, facts = make_cubes(pipeline, progress), read_facts(pipeline)
    kind = str(pipeline.destination.destination_name or pipeline.destination.destination_type)
    return Figures(pipeline.dataset_name, kind, cubes, facts)


def _page(key: str, facts: Facts, look: Look) -> Page:
    module = PAGES[key]
    sections: Callable[..., Sequence[object]] = module.sections
    return Page(key=key, title=module.TITLE, intro=module.INTRO, sections=tuple(sections(facts, look)))  # type: ignore[arg-type]


@cache
def _definition(name: str) -> Definition:
    model = find_model(name)
    return Definition(name=name, title=model.title, question=model.question, facts=model.facts, sql=explained(model))


def _choices(selection: Selection) -> Choices:
    first, last = selection.bounds("attempt_bounds")
    if first is None:
        first, last = selection.bounds("user_bounds")
    return Choices(
        first_day=first,
        last_day=last,
        actions=_values(selection, "challenge_and_block_rate", "action_code"),
        methods=_values(selection, "seconds_to_authenticate", "verification_method"),
        countries=_values(selection, "challenge_and_block_rate", "country_code"),
    )


def _attempts(selection: Selection) -> Mapping[str, int]:
    """Return the attempts by the result of the comparison of API and events."""
    rows = selection.rows(Asked("attempts_seen", _NOTHING, dimensions=("comparison",), has_total=False))
    return {row.dimension_value: int(row.numerator or 0) for row in rows if row.dimension == "comparison"}


def _values(selection: Selection, kpi: str, dimension: str) -> tuple[str, ...]:
    """Return the values of a dimension, most frequent first."""
    rows = selection.rows(Asked(kpi, _NOTHING, dimensions=(dimension,), has_total=False))
    found = sorted(rows, key=lambda row: (-(row.denominator or 0), row.dimension_value))
    return tuple(dict.fromkeys(row.dimension_value for row in found))
