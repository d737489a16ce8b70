"""Read and write the files of a project, and merge what `init` writes with existing content."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import ParseError, TOMLKitError

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.project.private_files import FILE, make_folder, readable_by_others, replace_text
from dlt_authsignal.project.text_files import read_text, with_line_ends_of

CONFIG: Final = Path(".dlt/config.toml")
SECRETS: Final = Path(".dlt/secrets.toml")
SCRIPT: Final = Path("authsignal_pipeline.py")
IGNORE: Final = Path(".gitignore")
IGNORED: Final = (
    ".dlt/secrets.toml",
    ".dlt/.var/",
    ".dlt/.*.toml.*",  # unfinished copies of the settings
    "*.duckdb",
    "*.duckdb.*",  # the log of changes, the lock, temporary data, the unfinished copy of an erasure
    ".*.duckdb.*",  # a database that is being created
)

Tables = Mapping[tuple[str, ...], Mapping[str, Any]]
"""Values by name, by table."""

SECTION: Final = ("sources", "authsignal_source")
DEFAULTS: Final[Tables] = {("runtime",): {"dlthub_telemetry": False}, ("load",): {"delete_completed_jobs": True}}
"""Settings that differ from dlt's defaults: no usage reports, and no loaded rows kept in its working folder."""


def script(pipeline_name: str = "authsignal_pipeline", dataset: str = "authsignal_data") -> str:
    """Return the pipeline script that `init` writes."""
    text = resources.files("dlt_authsignal.cli").joinpath("templates", SCRIPT.name).read_text("utf-8")
    for default, name in (("authsignal_pipeline", pipeline_name), ("authsignal_data", dataset)):
        text = text.replace(f'_name="{default}"', f"_name={json.dumps(name)}")
    return text


def settings_in(path: Path, section: Sequence[str] = SECTION) -> Mapping[str, Any]:
    """Return a section of a TOML file, by default the source's; empty if it or the file does not exist.

    Raises:
        ConfigurationError: The file is not valid TOML, or the section is not a table.
    """
    found: Mapping[str, Any] = _parsed(path)
    for name in section:
        found = found.get(name, {})
        if not isinstance(found, Mapping):
            raise ConfigurationError(
                f"{path}: {name} is not a table. Nothing was written. Correct the file, then run init again."
            )
    return found


def merged(path: Path, values: Tables, defaults: Tables | None = None) -> str:
    """Return the text of a TOML file with new values. Its other content is kept, including comments.

    Args:
        path: The file; it need not exist.
        values: Values to set; None removes a value.
        defaults: Values to set if they are missing.
    """
    document = _parsed(path)
    for table, name, value in _leaves(defaults or {}):
        _table(document, table).setdefault(name, value)
    for table, name, value in _leaves(values):
        if value is None:
            _table(document, table).pop(name, None)
        else:
            _table(document, table)[name] = value
    return tomlkit.dumps(document)


def _leaves(tables: Tables) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    for table, values in tables.items():
        for name, value in values.items():
            yield table, name, value


def _table(document: Any, path: Sequence[str]) -> Any:
    for depth, name in enumerate(path):
        if name not in document:
            document[name] = tomlkit.table(is_super_table=depth + 1 < len(path))
        document = document[name]
    return document


def with_lines(path: Path, lines: Sequence[str]) -> str:
    """Return the text of a file with missing lines added at its end."""
    text = read_text(path) if path.exists() else ""
    present = {line.strip() for line in text.splitlines()}
    missing = [line for line in lines if line not in present]
    gap = "\n" if text and missing and not text.endswith("\n") else ""
    return text + gap + "".join(f"{line}\n" for line in missing)


def write(path: Path, text: str, *, private: bool = False) -> bool:
    """Write a file completely or not at all, and return whether that changed it.

    Only its owner can read a private file, from its creation on.
    """
    try:
        return _written(path.resolve(), text, private=private)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(
            f"Cannot write {path}: {reason}. Allow your user to write in this folder, or use another folder."
        ) from None


def _written(target: Path, text: str, *, private: bool) -> bool:
    same = target.exists() and read_text(target) == text
    if same and not (private and target.stat().st_mode & 0o077):
        return False
    make_folder(target.parent)
    replace_text(target, with_line_ends_of(target, text), mode=FILE if private else None)
    return True


def is_exposed(path: Path) -> bool:
    """Whether other accounts of this machine can read the file."""
    return any(readable_by_others(path))


def is_tracked(path: Path) -> bool:
    """Whether the file is in this folder's git repository."""
    git = shutil.which("git")
    if not git:
        return False
    known = subprocess.run(  # noqa: S603
        [git, "ls-files", "--error-unmatch", str(path)], capture_output=True, check=False, timeout=10
    )
    return known.returncode == 0


def _parsed(path: Path) -> tomlkit.TOMLDocument:
    if not path.exists():
        return tomlkit.document()
    try:
        return tomlkit.parse(read_text(path))
    except ParseError as error:  # its message may quote the line, and so a key
        raise ConfigurationError(
            f"{path} is not valid TOML: see line {error.line}. Nothing was written. Correct it, then run again."
        ) from None
    except TOMLKitError:
        raise ConfigurationError(
            f"{path} is not valid TOML. Nothing was written. Correct it, then run again."
        ) from None
