"""Install the KPI models as views in the destination, in its SQL dialect."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.models.configuration.views import view_queries as configuration_views
from dlt_authsignal.models.dialects import in_duckdb, qualified, translated
from dlt_authsignal.models.events.views import view_queries as event_views
from dlt_authsignal.models.kpis.availability import needs_of
from dlt_authsignal.models.kpis.catalogue import Model, all_models
from dlt_authsignal.models.kpis.queries import query
from dlt_authsignal.models.ocsf.views import view_queries as ocsf_views
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.models.tables import existing
from dlt_authsignal.project.writing import check_can_be_written
from dlt_authsignal.schema.sql_text import quoted

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class Installed:
    """Result of `install`.

    Attributes:
        views: Names of the created views. Empty for tables made of files, which cannot have views.
        needs: For each KPI that is not available, what it needs.
    """

    views: list[str]
    needs: dict[str, tuple[str, ...]]


def install(pipeline: "Pipeline", *, materialize: bool = False) -> Installed:
    """Create or replace the view of every available KPI. Views of KPIs that are not available any more are dropped.

    Args:
        pipeline: Pipeline that loaded the dataset.
        materialize: Create tables, which keep the values of now, instead of views.

    Raises:
        ConfigurationError: This account can only read the DuckDB file.
        RunFailed: No view could be created, because nothing was synced or the destination refused.
    """
    from dlt.destinations.exceptions import DatabaseException

    from dlt_authsignal.destination.duckdb_file import database_file
    from dlt_authsignal.destination.errors import rejection
    from dlt_authsignal.destination.stores.store import is_made_of_files

    stored = existing(pipeline)
    needs = {model.name: found for model in all_models() if (found := needs_of(model, stored))}
    if len(needs) == len(all_models()):
        raise _nothing_synced(pipeline.dataset_name)
    if is_made_of_files(pipeline):
        return Installed(views=[], needs=needs)
    if file := database_file(pipeline):
        check_can_be_written(file, "the KPI views")
    done = Installed(views=[], needs=needs)
    try:
        with pipeline.sql_client() as client:
            dataset = client.fully_qualified_dataset_name(quote=False).split(".")[-1]
            dialect = client.capabilities.sqlglot_dialect or "duckdb"
            views = {
                model.view: view_query(model, stored, dataset, dialect)
                for model in all_models()
                if model.name not in needs
            }
            others = configuration_views(pipeline, dataset, dialect) | event_views(pipeline, dataset, dialect)
            others |= ocsf_views(pipeline, dataset, dialect)
            for name, text in (views | others).items():
                is_table = materialize and name not in others
                _replace(client, view_name(name, dataset, dialect), text, is_table=is_table)
                done.views.append(name)
            for model in all_models():
                if model.name in needs:
                    _drop(client, view_name(model.view, dataset, dialect))
    except DatabaseException as error:
        failure = RunFailed(f"Cannot create all KPI views; the loaded data is unchanged: {rejection(str(error))}")
    else:
        return done
    raise failure  # outside of `except`: the database's error may quote values


def _nothing_synced(dataset: str) -> RunFailed:
    return RunFailed(f'Dataset "{dataset}" has none of the tables that the KPIs need. Run first: dlt-authsignal sync')


def _replace(client: Any, name: str, text: str, *, is_table: bool) -> None:
    """Create a view or table. Where one of the other kind has the name, or other columns, it is dropped first."""
    from dlt.destinations.exceptions import DatabaseException

    if is_table:
        _drop(client, name)
        client.execute_sql(f"create table {name} as {text}")
        return
    try:
        client.execute_sql(f"create or replace view {name} as {text}")
    except DatabaseException:
        _drop(client, name)
        client.execute_sql(f"create view {name} as {text}")


def _drop(client: Any, name: str) -> None:
    """Drop the view or table of this name, if there is one."""
    from dlt.destinations.exceptions import DatabaseException

    try:
        client.execute_sql(f"drop view if exists {name}")
    except DatabaseException:  # it is a table
        client.execute_sql(f"drop table if exists {name}")
    else:
        client.execute_sql(f"drop table if exists {name}")


def view_name(view: str, dataset: str, dialect: str) -> str:
    """Return the name of a view with its dataset, quoted for the dialect."""
    from sqlglot import exp

    return exp.to_table(f"{dataset}.{view}").sql(dialect=dialect)


def view_query(model: Model, stored: Stored, dataset: str, dialect: str) -> str:
    """Return the query of a KPI in a dialect, with the dataset before the name of each table."""
    text = query(model, stored)
    if dialect == "duckdb":  # without sqlglot, which takes a second for some of them
        return qualified(in_duckdb(text), quoted(dataset), stored)
    return translated(text, dataset, dialect)
