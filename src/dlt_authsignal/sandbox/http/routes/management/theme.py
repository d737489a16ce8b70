"""The theme of the pre-built UI: which values its fields may have. The sandbox shows none of it.

The fields are those of Authsignal's Go client and Terraform provider. Other fields are kept unchecked, because both
lack some of the newest.
"""

from typing import Any, Final, Literal

import msgspec
from msgspec import Struct, defstruct

from dlt_authsignal.sandbox.core.refusals import invalid

Json = dict[str, Any]

Alignment = Literal["left", "center", "right"]
Position = Literal["inside", "outside"]


def _optional(name: str, *fields: tuple[str, Any]) -> type[Struct]:
    return defstruct(name, [(field, kind | None, None) for field, kind in fields], rename="camel")


_BORDERS: Final = "button_border_radius button_border_width card_border_radius card_border_width input_border_radius \
input_border_width container_border_radius"
_COLORS: Final = "button_primary_text button_primary_border button_secondary_text button_secondary_background \
button_secondary_border card_background card_border input_background input_border link heading_text body_text \
container_background container_border divider icon loader positive critical information hover focus"

_IMAGES: Final = tuple((name, str) for name in ("logo_url", "watermark_url", "favicon_url", "primary_color"))
_PARTS: Final[tuple[tuple[str, Any], ...]] = (
    ("borders", _optional("Borders", *((name, int) for name in _BORDERS.split()))),
    ("colors", _optional("Colors", *((name, str) for name in _COLORS.split()))),
    (
        "container",
        _optional(
            "Container",
            ("content_alignment", Alignment),
            ("position", Position),
            ("padding", int | dict[str, Any]),
            ("logo_alignment", Alignment),
            ("logo_position", Position),
            ("logo_height", int),
        ),
    ),
    ("page_background", _optional("PageBackground", ("background_color", str), ("background_image_url", str))),
    ("typography", _optional("Typography", ("display", dict[str, Any]), ("text", dict[str, Any]))),
)
_DARK_MODE: Final[Any] = _optional("DarkMode", *_IMAGES, *_PARTS)
_THEME: Final = _optional("Theme", *_IMAGES, *_PARTS, ("name", str), ("dark_mode", _DARK_MODE))


def changed(theme: Json, changes: Json) -> Json:
    """Return the theme with some changes: at every depth, null removes a field, and a missing field keeps its value.

    Raises:
        Refusal: 400: a known field has a value of another type.
    """
    try:
        msgspec.convert(changes, _THEME)
    except msgspec.ValidationError as error:
        raise invalid(f"The body is invalid: {error}.") from None
    return _merged(theme, changes)


def _merged(old: Json, new: Json) -> Json:
    found = dict(old)
    for name, value in new.items():
        if isinstance(value, dict):
            inner = found.get(name)
            found[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        elif value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found
