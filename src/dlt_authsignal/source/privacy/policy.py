"""Protection of identifiers before they are stored: hash, truncate, drop, or keep.

There is one function per column, which is used for Arrow tables and for rows.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from types import NoneType
from typing import Any, Final, Literal

from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.sensitivity import FREE_FORM, Kind, kind_by_name
from dlt_authsignal.schema.tables import TABLES, USERS
from dlt_authsignal.source.privacy.identifiers import country_of, domain_of, names_somebody, normal, replaced, truncated

Mode = Literal["pseudonymize", "keep"]
Treatment = Literal["keep", "hash", "truncate", "drop"]
Text = Callable[[str], str | None]
Value = Callable[[Any], Any]

EVERY: Final = "*"
"""Table part of an override that applies to the column in all tables."""

_MAKING: Final = 2
"""Increase this number when a new version stores the same value differently."""

LEFT_OUT: Final = "…"
"""Placeholder for a removed identifier in a text."""

_BESIDE: Final[Mapping[str, tuple[str, Text]]] = {
    "email": ("email_domain", domain_of),
    "phone_number": ("phone_number_country", country_of),
}
_EXACT: Final = frozenset({"user_id", "user_agent", "device", "credential"})
"""Kinds whose spelling matters: user ids that differ only in case are two users."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NOT_TEXT: Final = frozenset({NoneType, bool, int, float})
_TOLD: Final = {column.field: column.kind == "plain" for column in USERS.columns}


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """How identifiers are loaded.

    Attributes:
        mode: `pseudonymize` hashes identifiers with the key, or drops them without a key; `keep` loads them.
        key: Secret key of the hashes.
        columns: Overrides for single columns, by `table.column` or `*.column`.
        allow: Keys of free-form objects, and undeclared columns, that are loaded in plain text.
    """

    mode: Mode = "pseudonymize"
    key: str | None = field(default=None, repr=False)
    columns: Mapping[str, Treatment] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()

    @property
    def leaves_out(self) -> bool:
        """Return whether identifiers are dropped because there is no key."""
        return self.mode == "pseudonymize" and self.key is None

    def stored_id(self, user_id: str) -> str:
        """Return the stored form of a user id: hashed if it is an e-mail address or a phone number.

        Raises:
            ConfigurationError: The id must be hashed, but there is no key.
        """
        treatment = self.columns.get(f"{EVERY}.user_id")
        is_plain = treatment == "keep" or (self.mode == "keep" and treatment is None)
        if is_plain or not (treatment == "hash" or names_somebody(user_id)) or _HASH.fullmatch(user_id):
            return user_id
        if self._keyed is None:
            raise ConfigurationError(
                "A user id is an e-mail address or a phone number, and there is no privacy_key to hash it. Nothing was"
                ' loaded. Run dlt-authsignal init to create a key, or set privacy = "keep" to load identifiers in plain'
                f" text. See {DOCS}/privacy.md"
            )
        return self.hashed(user_id)

    def stored_ids(self, user_ids: Iterable[str]) -> frozenset[str]:
        """Return the stored forms of all ids that can be stored."""
        return frozenset(map(self.stored_id, (each for each in user_ids if self.key or not names_somebody(each))))

    def stored(self, table: str, column: str, values: list[Any]) -> list[Any]:
        """Return the stored forms of the values of one column."""
        return self.of(TABLES[table]).columns({column: values})[column]

    def can_ask(self, stored_id: str) -> bool:
        """Return whether a stored id can be requested from Authsignal, because it is not a hash."""
        treatment = self.columns.get(f"{EVERY}.user_id")
        is_plain = treatment == "keep" or (self.mode == "keep" and treatment is None)
        return is_plain or not _HASH.fullmatch(stored_id)

    def asked_id(self, stored_id: str) -> str:
        """Return the id to request from Authsignal for a stored id.

        Raises:
            ConfigurationError: The id is stored as a hash.
        """
        if not self.can_ask(stored_id):
            raise ConfigurationError(
                "`known` cannot be used here: these user ids are e-mail addresses or phone numbers and are stored only"
                " as hashes. Pass another user id source: --users-from listing, a file or a query. If your user ids at"
                ' Authsignal are hashes themselves, set privacy_columns = {"*.user_id" = "keep"}.'
            )
        return stored_id

    def of(self, table: Table, plain: Callable[[str], str] = str) -> "Guard":
        """Return the protection of a table's columns. `plain` returns the name of a column without its mark."""
        return Guard(self, table, plain)

    def hashed(self, text: str) -> str:
        """Return the HMAC-SHA-256 in lower-case hex; requires a key."""
        digest = self._keyed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return str(digest.hexdigest())

    def text(self, kind: Kind, treatment: Treatment | None = None) -> Text:
        """Return the function that protects text of a kind, by default or by an override."""
        chosen = treatment or _DEFAULT.get(kind, "keep")
        if chosen == "keep":
            return str
        if chosen == "truncate":
            return partial(self._truncated, kind)
        if kind == "user_id":
            return self.stored_id
        if chosen == "hash" and self._keyed is not None:
            return self.hashed if kind in _EXACT else partial(self._normal_hashed, kind)
        return _unkeyed if kind == "device" and chosen == "hash" else _nothing

    def in_text(self, text: str) -> str | None:
        """Return the text with its identifiers protected; None if the whole text is a dropped identifier."""
        found = replaced(text, lambda kind, value: self.text(kind)(value) or LEFT_OUT)
        return None if found == LEFT_OUT != text else found

    def item(self, text: str) -> str | None:
        """Return the stored form of a text that may be any identifier, such as an item of a value list; None without
        a key. A person's e-mail address has the same hash as in `users`."""
        kinds: list[Kind] = ["name"]

        def note(kind: Kind, value: str) -> str:
            if value == text.strip():
                kinds.append(kind)
            return value

        replaced(text, note)
        return self.text(kinds[-1], "hash")(text)

    def listed(self, listed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the part of a user's list entry that its fingerprint may use: without a key, no identifiers."""
        if not self.leaves_out:
            return listed
        return {name: value for name, value in listed.items() if _TOLD.get(name)}

    @cached_property
    def fingerprint_key(self) -> bytes:
        """Return the key for fingerprints of unprotected values; empty if none is needed."""
        if self.mode == "keep" or self.key is None:
            return b""
        return hashlib.sha256(b"fingerprint" + self.key.encode()).digest()

    @cached_property
    def fingerprint(self) -> int:
        """Return 64 bits that change when rows are stored differently; never 0."""
        said = repr((_MAKING, self.mode, sorted(self.columns.items()), sorted(self.allow)))
        key = hashlib.sha256(b"settings" + (self.key or "").encode()).digest()
        return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8, key=key).digest(), "little") or 1

    @cached_property
    def _keyed(self) -> Any:
        return hmac.new(self.key.encode(), digestmod=hashlib.sha256) if self.key else None

    def _normal_hashed(self, kind: Kind, text: str) -> str:
        return self.hashed(normal(kind, text))

    def _truncated(self, kind: Kind, text: str) -> str | None:
        short = truncated(text)
        return self.text(kind, "hash")(text) if short is None else short


