"""Install the KPI models as views in the destination, in its SQL dialect, and read them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.models import lake
from dlt_authsignal.models.catalogue import Model, all_models
from dlt_authsignal.models.configuration.views import view_queries as configuration_views
from dlt_authsignal.models.dialects import portable
from dlt_authsignal.models.events.views import view_queries as event_views
from dlt_authsignal.project.writing import check_can_be_written

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Kpi:
    """One row of one view.

    Attributes:
        model: The model.
        slice: Group that the row is about, such as an action code or a verification method.
        numerator: Number of matching rows, or seconds.
        denominator: Number of all rows.
        value: numerator / denominator; None if the denominator is 0.
        unit: ratio or seconds.
    """

    model: Model
    slice: str
    numerator: float
    denominator: int
    value: float | None
    unit: str


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Result of `install`.

    Attributes:
        views: Names of the created views. Empty for tables made of files, which cannot have views.
        skipped: For each skipped model, the tables that are missing because they were not synced.
    """

    views: list[str]
    skipped: dict[str, list[str]]


def install(pipeline: "Pipeline") -> Installed:
    """Create or replace every view whose tables exist.

    Raises:
        ConfigurationError: This account can only read the DuckDB file.
        RunFailed: No view could be created, because nothing was synced or the destination refused.
    """
    from dlt.destinations.exceptions import DatabaseException

    from dlt_authsignal.destination.duckdb_file import database_file
    from dlt_authsignal.destination.stores.store import is_made_of_files

    if is_made_of_files(pipeline):
        return _nothing_to_install(pipeline)
    if file := database_file(pipeline):
        check_can_be_written(file, "the KPI views")
    done = Installed(views=[], skipped={})
    try:
        with pipeline.sql_client() as client:
            dataset = client.fully_qualified_dataset_name(quote=False).split(".")[-1]
            dialect = client.capabilities.sqlglot_dialect or "duckdb"
            for model in all_models():
                if missing := [table for table in tables_of(model) if not _is_there(client, table)]:
                    done.skipped[model.name] = missing
                else:
                    client.execute_sql(view_sql(model, dataset, dialect))
                    done.views.append(model.view)
            views = configuration_views(pipeline, dataset, dialect) | event_views(pipeline, dataset, dialect)
            for name, query in views.items():
                client.execute_sql(f"create or replace view {view_name(name, dataset, dialect)} as {query}")
                done.views.append(name)
    except DatabaseException as error:
        raise RunFailed(f"Cannot create the KPI views; the data is unchanged: {error}") from error
    if not done.views:
        raise _nothing_synced(dataset)
    return done


def _nothing_to_install(pipeline: "Pipeline") -> Installed:
    held = lake.held(pipeline)
    skipped = {model.name: [name for name in tables_of(model) if name not in held] for model in all_models()}
    if all(skipped.values()):
        raise _nothing_synced(pipeline.dataset_name)
    return Installed(views=[], skipped={name: missing for name, missing in skipped.items() if missing})


def _nothing_synced(dataset: str) -> RunFailed:
    return RunFailed(f'Dataset "{dataset}" has none of the tables that the KPIs need. Run first: dlt-authsignal sync')


def _is_there(client: Any, table: str) -> bool:
    from dlt.common.destination.exceptions import DestinationUndefinedEntity

    try:
        client.execute_sql(f"select 1 from {client.make_qualified_table_name(table)} where 1 = 0")
    except DestinationUndefinedEntity:
        return False
    return True


def tables_of(model: Model) -> list[str]:
    """Return the tables that a model reads."""
    from sqlglot import exp, parse_one

    query = parse_one(model.sql, dialect="duckdb")
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    return sorted({table.name for table in query.find_all(exp.Table)} - named)


def view_sql(model: Model, dataset: str, dialect: str) -> str:
    """Return the `create or replace view` statement of a model, with the dataset before each table name."""
    return f"create or replace view {view_name(model.view, dataset, dialect)} as {query_sql(model, dataset, dialect)}"


def view_name(view: str, dataset: str, dialect: str) -> str:
    """Return the name of a view with its dataset, quoted for the dialect."""
    from sqlglot import exp

    return exp.to_table(f"{dataset}.{view}").sql(dialect=dialect)


def query_sql(model: Model, dataset: str | None, dialect: str) -> str:
    """Return the query of a model, with the columns that all models have."""
    from sqlglot import exp, parse_one

    query = parse_one(model.sql, dialect="duckdb")
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if dataset and table.name not in named:
            table.set("db", exp.to_identifier(dataset))
    rows = portable(query, dialect).sql(dialect=dialect)
    value = "cast(numerator as double precision) / nullif(denominator, 0)"
    body = parse_one(
        f"select '{model.name}' as kpi, slice, numerator, denominator, {value} as value, unit from k", dialect="duckdb"
    ).sql(dialect=dialect)
    return f"{body.removesuffix('k')}({rows}) as k"


_READ = "select slice, numerator, denominator, value, unit from {} order by denominator desc, numerator desc, slice"


def read(pipeline: "Pipeline") -> list[Kpi]:
    """Return all rows of the installed views, largest denominators first. Over files, compute all models."""
    from dlt_authsignal.destination.stores.store import is_made_of_files

    if is_made_of_files(pipeline):
        return _read_files(pipeline)
    found = []
    with pipeline.sql_client() as client:
        for model in (model for model in all_models() if _is_there(client, model.view)):
            rows = client.execute_sql(_READ.format(client.make_qualified_table_name(model.view)))
            found += [_kpi(model, row) for row in rows or ()]
    return found


def _read_files(pipeline: "Pipeline") -> list[Kpi]:
    held = lake.held(pipeline)
    with lake.opened(held) as connection:
        return [
            _kpi(model, row)
            for model in all_models()
            if held.keys() >= set(tables_of(model))
            for row in connection.execute(_READ.format(f"({query_sql(model, None, 'duckdb')})")).fetchall()
        ]


def _kpi(model: Model, row: Any) -> Kpi:
    return Kpi(model=model, slice=row[0], numerator=row[1], denominator=row[2], value=row[3], unit=row[4])
