"""Write the KPIs as a dbt package: a model for each available one, with its definition and tests."""

import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlt_authsignal.errors import ConfigurationError, RunFailed
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

_PROJECT: Final = "dbt_project.yml"
_PLACE: Final = "authsignal_dbt_source"
_TABLE: Final = re.compile(rf"""["`]?{_PLACE}["`]?\.["`]?(\w+)["`]?""")


def export(pipeline: "Pipeline", folder: Path) -> list[str]:
    """Write the package and return the names of its models. Files of an earlier export are replaced.

    Raises:
        ConfigurationError: The folder has files of another dbt project, or cannot be written.
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
    try:
        _check_folder(folder)
        _write(folder, _project(schema), _schema(there, used), texts)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write the dbt package to {folder}: {error.strerror or type(error).__name__}. It may be incomplete;"
            " no other file was changed. Let your account write there, or choose another folder with --out, and run"
            " the command again."
        ) from None
    return list(texts)


def _check_folder(folder: Path) -> None:
    """Refuse a folder with the files of another dbt project.

    Raises:
        ConfigurationError: It has some. Nothing was written.
    """
    project, models = folder / _PROJECT, folder / "models"
    is_free = not project.exists() and not (models.is_dir() and any(models.iterdir()))
    if not is_free and not (project.is_file() and _is_export(project)):
        raise ConfigurationError(
            f"{folder} has files of another dbt project, which the package would replace. Nothing was written. Choose"
            " an empty folder with --out, and add it to packages.yml of your project."
        )


def _is_export(project: Path) -> bool:
    import yaml

    try:
        found = yaml.safe_load(project.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return False
    settings = found.get("vars") if isinstance(found, dict) else None
    return isinstance(settings, dict) and found.get("name") == "authsignal" and "authsignal_schema" in settings


def _write(folder: Path, project: dict[str, Any], schema: dict[str, Any], texts: Mapping[str, str]) -> None:
    """Write the package, `dbt_project.yml` first: with it, the next export knows its own folder."""
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    (folder / _PROJECT).write_text(_yaml(project), encoding="utf-8")
    for earlier in models.glob("kpi_*.sql"):
        earlier.unlink()
    for name, text in texts.items():
        (models / f"{name}.sql").write_text(text, encoding="utf-8")
    (models / "schema.yml").write_text(_yaml(schema), encoding="utf-8")


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
