"""Our part of a file that is somebody else's too. Each function takes its text and gives the text with our part in it.

None means that the place is taken by something else than ours; with `force` it is replaced.
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
    """A file that is ours alone."""
    return ours if text in (None, ours) or force else None


def lines(text: str | None, ours: Sequence[str]) -> str:
    """A file of lines, such as an ignore file."""
    text = text or ""
    missing = [line for line in ours if line not in {present.strip() for present in text.splitlines()}]
    gap = "\n" if text and missing and not text.endswith("\n") else ""
    return text + gap + "".join(f"{line}\n" for line in missing)


def block(text: str | None, ours: str, *, force: bool) -> str | None:
    """A marked part of a Markdown file."""
    text, marked = text or "", f"{BEGIN}\n{ours.strip()}\n{END}\n"
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        return f"{text.rstrip()}\n\n{marked}" if text.strip() else marked
    after = end + len(END) + (text[end + len(END) :].startswith("\n"))
    if text[begin:after].strip() == marked.strip():
        return text
    return text[:begin] + marked + text[after:] if force else None


def json_entry(text: str | None, path: Sequence[str], ours: Any, *, force: bool) -> str | None:
    """A value in a JSON file: set if nothing stands there. A list gets what it lacks."""
    document = _json(text)
    place = document
    for name in path[:-1]:
        place = place.setdefault(name, {})
        if not isinstance(place, dict):
            raise ConfigurationError(f'"{name}" is no object there. Correct it by hand, then run again.')
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
    """A table in a TOML file: set if nothing stands there. What else it holds stays, comments too."""
    try:
        document: Any = tomlkit.parse(text or "")
    except TOMLKitError:
        raise ConfigurationError("It is not TOML. Correct it, then run again.") from None
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
        raise ConfigurationError("It is not JSON. Correct it, then run again.") from None
    if not isinstance(document, dict):
        raise ConfigurationError("It is no JSON object. Correct it, then run again.")
    return document
