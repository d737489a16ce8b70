"""Write the KPIs as a dbt package: a model for each available one, with its definition and tests."""

import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import RunFailed
from dlt_authsignal.models.install import view_query
from dlt_authsignal.models.kpis.availability import needs_of
from dlt_authsignal.models.kpis.catalogue import Model, all_models
from dlt_authsignal.models.kpis.forms import GRAINS, SHAPE
from dlt_authsignal.models.opened import Stored
from dlt_authsignal.models.tables import existing

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline

SOURCE: Final = "authsignal"
"""Name of the dbt source; its schema is the variable `authsignal_schema`."""

_PLACE: Final = "authsignal_dbt_source"
_TABLE: Final = re.compile(rf"""["`]?{_PLACE}["`]?\.["`]?(\w+)["`]?""")


def export(pipeline: "Pipeline", folder: Path) -> list[str]:
    """Write the package and return the names of its models.

    Raises:
        RunFailed: No KPI is available.
    """
    from dlt_authsignal.destination.stores.store import is_made_of_files

    stored = existing(pipeline)
    there = [model for model in all_models() if not needs_of(model, stored)]
    if not there:
        raise RunFailed(
            f'Dataset "{pipeline.dataset_name}" has none of the tables that the KPIs need. Nothing was written. Run'
            " first: dlt-authsignal sync"
        )
    if is_made_of_files(pipeline):
        raise RunFailed(
            "dbt needs a database, and these tables are made of files. Nothing was written. Load into DuckDB or"
            " another database: dlt-authsignal sync --destination duckdb"
        )
    with pipeline.sql_client() as client:
        schema = client.fully_qualified_dataset_name(quote=False).split(".")[-1]
        dialect = client.capabilities.sqlglot_dialect or "duckdb"
    texts = {model.view: _sql(model, stored, dialect) for model in there}
    used = sorted({table for text in texts.values() for table in re.findall(r"source\('\w+', '(\w+)'\)", text)})
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    for earlier in models.glob("kpi_*.sql"):
        earlier.unlink()
    for name, text in texts.items():
        (models / f"{name}.sql").write_text(text, encoding="utf-8")
    (folder / "dbt_project.yml").write_text(_yaml(_project(schema)), encoding="utf-8")
    (models / "schema.yml").write_text(_yaml(_schema(there, used)), encoding="utf-8")
    return list(texts)


def _sql(model: Model, stored: Stored, dialect: str) -> str:
    text = view_query(model, stored, _PLACE, dialect)
    return _TABLE.sub(lambda found: f"{{{{ source('{SOURCE}', '{found[1]}') }}}}", text).strip() + "\n"


def _project(schema: str) -> dict[str, Any]:
    return {
        "name": "authsignal",
        "version": version("dlt-authsignal"),
        "config-version": 2,
        "model-paths": ["models"],
        "vars": {"authsignal_schema": schema},
        "models": {"authsignal": {"+materialized": "table"}},
    }


def _schema(models: list[Model], tables: list[str]) -> dict[str, Any]:
    return {
        "version": 2,
        "sources": [
            {
                "name": SOURCE,
                "schema": "{{ var('authsignal_schema') }}",
                "tables": [{"name": table} for table in tables],
            }
        ],
        "models": [_model(model) for model in models],
    }


def _model(model: Model) -> dict[str, Any]:
    facts = "\n".join(f"{part}: {text}" for part, text in model.facts.items())
    return {
        "name": model.view,
        "description": f"{model.number}. {model.title}: {model.question}\n{facts}\n{SHAPE}",
        "columns": [
            {"name": "measure", "data_tests": ["not_null", _accepted(list(model.measures))]},
            {"name": "period_grain", "data_tests": ["not_null", _accepted(list(GRAINS))]},
            {"name": "dimension", "data_tests": ["not_null", _accepted(["all", *model.dimensions])]},
            {"name": "dimension_value", "data_tests": ["not_null"]},
        ],
    }


def _accepted(values: list[str]) -> dict[str, Any]:
    return {"accepted_values": {"arguments": {"values": values}}}


def _yaml(content: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text
