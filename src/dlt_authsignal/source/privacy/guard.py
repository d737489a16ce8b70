"""The protection of one table's columns: one function per column, for Arrow tables and rows alike."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import NoneType
from typing import Any, Final

from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.tables.server import PROVENANCE, TABLES
from dlt_authsignal.source.metrics.schema_drift import TableDrift
from dlt_authsignal.source.privacy.places import Places
from dlt_authsignal.source.privacy.policy import DEFAULT, EVERY, Privacy, Text, Treatment, leaves, nothing
from dlt_authsignal.source.privacy.recognition.identifiers import country_of, domain_of
from dlt_authsignal.source.privacy.recognition.user_agents import browser_of, os_of
from dlt_authsignal.source.privacy.undeclared import Undeclared, allowed_keys

Value = Callable[[Any], Any]

_KNOWN_INSIDE: Final = frozenset({"ruleId", "name", "description"})
"""Fields of the objects in declared JSON columns: of the rules of an action. They are configuration."""

_NOTHING_KNOWN: Final[Mapping[str, frozenset[str]]] = {"payload": frozenset()}
"""Declared JSON columns with objects of any kind: events of unknown types."""


@dataclass(frozen=True)
class _OfText:
    """The function for a value from the function for the texts in it."""

    text: Text

    def __call__(self, value: Any) -> Any:
        return leaves(self.text, value)


class Guard:
    """Protects the columns of one table.

    Args:
        privacy: Privacy settings.
        table: The table. Undeclared columns are protected by their name and value.
        plain: Returns the name of a column without its mark.
        drift: Collects the undeclared columns that are hashed, and counts withheld values.
        stored: Columns in the destination.
        hashed: Undeclared columns that earlier runs hashed; new ones are added. Or those of several processes.
    """

    def __init__(
        self,
        privacy: Privacy,
        table: Table,
        plain: Callable[[str], str] = str,
        *,
        drift: TableDrift | None = None,
        stored: Iterable[str] = (),
        hashed: list[str] | Places | None = None,
    ) -> None:
        self._privacy = privacy
        self._plain = plain
        self._declared = {column.name: column for column in (*PROVENANCE, *table.columns)}
        self._table = table.name
        self._of: dict[str, Value | None] = {}
        by_value = "webhook" in table.apis
        self._undeclared = Undeclared(privacy, plain, drift=drift, stored=stored, hashed=hashed, by_value=by_value)
        self._beside_of: Final[Mapping[str, Mapping[str, Text]]] = {
            "email": {"email_domain": domain_of},
            "phone_number": {"phone_number_country": partial(country_of, region=privacy.phone_region)},
            "user_agent": {"user_agent_os": os_of, "user_agent_browser": browser_of},
        }

    def columns(self, said: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the values by column, protected, with derived columns added."""
        beside = {name: each for source, values in said.items() for name, each in self._beside(source, values)}
        return {name: self._each(name, values) for name, values in {**said, **beside}.items()}

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return one row, protected, with derived columns added."""
        return self.rows([row])[0]

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows, protected, with derived columns added. All values of a column are treated in one way."""
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            for name in row:
                places.setdefault(name, []).append(place)
        found: list[dict[str, Any]] = [{} for _ in rows]
        for name, ours in places.items():
            for column, values in self.columns({name: [rows[place][name] for place in ours]}).items():
                for place, value in zip(ours, values, strict=True):
                    found[place][column] = value
        return found

    def protect_mismatch(self, name: str, value: Any) -> Any:
        """Protect a value that does not fit its column's type, like a value of an undeclared column."""
        column = self._declared.get(name)
        if column is None or column.kind != "plain" or self._override(name) == "keep":
            return value
        return self._undeclared.mismatched(name, value)

    def _each(self, name: str, values: list[Any]) -> list[Any]:
        if name not in self._declared and self._identifier(name) is None:
            return self._undeclared.protected(name, values)
        if self._may_have_unknown_fields(name):
            return self._undeclared.declared(name, _NOTHING_KNOWN.get(name, _KNOWN_INSIDE), values)
        function = self._function(name)
        if function is None:
            return values
        if set(map(type, values)) <= {str, NoneType}:
            of_text = function.text if isinstance(function, _OfText) else function
            known = {value: of_text(value) for value in set(values) if value is not None}
            return list(map(known.get, values))
        return [function(value) for value in values]

    def _may_have_unknown_fields(self, name: str) -> bool:
        column = self._declared.get(name)
        is_open = column is not None and column.type == "json" and column.kind == "plain"
        return is_open and self._override(name) is None

    def _beside(self, source: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
        functions = [each for each in self._beside_of.get(source, {}).items() if each[0] in self._declared]
        texts = {value for value in values if isinstance(value, str)} if functions else set()
        return [(name, _of_each(function, texts, values)) for name, function in functions]

    def _function(self, name: str) -> Value | None:
        """Return the function for each value of a declared column or a part of it; None if values are unchanged."""
        if name not in self._of:
            column = self._identifier(name)
            treatment = None if column is None else self._override(column.name)
            if column is None or (self._privacy.mode == "keep" and treatment is None):
                self._of[name] = None
            else:
                self._of[name] = self._by_kind(column) if treatment is None else self._overridden(column, treatment)
        return self._of[name]

    def _identifier(self, name: str) -> Column | None:
        """Return the column of that name, or the identifier column that the field or its parent resembles."""
        if name in self._declared:
            return self._declared[name]
        parts = self._plain(name).split("__")
        whole = (self._declared.get("__".join(parts[:end])) for end in range(len(parts), 0, -1))
        return next((column for column in whole if column is not None and column.kind in DEFAULT), None)

    def _override(self, name: str) -> Treatment | None:
        chosen = self._privacy.columns
        return chosen.get(f"{self._table}.{name}") or chosen.get(f"{EVERY}.{name}")

    def _overridden(self, column: Column, treatment: Treatment) -> Value | None:
        if treatment == "keep":
            return None
        return nothing if treatment == "drop" else _OfText(self._privacy.text(column.kind, treatment))

    def _by_kind(self, column: Column) -> Value | None:
        if column.kind == "plain":
            return None
        if column.kind == "free-form":
            return self._free_form
        if column.kind == "words":
            return _OfText(partial(self._words, column.name))
        return _OfText(self._privacy.text(column.kind))

    def _free_form(self, value: Any) -> Any:
        return allowed_keys(value, self._privacy.allow) if isinstance(value, dict) else None

    def _words(self, column: str, text: str) -> str | None:
        """Protect a text that people wrote: the identifiers in it are hashed, and a secret is not loaded."""
        return self._privacy.in_text(text) if self._undeclared.is_shown(column, text) else None


def stored_values(privacy: Privacy, table: str, column: str, values: list[Any]) -> list[Any]:
    """Return the stored forms of the values of one column."""
    return Guard(privacy, TABLES[table]).columns({column: values})[column]


def _of_each(function: Text, texts: set[str], values: list[Any]) -> list[Any]:
    """Return the function of each text, called once for equal ones; None for other values."""
    known = {text: function(text) for text in texts}
    return [known[value] if isinstance(value, str) else None for value in values]
