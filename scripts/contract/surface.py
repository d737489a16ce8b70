"""What a release promises: Python names, commands with their options, tables with their columns, and views."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import click

from dlt_authsignal.assistant.dictionary import VIEWS
from dlt_authsignal.cli.main import cli
from dlt_authsignal.models import all_models
from dlt_authsignal.models.kpis.forms import COLUMNS
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.tables.all_tables import ALL_TABLES
from dlt_authsignal.schema.tables.bookkeeping import OWN_TABLES
from dlt_authsignal.schema.tables.server import PROVENANCE

Surface = dict[str, Any]


def present() -> Surface:
    """Return the surface of the code in this folder, without the Python names."""
    return {
        "commands": dict(_commands("dlt-authsignal", cli)),
        "tables": {table.name: _table(table) for table in (*ALL_TABLES.values(), *OWN_TABLES)},
        "views": _views(),
    }


def _table(table: Table) -> dict[str, Any]:
    return {"key": list(table.key), "columns": _columns((*table.columns, *PROVENANCE))}


def _columns(columns: Iterable[Column]) -> dict[str, str]:
    return {column.name: column.type for column in sorted(columns, key=lambda each: each.name)}


def _views() -> dict[str, list[str]]:
    """Return the columns of each view; of a KPI also its measures and dimensions."""
    kpis = {model.view: sorted({*COLUMNS, *model.measures, *model.dimensions}) for model in all_models()}
    others = {view.name: sorted(_names_of(view)) for view in VIEWS}
    return kpis | others


def _names_of(view: Any) -> list[str]:
    if hasattr(view, "row"):
        return [each.name for each in dataclasses.fields(view.row)]
    return [column.name for column in view.columns]


def _commands(path: str, command: click.Command) -> Iterable[tuple[str, Mapping[str, str]]]:
    yield path, {_name(each): _kind(each) for each in sorted(command.params, key=_name)}
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _commands(f"{path} {name}", inner)


def _name(parameter: click.Parameter) -> str:
    """Return the name that a user types: the longest spelling of an option."""
    is_option = isinstance(parameter, click.Option)
    return max((*parameter.opts, *parameter.secondary_opts), key=len) if is_option else str(parameter.name).upper()


def _kind(parameter: click.Parameter) -> str:
    """Return what a script relies on: whether a value follows, of which kind, and whether it may be left out."""
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    choices = parameter.type.choices if isinstance(parameter.type, click.Choice) else ()
    value = "flag" if flag else f"one of {', '.join(map(str, choices))}" if choices else "value"
    return f"{value}{', required' if parameter.required else ''}{', repeatable' if parameter.multiple else ''}"
