"""The privacy settings: reading them from dlt and checking them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, get_args

from dlt_authsignal.errors import DOCS, ConfigurationError
from dlt_authsignal.schema.columns import Column, Table
from dlt_authsignal.schema.secret_fields import is_secret
from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.schema.tables.server import TABLES
from dlt_authsignal.source.config.credentials import clean_credential
from dlt_authsignal.source.config.source_settings import SourceSettings
from dlt_authsignal.source.privacy.key_strength import LEAST_KEY, is_weak
from dlt_authsignal.source.privacy.policy import EVERY, Mode, Privacy, Treatment

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
    return privacy_of(
        settings.privacy,
        settings.privacy_key,
        settings.privacy_columns,
        settings.privacy_allow,
        phone_region=settings.phone_region,
        tenant=_tenant(settings) if settings.privacy_per_tenant else None,
    )


def privacy_of(
    mode: str,
    key: str | None,
    columns: Mapping[str, Any] | None = None,
    allow: Sequence[str] | None = None,
    *,
    phone_region: str | None = None,
    tenant: str | None = None,
) -> Privacy:
    """Check the settings and return them.

    Args:
        mode: `pseudonymize` or `keep`.
        key: Secret key of the hashes.
        columns: `keep`, `hash`, `truncate` or `drop`, by `table.column` or `*.column`.
        allow: Keys of free-form objects, and undeclared columns, that are loaded in plain text.
        phone_region: Country of phone numbers without a country code, ISO 3166-1 alpha-2.
        tenant: Tenant whose hashes differ from those of other tenants.

    Raises:
        ConfigurationError: A value is invalid.
    """
    if mode not in get_args(Mode):
        raise ConfigurationError(f'privacy must be one of {", ".join(get_args(Mode))}, not "{mode}".')
    usable = _checked_key(clean_credential("privacy_key", key))
    overrides = {name: _checked(name, treatment) for name, treatment in (columns or {}).items()}
    if usable is None and (hashed := [name for name, chosen in overrides.items() if chosen == "hash"]):
        raise ConfigurationError(f"privacy_columns: {hashed[0]} cannot be hashed without privacy_key. {_MAKE_ONE}")
    return Privacy(
        mode=mode,  # type: ignore[arg-type]
        key=usable,
        columns=overrides,
        allow=frozenset(allow or ()),
        phone_region=_region(phone_region),
        tenant=tenant,
    )


_MAKE_ONE: Final = "If there is no key, dlt-authsignal init creates one and writes it to .dlt/secrets.toml."


def _checked_key(key: str | None) -> str | None:
    if key is not None and is_weak(key):
        raise ConfigurationError(
            "privacy_key is too short or too simple (a repeated pattern, a sequence, words, or a published example): a"
            f" guessed key reveals every hash. Use at least {LEAST_KEY} random characters, preferably 64 hex digits."
            f" {_MAKE_ONE}"
        )
    return key


def _tenant(settings: SourceSettings) -> str:
    if settings.tenant_id is None:
        raise ConfigurationError(
            "privacy_per_tenant hashes identifiers with the tenant's id, and tenant_id is not set. Nothing was loaded."
            " Set tenant_id; the portal shows it under Settings, API keys."
        )
    return str(settings.tenant_id)


def _region(region: str | None) -> str | None:
    if region is None or not region.strip():
        return None
    from phonenumbers import SUPPORTED_REGIONS

    known = region.strip().upper()
    if known not in SUPPORTED_REGIONS:
        raise ConfigurationError(
            f'phone_region must be a country as ISO 3166-1 alpha-2, such as NZ or GB; got "{region}".'
            " Nothing was loaded."
        )
    return known


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
    for known in (*TABLES.values(), *EVENT_TABLES.values()):
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
