"""The configurations of further tenants of a sandbox: as the first tenant, with other keys and other fields."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

Config = TypeVar("Config", bound=Any)
"""A `core.config.SandboxConfig`, which imports this module."""

Given = Mapping[str, Mapping[str, Any]]
"""Fields by tenant id."""

MOST_TENANTS: Final = 100

TENANT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""An id that is a part of a path, and a folder of a state file, without changes."""

OWN: Final = ("tenants", "tenant_id", "allowed_hosts")
"""Fields that a further tenant cannot set: those of the whole sandbox, and the id, which is the key of the mapping."""


def check_tenants(config: Config) -> None:
    """Check the further tenants of a configuration.

    Raises:
        ValueError: An invalid number, id or field, or one key for two tenants.
    """
    if config.tenants != {}:
        further_tenants(config)


def further_tenants(config: Config) -> tuple[Config, ...]:
    """Return the configurations of the further tenants, with those of the fixture.

    Raises:
        ValueError: As `check_tenants`.
    """
    given = _merged(_numbered(config.tenants), config.fixture.tenants if config.fixture else {})
    if len(given) >= MOST_TENANTS:
        raise ValueError(f"tenants (--tenants): a sandbox has at most {MOST_TENANTS} tenants.")
    found = tuple(further_tenant(config, *one, number) for number, one in enumerate(given.items(), start=1))
    for number, one in enumerate(found):
        check_keys(one, (config, *found[:number]))
    return found


def further_tenant(config: Config, tenant_id: str, given: Mapping[str, Any], number: int = 1) -> Config:
    """Return the configuration of one further tenant.

    Args:
        config: That of the first tenant.
        tenant_id: Its id.
        given: Fields that differ from those of the first tenant.
        number: Its place. Its seed is the first tenant's plus this number, so that their users differ.

    Raises:
        ValueError: An invalid id or field.
    """
    if not isinstance(tenant_id, str) or not TENANT_ID.fullmatch(tenant_id):
        raise ValueError(
            "tenants: a tenant id must have 1 to 64 letters, digits, hyphens or underscores, and begin with a letter "
            "or a digit. No tenant was added."
        )
    where = f'tenants["{tenant_id}"]'
    if not isinstance(given, Mapping):
        raise ValueError(f"{where} must be a mapping of fields of SandboxConfig.")
    known = [one.name for one in fields(config) if one.name not in OWN]
    if unknown := sorted(set(map(str, given)) - set(known)):
        raise ValueError(f'{where}: unknown field "{unknown[0]}". Known: {", ".join(known)}.')
    own: dict[str, Any] = {
        "tenants": {},
        "fixture": None,
        "tenant_id": tenant_id,
        "api_secret_key": f"{tenant_id}-server-secret",
        "management_secret_key": f"{tenant_id}-management-secret",
        "seed": None if config.seed is None else config.seed + number,
    }
    try:
        return replace(config, **{**own, **_keys(tenant_id, given), **given})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def check_keys(config: Config, others: tuple[Config, ...]) -> None:
    """Check that no other tenant has the id or a key of this one: the key alone decides which tenant responds.

    Raises:
        ValueError: Another tenant has it.
    """
    for other in others:
        if config.tenant_id.casefold() == other.tenant_id.casefold():
            raise ValueError(
                f'This sandbox already has a tenant "{other.tenant_id}". Nothing was changed. Choose another tenant id.'
            )
        for name, said in (("api_secret_key", "apiSecretKey"), ("management_secret_key", "managementSecretKey")):
            if getattr(config, name) == getattr(other, name):
                raise ValueError(
                    f'The tenants "{other.tenant_id}" and "{config.tenant_id}" have the same {said} ({name}), and the '
                    "key decides which tenant responds. Nothing was changed. Choose another key."
                )


def _numbered(given: int | Given) -> Given:
    """Return the further tenants of a number of tenants: `tenant-2`, `tenant-3`."""
    if isinstance(given, Mapping):
        return given
    if type(given) is not int or not 1 <= given <= MOST_TENANTS:
        raise ValueError(f"tenants (--tenants) must be a number from 1 to {MOST_TENANTS}, or a mapping by tenant id.")
    return {f"tenant-{number}": {} for number in range(2, given + 1)}


def _merged(given: Given, fixtures: Mapping[str, Any]) -> Given:
    """Return the fields of all tenants. Fields that were set take precedence over the tenant's fixture."""
    of_file = {tenant_id: {"fixture": fixture, **given.get(tenant_id, {})} for tenant_id, fixture in fixtures.items()}
    return {**of_file, **{tenant_id: value for tenant_id, value in given.items() if tenant_id not in of_file}}


def _keys(tenant_id: str, given: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the keys of the tenant's fixture."""
    fixture: Any = given.get("fixture")
    if not hasattr(fixture, "put_into"):  # none, or a value that the configuration refuses
        return {}
    keys = dict(fixture.keys)
    if keys.pop("tenant_id", tenant_id) != tenant_id:
        raise ValueError("its fixture has the id of another tenant. Leave keys.tenantId out of it.")
    if fixture.tenants:
        raise ValueError("its fixture has tenants itself. Leave tenants out of it.")
    return keys
