"""Merge this package's part into a file that is shared with other tools. Each function returns the new text.

None means that the file already has other content in that place; with `force` it is replaced.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from dlt_authsignal.errors import ConfigurationError

BEGIN: Final = "<!-- authsignal: begin -->"
END: Final = "<!-- authsignal: end -->"


def whole(text: str | None, ours: str, *, force: bool) -> str | None:
    """Merge into a file that belongs to this package alone."""
    return ours if text in (None, ours) or force else None


def lines(text: str | None, ours: Sequence[str]) -> str:
    """Merge into a file of lines, such as an ignore file."""
    text = text or ""
    missing = [line for line in ours if line not in {present.strip() for present in text.splitlines()}]
    gap = "\n" if text and missing and not text.endswith("\n") else ""
    return text + gap + "".join(f"{line}\n" for line in missing)


def block(text: str | None, ours: str, *, force: bool) -> str | None:
    """Merge into the marked part of a Markdown file."""
    text, marked = text or "", f"{BEGIN}\n{ours.strip()}\n{END}\n"
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        return f"{text.rstrip()}\n\n{marked}" if text.strip() else marked
    after = end + len(END) + (text[end + len(END) :].startswith("\n"))
    if text[begin:after].strip() == marked.strip():
        return text
    return text[:begin] + marked + text[after:] if force else None


def json_entry(text: str | None, path: Sequence[str], ours: Any, *, force: bool) -> str | None:
    """Merge into a JSON file: set the value if it is missing, or append missing items to a list."""
    document = _json(text)
    place = document
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigurationError(
                f'"{name}" is not an object. The file was not changed. Correct it, then run again.'
            )
    present, name = place.get(path[-1]), path[-1]
    if isinstance(ours, list) and isinstance(present, list):
        ours = present + [item for item in ours if item not in present]
    elif present is not None and present != ours and not force:
        return None
    if present == ours and text is not None:
        return text
    place[name] = ours
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def toml_entry(text: str | None, path: Sequence[str], ours: Mapping[str, Any], *, force: bool) -> str | None:
    """Merge into a TOML file: set the table if it is missing. All other content and comments stay."""
    try:
        document: Any = tomlkit.parse(text or "")
    except TOMLKitError:
        raise ConfigurationError(
            "The file is not valid TOML and was not changed. Correct it, then run again."
        ) from None
    place: Any = document
    for name in path[:-1]:
        if name not in place:
            place[name] = tomlkit.table(is_super_table=True)
        place = place[name]
    name = path[-1]
    if name in place and place[name].unwrap() == dict(ours):
        return text
    if name in place and not force:
        return None
    place[name] = dict(ours)
    return tomlkit.dumps(document)


def _json(text: str | None) -> dict[str, Any]:
    try:
        document = json.loads(text) if text and text.strip() else {}
    except ValueError:
        raise ConfigurationError(
            "The file is not valid JSON and was not changed. Correct it, then run again."
        ) from None
    if not isinstance(document, dict):
        raise ConfigurationError("The file is not a JSON object and was not changed. Correct it, then run again.")
    return document
