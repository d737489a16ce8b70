"""Protection of identifiers before they are stored: hash, truncate, drop, or keep.

There is one function per column, which is used for Arrow tables and for rows.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, Literal

from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.schema.sensitivity import Kind
from dlt_authsignal.schema.tables.server import USERS
from dlt_authsignal.source.privacy.keyed_hash import KeyedHash
from dlt_authsignal.source.privacy.recognition.identifiers import names_somebody, normal, replaced, truncated
from dlt_authsignal.source.privacy.recognition.readable import readable

Mode = Literal["pseudonymize", "keep"]
Treatment = Literal["keep", "hash", "truncate", "drop"]
Text = Callable[[str], str | None]

EVERY: Final = "*"
"""Table part of an override that applies to the column in all tables."""

_MAKING: Final = 3
"""Increase this number when a new version stores the same value differently."""

LEFT_OUT: Final = "…"
"""Placeholder for a removed identifier in a text."""

_EXACT: Final = frozenset({"user_id", "user_agent", "device", "credential"})
"""Kinds whose spelling matters: user ids that differ only in case are two users."""

_USER_ID: Final = f"{EVERY}.user_id"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOLD: Final = {column.field: column.kind == "plain" for column in USERS.columns}


class StoredId(str):
    """A user id that was read from this pipeline's own tables, so it is in its stored form and may be a hash.

    An id from anywhere else that looks like a hash is hashed, or it would be taken for the user with that pseudonym.
    """

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """How identifiers are loaded.

    Attributes:
        mode: `pseudonymize` hashes identifiers with the key, or drops them without a key; `keep` loads them.
        key: Secret key of the hashes.
        columns: Overrides for single columns, by `table.column` or `*.column`.
        allow: Keys of free-form objects, and undeclared columns, that are loaded in plain text.
        phone_region: Country of phone numbers without a country code, ISO 3166-1 alpha-2; None if unknown.
        tenant: Tenant whose hashes differ from those of other tenants with the same key; None for equal hashes.
    """

    mode: Mode = "pseudonymize"
    key: str | None = field(default=None, repr=False)
    columns: Mapping[str, Treatment] = field(default_factory=dict)
    allow: frozenset[str] = frozenset()
    phone_region: str | None = None
    tenant: str | None = None

    @property
    def leaves_out(self) -> bool:
        """Return whether identifiers are dropped because there is no key."""
        return self.mode == "pseudonymize" and self.key is None

    def stored_id(self, user_id: str) -> str:
        """Return the stored form of a user id.

        It is hashed if it is or contains an e-mail address or a phone number, or if it looks like a hash of this
        pipeline. A `StoredId` is returned unchanged.

        Raises:
            ConfigurationError: The id must be hashed, but there is no key.
        """
        if isinstance(user_id, StoredId):
            return str(user_id)
        if self._loads_ids or not (self.columns.get(_USER_ID) == "hash" or self._is_personal(user_id)):
            return user_id
        if self._keyed is None:
            raise ConfigurationError(
                "A user id is an e-mail address or a phone number, and there is no privacy_key to hash it. Nothing was"
                ' loaded. Run dlt-authsignal init to create a key, or set privacy = "keep" to load identifiers in plain'
                f" text. See {DOCS}/privacy.md"
            )
        return self.hashed(user_id)

    @cached_property
    def _loads_ids(self) -> bool:
        treatment = self.columns.get(_USER_ID)
        return treatment == "keep" or (self.mode == "keep" and treatment is None)

    def may_be_pseudonym(self, user_id: str) -> bool:
        """Return whether an id looks like a hash of this pipeline. Without a key there are none."""
        return not self._loads_ids and self.key is not None and _HASH.fullmatch(user_id) is not None

    def _is_personal(self, user_id: str) -> bool:
        return names_somebody(user_id, self.phone_region) or self.may_be_pseudonym(user_id)

    def is_now_hashed(self, stored_id: str) -> bool:
        """Return whether an id in the tables is plain, but would be hashed under these settings."""
        return not _HASH.fullmatch(stored_id) and self.stored_id(stored_id) != stored_id

    def stored_ids(self, user_ids: Iterable[str]) -> frozenset[str]:
        """Return the stored forms of all ids that can be stored."""
        return frozenset(
            map(self.stored_id, (each for each in user_ids if self.key or not names_somebody(each, self.phone_region)))
        )

    def can_ask(self, stored_id: str) -> bool:
        """Return whether a stored id can be requested from Authsignal, because it is not a hash."""
        return self._loads_ids or not _HASH.fullmatch(stored_id)

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

    def hashed(self, text: str) -> str:
        """Return the HMAC-SHA-256 in lower-case hex; requires a key."""
        if self._keyed is None:
            raise ValueError("there is no privacy_key")
        return self._keyed(text.encode("utf-8", "surrogatepass"))

    def text(self, kind: Kind, treatment: Treatment | None = None) -> Text:
        """Return the function that protects text of a kind, by default or by an override."""
        chosen = treatment or DEFAULT.get(kind, "keep")
        if chosen == "keep":
            return str
        if chosen == "truncate":
            return partial(self._truncated, kind)
        if kind == "user_id":
            return self.stored_id
        if chosen == "hash" and self._keyed is not None:
            return self.hashed if kind in _EXACT else self._normal_hash(kind, self._keyed)
        return self._unkeyed if kind == "device" and chosen == "hash" else nothing

    def in_text(self, text: str) -> str | None:
        """Return the text with its identifiers protected; None if the whole text is a dropped identifier."""
        found = replaced(text, lambda kind, value: self.text(kind)(value) or LEFT_OUT, self.phone_region)
        return None if found == LEFT_OUT != text else found

    def item(self, text: str) -> str | None:
        """Return the stored form of a text that may be any identifier, such as an item of a value list; None without
        a key. A person's e-mail address has the same hash as in `users`."""
        return self.text(self._kind_of(text), "hash")(text)

    def unknown(self, text: str) -> str | None:
        """Return the stored form of a text that may be any identifier; None without a key.

        A text that is one identifier has the form of its kind, so that it joins. Any other text is hashed as a name is.
        """
        kind = self._kind_of(text)
        return self.text(kind)(readable(text) if kind == "ip" else text)

    def _kind_of(self, text: str) -> Kind:
        """Return the kind of the identifier that is the whole text; `name` for any other text."""
        if _UUID.fullmatch(text):
            return "name"
        whole = readable(text).strip()
        kinds: list[Kind] = ["name"]

        def note(kind: Kind, value: str) -> str:
            if value.strip() == whole:
                kinds.append(kind)
            return value

        replaced(text, note, self.phone_region)
        return kinds[-1]

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
        settings = self.mode, sorted(self.columns.items()), sorted(self.allow), self.phone_region, self.tenant
        said = repr((_MAKING, *settings))
        key = hashlib.sha256(b"settings" + (self.key or "").encode()).digest()
        return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8, key=key).digest(), "little") or 1

    @cached_property
    def _keyed(self) -> KeyedHash | None:
        key = self.key and key_of_tenant(self.key, self.tenant)
        return KeyedHash(key.encode()) if key else None

    def _normal_hash(self, kind: Kind, keyed: KeyedHash) -> Text:
        region = self.phone_region
        return lambda text: keyed(normal(kind, text, region).encode("utf-8", "surrogatepass"))

    def _unkeyed(self, text: str) -> str:
        """Hash without a key, for random ids, which cannot be guessed."""
        said = text if self.tenant is None else f"{self.tenant}\n{text}"
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()

    def _truncated(self, kind: Kind, text: str) -> str | None:
        short = truncated(text)
        return self.text(kind, "hash")(text) if short is None else short


def key_of_tenant(key: str, tenant: str | None) -> str:
    """Return the key of one tenant's hashes: the HMAC-SHA-256 of the tenant's id in hex; without a tenant, the key."""
    return key if tenant is None else hmac.new(key.encode(), tenant.encode(), hashlib.sha256).hexdigest()


KEEP: Final = Privacy(mode="keep")

DEFAULT: Final[Mapping[Kind, Treatment]] = {
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


def leaves(text: Text, value: Any) -> Any:
    """Protect all texts and numbers in a value, at any depth."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [leaves(text, item) for item in value]
    if isinstance(value, dict):
        return {text(key) or LEFT_OUT: leaves(text, inner) for key, inner in value.items()}
    return value if value is None or isinstance(value, bool) else text(str(value))


def nothing(_: Any) -> None:
    """Leave a value out."""
