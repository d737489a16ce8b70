"""Protect columns that this version does not know: by their name, and by the form of their values."""

from collections.abc import Callable, Iterable
from functools import partial
from types import NoneType
from typing import Any, Final, NamedTuple

from dlt_authsignal.schema.secret_fields import is_suspicious
from dlt_authsignal.schema.sensitivity import Kind, is_free_form, is_time_name, kind_by_name
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.places import MOST_PLACES, Places
from dlt_authsignal.source.privacy.policy import LEFT_OUT, Privacy, Text, leaves
from dlt_authsignal.source.privacy.recognition.harmless import (
    MOST_WORDS,
    is_always_harmless,
    is_code,
    is_event_time,
    is_harmless,
    is_word,
)
from dlt_authsignal.source.privacy.recognition.secret_values import is_random_text, is_secret_text
from dlt_authsignal.source.privacy.repeated import each_once

_NOT_TEXT: Final = frozenset({NoneType, bool, int, float})
_CUSTOM: Final = "custom"


class Place(NamedTuple):
    """Where a value is.

    Attributes:
        column: The column.
        path: The column and the keys in it; items of a list have the path of the list.
        name: Names of the field and its parents, by which the value is judged; empty for a declared column.
        key: Name of the field itself.
    """

    column: str
    path: str
    name: str
    key: str

    def of(self, key: str) -> "Place":
        """Return the place of a value in the object that is here."""
        return Place(self.column, f"{self.path}.{key}", f"{self.name}_{key}", key)


