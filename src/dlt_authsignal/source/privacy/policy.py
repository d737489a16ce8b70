"""What is done to identifiers before anything else sees them: hashed, cut short, left out, or kept.

One function for each column, which Arrow tables and rows alike are made with.
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

from dlt_authsignal.errors import ConfigurationError
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.sensitivity import FREE_FORM, Kind, kind_by_name
from dlt_authsignal.schema.tables import TABLES, USERS
from dlt_authsignal.source.privacy.identifiers import country_of, domain_of, names_somebody, normal, replaced, truncated

Mode = Literal["pseudonymize", "keep"]
Treatment = Literal["keep", "hash", "truncate", "drop"]
Text = Callable[[str], str | None]
Value = Callable[[Any], Any]

EVERY: Final = "*"
"""In the name of an override: the column in every table that has it."""

_MAKING: Final = 2
"""One more whenever a later version stores the same value otherwise."""

LEFT_OUT: Final = "…"
"""Where an identifier stood in a text."""

_BESIDE: Final[Mapping[str, tuple[str, Text]]] = {
    "email": ("email_domain", domain_of),
    "phone_number": ("phone_number_country", country_of),
}
_EXACT: Final = frozenset({"user_id", "user_agent", "device", "credential"})
"""Kinds of which every spelling is another one: two users whose ids differ in case are two users."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NOT_TEXT: Final = frozenset({NoneType, bool, int, float})
_TOLD: Final = {column.field: column.kind == "plain" for column in USERS.columns}


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """How identifiers are loaded.

    Attributes:
        mode: `pseudonymize` hashes them with the key, and leaves them out where there is none; `keep` loads them.
        key: Secret that the hashes are made with.
        columns: What is done to single columns instead, by `table.column` or `*.column`.
        allow: Keys of free-form objects, and columns that no table declares, that are loaded as they are.
    """

    mode: Mode = "pseudonymize"
    key: str | None = field(default=None, repr=False)
    columns: Mapping[str, Treatment] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()

    @property
    def leaves_out(self) -> bool:
        """Whether identifiers are left out for want of a key."""
        return self.mode == "pseudonymize" and self.key is None

    def stored_id(self, user_id: str) -> str:
        """A user id as it is stored: hashed where it is an e-mail address or a phone number.

        Raises:
            ConfigurationError: It is one, and there is no key.
        """
        treatment = self.columns.get(f"{EVERY}.user_id")
        is_plain = treatment == "keep" or (self.mode == "keep" and treatment is None)
        if is_plain or not (treatment == "hash" or names_somebody(user_id)) or _HASH.fullmatch(user_id):
            return user_id
        if self._keyed is None:
            raise ConfigurationError(
                "A user id is an e-mail address or a phone number, and there is no privacy_key to hash it with. Nothing"
                ' was loaded. dlt-authsignal init makes a key (docs/privacy.md); privacy = "keep" loads ids, addresses'
                " and numbers as they are."
            )
        return self.hashed(user_id)

    def stored_ids(self, user_ids: Iterable[str]) -> frozenset[str]:
        """Those that can be stored, as they are."""
        return frozenset(map(self.stored_id, (each for each in user_ids if self.key or not names_somebody(each))))

    def stored(self, table: str, column: str, values: list[Any]) -> list[Any]:
        """Values of one column as they are stored."""
        return self.of(TABLES[table]).columns({column: values})[column]

    def can_ask(self, stored_id: str) -> bool:
        """Whether Authsignal can be asked about a user by the id that was stored: it is no hash."""
        treatment = self.columns.get(f"{EVERY}.user_id")
        is_plain = treatment == "keep" or (self.mode == "keep" and treatment is None)
        return is_plain or not _HASH.fullmatch(stored_id)

    def asked_id(self, stored_id: str) -> str:
        """The id to ask Authsignal about, of one that was stored.

        Raises:
            ConfigurationError: It is stored as a hash.
        """
        if not self.can_ask(stored_id):
            raise ConfigurationError(
                "Ids of earlier runs (known) cannot be asked about: they are stored as hashes, being e-mail addresses"
                " or phone numbers. Name another source of user ids: --users-from listing, a file or a query. If"
                ' they are hashes at Authsignal too, set privacy_columns = {"*.user_id" = "keep"}.'
            )
        return stored_id

    def of(self, table: Table) -> "Guard":
        """What is done to the columns of a table."""
        return Guard(self, table)

    def hashed(self, text: str) -> str:
        """Lower-case hex of HMAC-SHA-256; there has to be a key."""
        digest = self._keyed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return str(digest.hexdigest())

    def text(self, kind: Kind, treatment: Treatment | None = None) -> Text:
        """What is done to text of a kind: as a rule, or by an override."""
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
        """The text with the identifiers in it protected; None for text that is nothing but one that is left out."""
        found = replaced(text, lambda kind, value: self.text(kind)(value) or LEFT_OUT)
        return None if found == LEFT_OUT != text else found

    def listed(self, listed: Mapping[str, Any]) -> Mapping[str, Any]:
        """What of the list's word on a user its fingerprint may say: without a key, nothing that names them."""
        if not self.leaves_out:
            return listed
        return {name: value for name, value in listed.items() if _TOLD.get(name)}

    @cached_property
    def fingerprint_key(self) -> bytes:
        """Key for fingerprints of what was not protected; empty where they need none."""
        if self.mode == "keep" or self.key is None:
            return b""
        return hashlib.sha256(b"fingerprint" + self.key.encode()).digest()

    @cached_property
    def fingerprint(self) -> int:
        """64 bits that are others when rows are stored otherwise; never 0."""
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
        privacy: How.
        table: The table; what it does not declare is looked at by name and value.
    """

    def __init__(self, privacy: Privacy, table: Table) -> None:
        self._privacy = privacy
        self._declared = {column.name: column for column in table.columns}
        self._table = table.name
        self._of: dict[str, Value | None] = {}

    def columns(self, said: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        """Values by column, each column protected; columns that are made of others are added."""
        beside = {name: each for source, values in said.items() for name, each in self._beside(source, values)}
        return {name: self._each(name, values) for name, values in {**said, **beside}.items()}

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The same for one row."""
        return {name: values[0] for name, values in self.columns({name: [row[name]] for name in row}).items()}

    def protect_mismatch(self, name: str, value: Any) -> Any:
        """A value that its column's type does not fit: as little is known of it as of one of an undeclared column."""
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
        if classes <= _NOT_TEXT and name not in self._declared and kind_by_name(name) == "plain":
            return values
        return [function(value) for value in values]

    def _beside(self, source: str, values: list[Any]) -> list[tuple[str, list[Any]]]:
        name, function = _BESIDE.get(source, ("", str))
        if name not in self._declared:
            return []
        return [(name, [function(value) if isinstance(value, str) else None for value in values])]

    def _function(self, name: str) -> Value | None:
        """What is done to each value of a column; None for nothing."""
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
        """The column of that name; or the identifier of which it is a part, come as an object."""
        if name in self._declared:
            return self._declared[name]
        parts = name.split("__")
        whole = (self._declared.get("__".join(parts[:end])) for end in range(len(parts) - 1, 0, -1))
        return next((column for column in whole if column is not None and column.kind in _DEFAULT), None)

    def _override(self, name: str) -> Treatment | None:
        chosen = self._privacy.columns
        return chosen.get(f"{self._table}.{name}") or chosen.get(f"{EVERY}.{name}")

    def _overridden(self, column: Column, treatment: Treatment) -> Value | None:
        if treatment == "keep":
            return None
        return _nothing if treatment == "drop" else partial(_leaves, self._privacy.text(column.kind, treatment))

    def _by_kind(self, name: str, column: Column | None) -> Value | None:
        if column is None and name in FREE_FORM:
            return self._allowed
        if column is None:
            return None if name in self._privacy.allow else partial(self._unknown, name)
        if column.kind == "plain":
            return self._told if column.type == "json" else None
        if column.kind == "free-form":
            return self._allowed
        if column.kind == "words":
            return partial(_leaves, self._privacy.in_text)
        return partial(_leaves, self._privacy.text(column.kind))

    def _allowed(self, value: Any) -> Any:
        """Of an object, the keys that are allowed; nothing of all else."""
        if isinstance(value, dict):
            return {key: inner for key, inner in value.items() if key in self._privacy.allow} or None
        return None

    def _told(self, value: Any) -> Any:
        """A declared list or object: its own fields are configuration, and names of rules stay; deeper ones are not."""
        if isinstance(value, list):
            return [self._told(item) for item in value]
        if isinstance(value, dict):
            return {key: self._told_field(key, inner) for key, inner in value.items()}
        return value

    def _told_field(self, key: str, value: Any) -> Any:
        is_configuration = not isinstance(value, list | dict) and kind_by_name(key) in ("plain", "name")
        return value if is_configuration else self._unknown(key, value)

    def _unknown(self, name: str, value: Any) -> Any:
        """A value that no table declares, by its name and its look."""
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
    """A value whose texts and numbers are protected, at whatever depth."""
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
    """For random ids, which nobody can guess."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_time(text: str) -> bool:
    """Whether it is a time in ISO 8601."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
