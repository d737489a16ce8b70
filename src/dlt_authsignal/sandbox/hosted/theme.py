"""The tenant's theme as a style sheet. Only values that are plain colours, numbers and image URLs are used."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dlt_authsignal.sandbox.core.page_urls import return_url

Json = Mapping[str, Any]

COLOR: Final = re.compile(
    r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})|[a-zA-Z]{3,20}|(?:rgb|hsl)a?\([0-9., %/]+\)"
)
DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=]+")
ALIGNMENTS: Final = ("left", "center", "right")
LARGEST: Final = 400
"""Largest number of pixels of a border, a padding or a logo."""

_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


def style_sheet(theme: Json) -> str:
    """Return custom properties for both colour schemes. `static/hosted.css` has the defaults and uses them."""
    dark = theme.get("darkMode") or {}
    inherited = {"primaryColor": theme.get("primaryColor"), **dark}
    light_rules, dark_rules = "".join(_properties(theme)), "".join(_properties(inherited))
    return f":root{{{light_rules}}}\n@media (prefers-color-scheme:dark){{:root{{{dark_rules}}}}}\n"


def _properties(theme: Json) -> Iterator[str]:
    if primary := _color(theme.get("primaryColor")):
        yield f"--primary:{primary};"
        yield f"--button-primary-text:{_readable_on(primary)};"
    for name, value in _part(theme, "colors").items():
        if _WORD.sub("", name).isalpha() and (color := _color(value)):
            yield f"--{_kebab(name)}:{color};"
    for name, value in _part(theme, "borders").items():
        if name.isalpha() and (pixels := _pixels(value)) is not None:
            yield f"--{_kebab(name)}:{pixels}px;"
    yield from _container(_part(theme, "container"))
    background = _part(theme, "pageBackground")
    if color := _color(background.get("backgroundColor")):
        yield f"--page:{color};"
    if image := image_url(background.get("backgroundImageUrl")):
        yield f'--page-image:url("{image}");'


def _container(container: Json) -> Iterator[str]:
    if (padding := _pixels(container.get("padding"))) is not None:
        yield f"--padding:{padding}px;"
    if (height := _pixels(container.get("logoHeight"))) is not None:
        yield f"--logo-height:{height}px;"
    for name, field in (("--align", "contentAlignment"), ("--logo-align", "logoAlignment")):
        if container.get(field) in ALIGNMENTS:
            yield f"{name}:{container[field]};"


def _part(theme: Json, name: str) -> Json:
    part = theme.get(name)
    return part if isinstance(part, Mapping) else {}


def _kebab(name: str) -> str:
    return _WORD.sub("-", name).lower()


def _color(value: Any) -> str | None:
    return value if isinstance(value, str) and COLOR.fullmatch(value) else None


def _pixels(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= LARGEST else None


def _readable_on(color: str) -> str:
    """Return black or white, whichever has more contrast with a hexadecimal colour. White for other notations.

    Example:
        >>> _readable_on("#ffff00"), _readable_on("#036")
        ('#000', '#fff')
    """
    digits = color.removeprefix("#")
    if digits == color:
        return "#fff"
    if len(digits) in (3, 4):
        digits = "".join(2 * digit for digit in digits)
    channels = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
    return "#000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#fff"


def image_url(value: Any) -> str | None:
    """Return an http, https or data URL of an image. None for other values."""
    if not isinstance(value, str):
        return None
    if DATA_IMAGE.fullmatch(value):
        return value
    return value if return_url(value) and not set(value) & set("()") else None


def image_origins(theme: Json) -> list[str]:
    """Return the origins of the theme's images, which the pages may load."""
    found = set()
    for scheme in (theme, theme.get("darkMode") or {}):
        images = [scheme.get(name) for name in ("logoUrl", "watermarkUrl", "faviconUrl")]
        images.append(_part(scheme, "pageBackground").get("backgroundImageUrl"))
        found |= {where.origin for url in images if (where := return_url(image_url(url))) and urlsplit(where.url).path}
    return sorted(found)