class Undeclared:
    """Protects the undeclared columns of one table.

    Text of such a column stays plain while all of it has a harmless form: a number, a time, a short word of an enum.
    From the first other text on, all text of the column is hashed, in later runs too.

    Events are different: several receivers may protect them, each without memory of the others, and in any order. So
    each text is judged alone. Only words of Authsignal's own, numbers and times stay plain.

    Args:
        privacy: Privacy settings.
        plain: Returns the name of a column without its mark.
        drift: Collects the columns that are hashed, and counts withheld values.
        stored: Columns in the destination.
        hashed: Places that earlier runs hashed; new ones are added. Or those of several processes.
        by_value: Whether each text is judged alone, as in events.
    """

    def __init__(
        self,
        privacy: Privacy,
        plain: Callable[[str], str] = str,
        *,
        drift: TableDrift | None = None,
        stored: Iterable[str] = (),
        hashed: list[str] | Places | None = None,
        by_value: bool = False,
    ) -> None:
        self._privacy = privacy
        self._named = plain
        self._by_value = by_value
        self._drift = TableDrift() if drift is None else drift
        self._stored = frozenset(stored)
        self._places = hashed if isinstance(hashed, Places) else Places(hashed)
        self._plain: set[str] = set()
        self._of_kind: dict[Kind, Text] = {}

    def protected(self, column: str, values: list[Any]) -> list[Any]:
        """Return the values of a column, protected."""
        plain = self._named(column)
        place = Place(column, column, plain, plain.rpartition("__")[2])
        if place.key == _CUSTOM and self._privacy.mode == "keep":
            return values
        is_allowed = column in self._privacy.allow
        if not is_allowed and is_suspicious(place.key):
            for value in values:
                self._withhold(place, value)
            return [None] * len(values)
        classes = set(map(type, values))
        if classes <= _NOT_TEXT and (self._is_plain or kind_by_name(plain) == "plain"):
            return values
        if self._is_plain or is_allowed:
            return [self._without_secrets(place, value, is_allowed) for value in values]
        self._look_at(place, values)
        if classes <= {str, NoneType}:
            known = {value: self._value(place, value) for value in set(values)}
            return [known[value] for value in values]
        return self._each(partial(self._value, place), values)

    def mismatched(self, column: str, value: Any) -> Any:
        """Return a value that does not fit the type of a declared column, protected."""
        place = Place(column, f"{column}.", "", "")
        if self._is_shown_plainly(column):
            return self._without_secrets(place, value, is_allowed=column in self._privacy.allow)
        self._look_at(place, [value])
        return self._value(place, value)

    def declared(self, column: str, known: frozenset[str], values: list[Any]) -> list[Any]:
        """Return the values of a declared JSON column, whose objects may have fields that this version does not know.

        Args:
            column: The column.
            known: Fields of the objects in it that are declared. They stay.
            values: The values.
        """
        place = Place(column, column, "", "")
        if not self._is_shown_plainly(column) and not self._by_value:
            self._look_at(place, [_unknown(value, known) for value in values])
        return self._each(partial(self._inside, place, known), values)

    def _each(self, function: Callable[[Any], Any], values: list[Any]) -> list[Any]:
        """Return the function of each value. In events, equal lists and objects are looked at once."""
        return each_once(function, values, self._drift) if self._by_value else [function(value) for value in values]

    def _inside(self, place: Place, known: frozenset[str], value: Any) -> Any:
        if isinstance(value, list):
            return [self._inside(place, known, item) for item in value]
        if isinstance(value, str):
            return value if self.is_shown(place.column, value) else None
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for key, inner in value.items():
            if _is_known(key, inner, known):
                found[key] = self._inside(place, known, inner)
            elif self._is_shown_plainly(place.column):
                found |= self._without_secrets(place, {key: inner}, is_allowed=place.column in self._privacy.allow)
            else:
                found |= self._object(place, {key: inner})
        return found

    def _is_shown_plainly(self, column: str) -> bool:
        return self._is_plain or column in self._privacy.allow

    def is_shown(self, column: str, text: str) -> bool:
        """Return whether a text in a declared column contains no secret. A secret is counted as withheld."""
        if is_word(text) or not is_secret_text(text):
            return True
        self._drift.withhold(1)
        self._drift.suspected.add(column)
        return False

    @property
    def _is_plain(self) -> bool:
        return self._privacy.mode == "keep"

    def _look_at(self, place: Place, values: list[Any]) -> None:
        """Decide for all of these values whether text at their place is hashed."""
        if self._by_value:
            return
        for value in set(values) if set(map(type, values)) <= {str, NoneType} else values:
            if isinstance(value, list | dict) and is_free_form(place.key):
                continue
            if isinstance(value, list):
                self._look_at(place, value)
            elif isinstance(value, dict):
                for key, inner in value.items():
                    if not is_suspicious(key):
                        self._look_at(place.of(key), [inner])
            elif isinstance(value, str) and not self._is_hashed(place) and kind_by_name(place.name) == "plain":
                self._look_at_text(place, value)

    def _look_at_text(self, place: Place, text: str) -> None:
        is_counted = is_word(text) and not is_code(text)
        if not is_harmless(text) or (is_counted and self._places.words_with(place.path, text) > MOST_WORDS):
            self._hash_from_now(place)

    def _is_hashed(self, place: Place) -> bool:
        return self._places.is_hashed(place.path)

    def _hash_from_now(self, place: Place) -> None:
        self._places.hash_from_now(place.path)
        if place.path in self._plain or place.column in self._stored:
            self._drift.was_plain.add(place.column)

    def _value(self, place: Place, value: Any) -> Any:
        """Return one value, protected."""
        kind = kind_by_name(place.name)
        if isinstance(value, str):
            if is_secret_text(value):
                self._withhold(place, value)
                return None
            if kind == "plain":
                return self._text(place, value)
            if is_time_name(place.name) and is_event_time(value):
                return value
        elif isinstance(value, list | dict):
            if is_free_form(place.key):
                return self._free_form(place, value)
            if isinstance(value, dict):
                return self._object(place, value)
            return [self._value(place, item) for item in value]
        return value if kind == "plain" else leaves(self._text_of(kind), value)

    def _text_of(self, kind: Kind) -> Text:
        if kind not in self._of_kind:
            self._of_kind[kind] = self._privacy.text(kind)
        return self._of_kind[kind]

    def _free_form(self, place: Place, value: Any) -> Any:
        shown = allowed_keys(value, self._privacy.allow)
        if value and shown != value:
            self._drift.filtered.add(place.column)
        return shown

    def _text(self, place: Place, text: str) -> str | None:
        if not text or (is_always_harmless(text) if self._by_value else not self._is_hashed(place)):
            if len(self._plain) < MOST_PLACES:
                self._plain.add(place.path)
            return text
        self._drift.hashed.add(place.column)
        if not self._by_value and place.path in self._plain:  # another process found a text that needs hashing
            self._drift.was_plain.add(place.column)
        return self._privacy.unknown(text)

    def _object(self, place: Place, value: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in value.items():
            if is_suspicious(key):
                self._withhold(place, inner)
                continue
            name = self._key(key)
            while name in found:
                name += LEFT_OUT
            found[name] = self._value(place.of(key), inner)
        return found

    def _key(self, key: str) -> str:
        """Return the key, protected. A key with spaces is no name of a field, so it may be that of a person."""
        if any(map(str.isspace, key)):
            return self._privacy.unknown(key) or LEFT_OUT
        return self._privacy.in_text(key) or LEFT_OUT

    def _without_secrets(self, place: Place, value: Any, is_allowed: bool) -> Any:
        """Return a value in plain text, without the secrets in it. An allowed column may have long random texts."""
        if place.key == _CUSTOM:
            return value
        if isinstance(value, list):
            return [self._without_secrets(place, item, is_allowed) for item in value]
        if isinstance(value, dict):
            shown = {key: inner for key, inner in value.items() if is_allowed or not is_suspicious(key)}
            self._drift.withhold(len(value) - len(shown))
            return {key: self._without_secrets(place.of(key), inner, is_allowed) for key, inner in shown.items()}
        if not isinstance(value, str):
            return value
        is_secret = is_secret_text(value) or (not is_allowed and is_random_text(value, place.key))
        if not is_secret:
            return value
        self._withhold(place, value)
        return None

    def _withhold(self, place: Place, value: Any) -> None:
        if value is not None:
            self._drift.withhold(1)
            self._drift.suspected.add(place.column)


def _is_known(key: str, value: Any, known: frozenset[str]) -> bool:
    return key in known and not isinstance(value, list | dict)


def _unknown(value: Any, known: frozenset[str]) -> Any:
    """Return a list or object without the known fields of its objects, and without its texts."""
    if isinstance(value, list):
        return [_unknown(item, known) for item in value]
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if not _is_known(key, inner, known)}
    return None


def allowed_keys(value: Any, allowed: frozenset[str]) -> Any:
    """Return the allowed keys of a free-form object, or of the objects in a list; None if there are none."""
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if key in allowed} or None
    if isinstance(value, list):
        return [found for item in value if (found := allowed_keys(item, allowed)) is not None] or None
    return None