KEEP: Final = Privacy(mode="keep")

_DEFAULT: Final[Mapping[Kind, Treatment]] = {
    "email": "hash",
    "phone": "hash",
    "name": "hash",
    "user_id": "hash",
    "user_agent": "hash",
    "device": "hash",
    "credential": "hash",
    "ip": "truncate",
    "secret": "drop",
}


class Guard:
    """Protects the columns of one table.

    Args:
        privacy: Privacy settings.
        table: The table. Undeclared columns are protected by their name and value.
        plain: Returns the name of a column without its mark.
    """

    def __init__(self, privacy: Privacy, table: Table, plain: Callable[[str], str] = str) -> None:
        self._privacy = privacy
        self._plain = plain
        self._declared = {column.name: column for column in table.columns}
        self._table = table.name
        self._of: dict[str, Value | None] = {}

    def columns(self, said: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Return the values by column, protected, with derived columns added."""
        beside = {name: each for source, values in said.items() for name, each in self._beside(source, values)}
        return {name: self._each(name, values) for name, values in {**said, **beside}.items()}

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return one row, protected, with derived columns added."""
        return {name: values[0] for name, values in self.columns({name: [row[name]] for name in row}).items()}

    def protect_mismatch(self, name: str, value: Any) -> Any:
        """Protect a value that does not fit its column's type, like a value of an undeclared column."""
        column = self._declared.get(name)
        if self._privacy.mode == "keep" or column is None or column.kind != "plain" or self._override(name) == "keep":
            return value
        return self._unknown("", value)

    def _each(self, name: str, values: list[Any]) -> list[Any]:
        function = self._function(name)
        if function is None:
            return values
        classes = set(map(type, values))
        if classes <= {str, NoneType}:
            known = {value: None if value is None else function(value) for value in set(values)}
            return [known[value] for value in values]
        if classes <= _NOT_TEXT and name not in self._declared and kind_by_name(self._plain(name)) == "plain":
            return values
        return [function(value) for value in values]

    def _beside(self, source: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
        name, function = _BESIDE.get(source, ("", str))
        if name not in self._declared:
            return []
        return [(name, [function(value) if isinstance(value, str) else None for value in values])]

    def _function(self, name: str) -> Value | None:
        """Return the function for each value of a column; None if the values are unchanged."""
        if name not in self._of:
            column = self._identifier(name)
            treatment = self._override(name if column is None else column.name)
            if treatment is not None and column is not None:
                self._of[name] = self._overridden(column, treatment)
            elif self._privacy.mode == "keep":
                self._of[name] = None
            else:
                self._of[name] = self._by_kind(name, column)
        return self._of[name]

    def _identifier(self, name: str) -> Column | None:
        """Return the column of that name, or the identifier column that the field or its parent resembles."""
        if name in self._declared:
            return self._declared[name]
        parts = self._plain(name).split("__")
        whole = (self._declared.get("__".join(parts[:end])) for end in range(len(parts), 0, -1))
        return next((column for column in whole if column is not None and column.kind in _DEFAULT), None)

    def _override(self, name: str) -> Treatment | None:
        chosen = self._privacy.columns
        return chosen.get(f"{self._table}.{name}") or chosen.get(f"{EVERY}.{name}")

    def _overridden(self, column: Column, treatment: Treatment) -> Value | None:
        if treatment == "keep":
            return None
        return _nothing if treatment == "drop" else partial(_leaves, self._privacy.text(column.kind, treatment))

    def _by_kind(self, name: str, column: Column | None) -> Value | None:
        plain = self._plain(name)
        if column is None and plain in FREE_FORM:
            return self._allowed
        if column is None:
            return None if name in self._privacy.allow else partial(self._unknown, plain)
        if column.kind == "plain":
            return self._told if column.type == "json" else None
        if column.kind == "free-form":
            return self._allowed
        if column.kind == "words":
            return partial(_leaves, self._privacy.in_text)
        return partial(_leaves, self._privacy.text(column.kind))

    def _allowed(self, value: Any) -> Any:
        """Return the allowed keys of an object; None for other values."""
        if isinstance(value, dict):
            return {key: inner for key, inner in value.items() if key in self._privacy.allow} or None
        return None

    def _told(self, value: Any) -> Any:
        """Protect a declared list or object. Its direct fields, such as rule names, are configuration and stay."""
        if isinstance(value, list):
            return [self._told(item) for item in value]
        if isinstance(value, dict):
            return {key: self._told_field(key, inner) for key, inner in value.items()}
        return value

    def _told_field(self, key: str, value: Any) -> Any:
        is_configuration = not isinstance(value, list | dict) and kind_by_name(key) in ("plain", "name")
        return value if is_configuration else self._unknown(key, value)

    def _unknown(self, name: str, value: Any) -> Any:
        """Protect an undeclared value by its name and content."""
        if isinstance(value, dict):
            return {
                self._privacy.in_text(key) or LEFT_OUT: self._unknown(f"{name}_{key}", inner)
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self._unknown(name, item) for item in value]
        kind = kind_by_name(name)
        if isinstance(value, str):
            named = kind != "plain" and not is_time(value)
            return self._privacy.text(kind)(value) if named else self._privacy.in_text(value)
        return value if kind == "plain" else _leaves(self._privacy.text(kind), value)


def _leaves(text: Text, value: Any) -> Any:
    """Protect all texts and numbers in a value, at any depth."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [_leaves(text, item) for item in value]
    if isinstance(value, dict):
        return {text(key) or LEFT_OUT: _leaves(text, inner) for key, inner in value.items()}
    return value if value is None or isinstance(value, bool) else text(str(value))


def _nothing(_: Any) -> None:
    return None


def _unkeyed(text: str) -> str:
    """Hash without a key, for random ids, which cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_time(text: str) -> bool:
    """Return whether the text is a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
