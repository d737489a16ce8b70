"""Let libpq find the parts of a PostgreSQL connection that dlt requires, but PostgreSQL does not.

libpq reads passwords from `~/.pgpass` and PGPASSWORD, whole connections from PGSERVICE, and needs no password for peer,
trust, certificates and IAM proxies. dlt 1.31 refuses credentials without host, database, user name and password.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final

from dlt_authsignal.destination.dlt_patches.replaced import check_signature, replace

OF_LIBPQ: Final = ("postgres", "redshift")
"""Destinations whose driver is libpq."""

_SCHEME: Final = "postgresql"
_FOUND_BY: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "host": (("host", "hostaddr", "service"), ("PGHOST", "PGHOSTADDR", "PGSERVICE")),
    "database": (("dbname", "service"), ("PGDATABASE", "PGSERVICE")),
}
"""Options of the URL and environment variables in which libpq finds a part that dlt has not found.

The user name is the account's by default, and a password is not always needed, so neither is in this list.
"""


def leave_to_libpq(destination: Any) -> None:
    """Accept credentials of this destination if libpq finds the missing parts. Can be repeated."""
    _locate_by_libpq()
    if "configuration" in vars(destination):
        return
    check_signature(type(destination), "configuration", "self", "initial_config", "accept_partial")
    resolve = destination.configuration

    @wraps(resolve)
    def configuration(initial_config: Any, accept_partial: bool = False) -> Any:
        config = resolve(initial_config, True)
        _complete(config)
        if not accept_partial and not config.is_resolved():
            config = resolve(initial_config, False)  # raises dlt's exception with the names that it looked up
        return config

    destination.configuration = configuration


def missing_for_libpq(credentials: Any) -> list[str]:
    """Return the parts that neither dlt nor libpq finds."""
    options = credentials.query
    is_url = options is not None  # `postgresql:///db` asks for libpq's own socket
    return [
        part
        for part, (names, variables) in _FOUND_BY.items()
        if not getattr(credentials, part)
        and not (part == "host" and is_url and credentials.database)
        and not any((options or {}).get(name) for name in names)
        and not any(map(os.environ.get, variables))
    ]


def _complete(config: Any) -> None:
    credentials = config.credentials
    if credentials is None or credentials.is_resolved() or missing_for_libpq(credentials):
        return
    credentials.drivername = _SCHEME  # `redshift://` and `postgresql+psycopg2://` are SQLAlchemy's
    if not credentials.host and credentials.port == config.DEFAULT_PORT:
        credentials.port = None  # libpq also knows the port of the host that it finds
    credentials.resolve()
    if not config.is_resolved() and not config.is_partial():
        config.resolve()


def _locate_by_libpq() -> None:
    """Identify a database whose host or name libpq finds: dlt refuses to, although it can connect."""
    from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration as Configuration

    def located(original: Callable[[Any], str]) -> Callable[[Any], str]:
        @wraps(original)
        def data_location(self: Any) -> str:
            credentials = self.credentials
            if not credentials or (credentials.host and credentials.database):
                return original(self)
            host, database = (_origin(credentials, part) for part in ("host", "database"))
            return f"{host}:{credentials.port or os.environ.get('PGPORT') or self.DEFAULT_PORT}/{database}"

        return data_location

    replace(Configuration, "data_location", ("self",), located)


def _origin(credentials: Any, part: str) -> str:
    """Return a part, or where libpq finds it."""
    names, variables = _FOUND_BY[part]
    options = credentials.query or {}
    found = [getattr(credentials, part), *(options.get(name) for name in names), *map(os.environ.get, variables)]
    return str(next(filter(None, found), "local socket"))
