"""Report exactly the parts of a destination's settings that are missing."""

import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import dlt
from dlt.common.configuration.exceptions import ConfigFieldMissingException, ConfigurationValueError

from dlt_authsignal.destination.dlt_patches import OF_LIBPQ
from dlt_authsignal.destination.registry import Destination
from dlt_authsignal.errors import ConfigurationError

_REQUIRES: Final = ("Authentication failed: No valid", "Missing required parameter", "` requires `")
"""Parts of the messages with which dlt 1.31 reports incomplete credentials, other than its exception for it."""


def incomplete(cause: BaseException, destination: Destination, name: str) -> ConfigurationError | None:
    """Return the error for settings that lack a part; None if dlt reports something else.

    Args:
        cause: dlt's exception.
        destination: Facts about the destination.
        name: Name of the destination in the settings.
    """
    if not destination.credentials:
        return None
    if isinstance(cause, ConfigFieldMissingException):
        looked_up = [field for field in cause.fields if field not in ("credentials", "local_dir")]
    elif isinstance(cause, ConfigurationValueError) and any(text in str(cause) for text in _REQUIRES):
        looked_up = []
    else:
        return None
    found = _found(destination, name)
    missing = list(dict.fromkeys([*looked_up, *_missing(destination, found)])) or ["credentials"]
    return _error(destination, name, missing, sorted(found))


def _error(destination: Destination, name: str, missing: list[str], found: list[str]) -> ConfigurationError:
    begin = f"{destination.title} needs {_listed(missing)}. Nothing was loaded."
    if found:
        first = missing[0].split(" or ")[0]
        where = f"destination.{name}" if first == "bucket_url" else f"destination.{name}.credentials"
        variable = f"{where.replace('.', '__')}__{first}".upper()
        fix = f" Set {first} under [{where}] in .dlt/secrets.toml"
        return ConfigurationError(
            f"{begin} Found: {', '.join(found)}.{fix}, or set the environment variable {variable}.{_note(destination)}"
        )
    whole = "bucket_url" if "bucket_url" in missing else "credentials"
    return ConfigurationError(
        f"{begin} Add these lines to .dlt/secrets.toml, with your own values:\n\n{destination.credentials}\n\nOr set"
        f" environment variables, such as DESTINATION__{name.upper()}__{whole.upper()}.{_note(destination)}"
    )


def _note(destination: Destination) -> str:
    return f" {destination.other_ways}" if destination.other_ways else ""


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _missing(destination: Destination, found: set[str]) -> list[str]:
    """Return the required parts of which no alternative was found."""
    return [" or ".join(choice) for choice in destination.required if not found.intersection(choice)]


def _found(destination: Destination, name: str) -> set[str]:
    """Return the names of the parts that are set and not empty. Their values are not kept."""
    parts = {part for choice in destination.required for part in choice} | {"username", "password", "port"}
    found = {part for part in parts if _is_set(dlt.secrets.get(f"destination.{name}.credentials.{part}"))}
    found |= {part for part in parts if part == "bucket_url" and _is_set(dlt.config.get(f"destination.{name}.{part}"))}
    found |= _in_whole(dlt.secrets.get(f"destination.{name}.credentials"))
    if destination.name in OF_LIBPQ:
        for variable, part in _OF_LIBPQ.items():
            found |= {part} if os.environ.get(variable) else set()
    return found


_OF_LIBPQ: Final[Mapping[str, str]] = {
    "PGHOST": "host",
    "PGHOSTADDR": "host",
    "PGDATABASE": "database",
    "PGUSER": "username",
    "PGPASSWORD": "password",
}
_OPTIONS: Final[Mapping[str, str]] = {"dbname": "database", "hostaddr": "host", "token": "password"}


def _in_whole(credentials: Any) -> set[str]:
    """Return the names of the parts in a URL, or in a table of settings."""
    if isinstance(credentials, Mapping):
        return {str(part) for part, value in credentials.items() if _is_set(value)}
    try:
        url = urlsplit(str(credentials or ""))
        found = {"host": url.hostname, "username": url.username, "password": url.password, "port": url.port}
        found |= {"database": url.path.strip("/")}
        found |= {_OPTIONS.get(part, part): value for part, value in parse_qsl(url.query)}
    except ValueError:
        return set()
    return {part for part, value in found.items() if value}


def _is_set(value: Any) -> bool:
    return value is not None and str(value).strip() not in ("", "<configure me>")
