"""Compare two surfaces: what a release promised and the code no longer keeps."""

from collections.abc import Iterator, Mapping
from typing import Any

_CHOICES = "one of "


def broken(released: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, str]:
    """Return each broken promise about commands, tables and views, by the name that the changelog has to contain."""
    return dict(
        [
            *_commands(released["commands"], present["commands"]),
            *_tables(released["tables"], present["tables"]),
            *_views(released["views"], present["views"]),
        ]
    )


def _commands(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for command, parameters in old.items():
        if command not in new:
            yield command, f"command {command} was removed"
            continue
        for name, kind in parameters.items():
            found = new[command].get(name)
            if found is None:
                yield name, f"{command}: {name} was removed"
            elif not _takes_all(kind, found):
                yield name, f"{command}: {name} was “{kind}” and is “{found}”"
        for name, kind in new[command].items():
            if name not in parameters and "required" in kind:
                yield name, f"{command}: {name} is new, and required"


def _takes_all(old: str, new: str) -> bool:
    """Whether everything that was accepted still is."""
    if old == new or (new == old.replace(", required", "")) or new == f"{old}, repeatable":
        return True
    if not (old.startswith(_CHOICES) and new.startswith(_CHOICES)):
        return old.startswith(_CHOICES) and new.startswith("value")
    return set(old.removeprefix(_CHOICES).split(", ")) <= set(new.removeprefix(_CHOICES).split(", "))


def _tables(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for table, promised in old.items():
        if table not in new:
            yield table, f"table {table} was removed"
            continue
        if promised["key"] != new[table]["key"]:
            yield table, f"table {table}: its key was {promised['key']} and is {new[table]['key']}"
        for column, kind in promised["columns"].items():
            found = new[table]["columns"].get(column)
            if found is None:
                yield f"{table}.{column}", f"column {table}.{column} was removed"
            elif found != kind:
                yield f"{table}.{column}", f"column {table}.{column} was {kind} and is {found}"


def _views(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for view, columns in old.items():
        if view not in new:
            yield view, f"view {view} was removed"
        for column in set(columns) - set(new.get(view, columns)):
            yield f"{view}.{column}", f"view {view}: {column} was removed"
