"""The privacy settings: reading them from dlt and checking them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.secret_fields import is_secret
from dlt_authsignal.schema.tables import TABLES
from dlt_authsignal.source.config.credentials import clean_credential
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.policy import EVERY, Mode, Privacy, Treatment

LEAST_KEY: Final = 32
LEAST_DIFFERENT: Final = 8
"""Minimum length of a key and of its distinct characters; 16 random bytes in hex satisfy both."""

LEFT_OUT: Final = (
    "Identifiers are left out (e-mail addresses, phone numbers, names), because there is no privacy_key. Run"
    f" dlt-authsignal init to create one. See {DOCS}/privacy.md"
)
"""Message if identifiers are dropped, once per run."""

_IDENTIFIERS: Final = frozenset({"email", "phone", "name", "ip", "user_agent", "device", "credential"})


def privacy_from(settings: SourceSettings) -> Privacy:
    """Return the privacy settings of a source.

    Raises:
        ConfigurationError: A value is invalid.
    """
    return privacy_of(settings.privacy, settings.privacy_key, settings.privacy_columns, settings.privacy_allow)


def privacy_of(
    mode: str, key: str | None, columns: Mapping[str, Any] | None = None, allow: Sequence[str] | None = None
) -> Privacy:
    """Check the settings and return them.

    Args:
        mode: `pseudonymize` or `keep`.
        key: Secret key of the hashes.
        columns: `keep`, `hash`, `truncate` or `drop`, by `table.column` or `*.column`.
        allow: Keys of free-form objects, and undeclared columns, that are loaded in plain text.

    Raises:
        ConfigurationError: A value is invalid.
    """
    if mode not in get_args(Mode):
        raise ConfigurationError(f'privacy must be one of {", ".join(get_args(Mode))}, not "{mode}".')
    usable = _checked_key(clean_credential("privacy_key", key))
    overrides = {name: _checked(name, treatment) for name, treatment in (columns or {}).items()}
    if usable is None and (hashed := [name for name, chosen in overrides.items() if chosen == "hash"]):
        raise ConfigurationError(f"privacy_columns: {hashed[0]} cannot be hashed without privacy_key. {_MAKE_ONE}")
    return Privacy(mode=mode, key=usable, columns=overrides, allow=frozenset(allow or ()))  # type: ignore[arg-type]


_MAKE_ONE: Final = "If there is no key, dlt-authsignal init creates one and writes it to .dlt/secrets.toml."


def _checked_key(key: str | None) -> str | None:
    if key is not None and (len(key) < LEAST_KEY or len(set(key)) < LEAST_DIFFERENT):
        raise ConfigurationError(
            f"privacy_key is too short or too simple: a guessed key reveals every hash. Use at least {LEAST_KEY} random"
            f" characters, preferably 64 hex digits. {_MAKE_ONE}"
        )
    return key


def _checked(name: str, treatment: Any) -> Treatment:
    table, _, column = name.partition(".")
    if is_secret(column):
        raise ConfigurationError(f"privacy_columns: {name} is a secret and is never loaded. Remove this entry.")
    if column == "user_id" and table != EVERY:
        raise ConfigurationError(
            f"privacy_columns: {name} joins all tables, so it cannot be set for one table."
            " Set it for all tables: *.user_id"
        )
    found = list(_named(table, column))
    if not found:
        raise ConfigurationError(
            f"privacy_columns: no table has a column {name}. Use table.column, or *.column for all tables with it; see"
            f" {DOCS}/tables.md. To load a column that Authsignal added later in plain text, add it to privacy_allow."
        )
    possible = [chosen for chosen in get_args(Treatment) if all(chosen in _possible(*pair) for pair in found)]
    if treatment not in possible:
        raise ConfigurationError(f'privacy_columns: {name} must be one of {", ".join(possible)}, not "{treatment}".')
    chosen: Treatment = treatment
    return chosen


def _named(table: str, column: str) -> Iterator[tuple[Table, Column]]:
    for known in TABLES.values():
        if table in (EVERY, known.name):
            yield from ((known, declared) for declared in known.columns if declared.name == column)


def _possible(table: Table, column: Column) -> set[Treatment]:
    """Return the possible protections of a column. Key columns cannot be dropped, and only text can be hashed."""
    found: set[Treatment] = {"keep"}
    if column.name not in table.key:
        found.add("drop")
    if column.kind in _IDENTIFIERS or column.kind == "user_id":
        found.add("hash")
    if column.kind == "ip":
        found.add("truncate")
    return found
