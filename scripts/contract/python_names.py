"""The public Python names as stubs, and griffe's comparison of two states of them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import griffe

PUBLIC: Final = ("dlt_authsignal", "dlt_authsignal.sandbox", "dlt_authsignal.receiver")
"""Modules whose `__all__` is promised."""

_MADE_BY_USERS: Final = frozenset({"Fault", "Limit", "RunMetrics", "SandboxConfig"})
"""Classes whose arguments are promised. Reports and errors are made by this package: a new field breaks nothing."""

_DEFINED: Final = re.compile(r"(?:class |def )?(\w+)")
_SPELLED: Final = {"variadic positional": "*", "variadic keyword": "**"}


def load(folder: Path) -> Any:
    """Return the package below a folder, as griffe reads it, without running it."""
    return griffe.load("dlt_authsignal", search_paths=[folder], try_relative_path=False, resolve_aliases=True)


def stubs(package: Any) -> dict[str, list[str]]:
    """Return the public names of each public module as the lines of a stub."""
    return {name: list(_module(_found(package, name))) for name in PUBLIC}


def breaks(released: Mapping[str, Sequence[str]], package: Any) -> dict[str, str]:
    """Return what a program written for the released names may trip over, by name."""
    found: dict[str, list[str]] = {}
    with TemporaryDirectory(prefix="contract-") as folder:
        for name, lines in released.items():
            _write(Path(folder, *name.split(".")), name, lines)
        old = load(Path(folder))
        for name in released:
            for breakage in griffe.find_breaking_changes(_found(old, name), _found(package, name)):
                found.setdefault(_named(breakage.obj), []).append(_explained(breakage))
    return {path: f"{path}: {'; '.join(dict.fromkeys(texts))}" for path, texts in found.items()}


def _write(folder: Path, module: str, lines: Sequence[str]) -> None:
    """Write a stub whose names are imported, as the package's are: griffe compares an import only with an import."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [found[1] for line in lines if (found := _DEFINED.match(line))]
    exported = f"from {module}._names import {', '.join(names)}\n__all__ = {names}\n"
    (folder / "_names.pyi").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "__init__.pyi").write_text(exported, encoding="utf-8")


def _named(obj: Any) -> str:
    """Return the public name: an object may move into another private module."""
    parent = obj.parent
    return f"{parent.name}.{obj.name}" if parent is not None and parent.is_class else str(obj.name)


def _explained(breakage: griffe.Breakage) -> str:
    values = () if isinstance(breakage, griffe.ObjectRemovedBreakage) else (breakage.old_value, breakage.new_value)
    detail = [_spelled_out(value) for value in values if value is not None]
    return breakage.kind.value + (f" ({' -> '.join(map(_short, detail))})" if detail else "")


def _spelled_out(value: Any) -> str:
    return f"{value.name}" if isinstance(value, griffe.Parameter) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"


def _found(package: Any, module: str) -> Any:
    inner = module.removeprefix("dlt_authsignal").removeprefix(".")
    return package[inner] if inner else package


def _module(module: Any) -> Iterator[str]:
    for name in sorted(str(export) for export in module.exports or ()):
        yield from _object(name, module[name])


def _object(name: str, found: Any) -> Iterator[str]:
    target = found.final_target if found.is_alias else found
    if target.is_function:
        yield _function(name, target)
    elif target.is_class:
        yield f"class {name}({', '.join(str(base) for base in target.bases)}):".replace("()", "")
        members = {**target.inherited_members, **target.members}
        shown = [each for each in sorted(members) if not each.startswith("_")]
        if name in _MADE_BY_USERS and "__init__" in members:
            shown.insert(0, "__init__")
        for member in shown:
            yield from (f"    {line}" for line in _object(member, members[member]))
        if not shown:
            yield "    ..."
    elif target.is_attribute:
        annotation = f": {target.annotation}" if target.annotation else ""
        value = f" = {target.value}" if target.value is not None else ""
        yield f"{name}{annotation}{value}" if annotation or value else f"{name} = ..."


def _function(name: str, target: Any) -> str:
    shown, is_keyword = [], False
    for each in target.parameters:
        if each.kind is griffe.ParameterKind.keyword_only and not is_keyword:
            is_keyword = True
            shown.append("*")
        is_keyword |= each.kind is griffe.ParameterKind.var_positional
        spelled = _SPELLED.get(each.kind.value, "") + each.name
        spelled += f": {each.annotation}" if each.annotation else ""
        has_default = each.default is not None and each.kind.value not in _SPELLED
        shown.append(f"{spelled} = {each.default}" if has_default else spelled)
    returns = f" -> {target.returns}" if target.returns else ""
    return f"def {name}({', '.join(shown)}){returns}: ..."
