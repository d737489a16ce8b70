"""Resolve the setting `users_from` with the credentials that dlt finds."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule

from dlt_authsignal.destination.dlt_patches import OF_LIBPQ, leave_to_libpq
from dlt_authsignal.destination.registry import destination_of_type
from dlt_authsignal.errors import UserIdsUnreadable
from dlt_authsignal.source.user_ids.combined import LISTING, Source
from dlt_authsignal.source.user_ids.sql_connection import Query
from dlt_authsignal.source.user_ids.sql_query import is_query, parse

DATABASE: Final = "users_database"
DESTINATION: Final = "destination."


def resolved(
    users_from: str | Sequence[str] | None, users_database: ConnectionStringCredentials | None
) -> tuple[Source, ...]:
    """Return the user id sources of the setting, each once. Names of credentials are replaced by their URLs.

    Args:
        users_from: One source, a list, or a list as JSON. If None, the user list.
        users_database: Credentials for `users_database?query=SQL`.

    Raises:
        UserIdsUnreadable: The setting is not a list of text, a query has no SQL, or credentials are missing.
    """
    return tuple(
        _with_credentials(parse(source), users_database) if is_query(source) else source for source in named(users_from)
    )


def named(users_from: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the sources of the setting, unresolved."""
    if isinstance(users_from, str) and users_from.lstrip().startswith("["):  # dlt's form of a list in config.toml
        try:
            users_from = json.loads(users_from)
        except ValueError:
            raise UserIdsUnreadable(
                'users_from is not a valid list. Expected a list such as ["listing", "ids.csv"].'
            ) from None
    wanted: Sequence[Any] = [users_from] if isinstance(users_from, str) else users_from or ()
    if not all(isinstance(source, str) for source in wanted):
        raise UserIdsUnreadable("users_from contains a value that is not text.")
    if users_from is not None and not (wanted and all(source.strip() for source in wanted)):
        raise UserIdsUnreadable(
            "users_from contains an empty text, or is an empty list, which does not mean the user list. Nothing was"
            " read. Name a source of user ids, or remove the setting to read the user list."
        )
    return tuple(dict.fromkeys(source.strip() for source in wanted)) or (LISTING,)


def _with_credentials(query: Query, users_database: ConnectionStringCredentials | None) -> Query:
    database = query.database
    if "://" in database:
        return query
    if database == DATABASE:
        url = users_database.to_native_representation() if users_database else None
    elif database.startswith(DESTINATION):
        url = _of_destination(database.removeprefix(DESTINATION).removesuffix(".credentials"))
    else:
        raise UserIdsUnreadable(
            f'"{database}" is not a database. Expected a URL such as postgresql://user@host/database,'
            f" {DATABASE}, or {DESTINATION}postgres for the credentials of a destination."
        )
    if not url:
        raise UserIdsUnreadable(
            f"dlt finds no complete credentials for {database}. Put them into .dlt/secrets.toml: {DATABASE}, a URL,"
            f" under [sources.authsignal_source]; those of a destination under [{DESTINATION}NAME.credentials]."
        )
    return replace(query, database=url)


def _of_destination(name: str) -> str | None:
    """Return the URL of a destination's credentials; None if they are missing or have no URL."""
    try:
        destination: Any = Destination.from_reference(name)
        if destination_of_type(destination.destination_type).name in OF_LIBPQ:
            leave_to_libpq(destination)
        credentials = destination.configuration(destination.spec(), accept_partial=True).credentials
    except (ConfigurationException, UnknownDestinationModule):
        return None
    is_complete = isinstance(credentials, ConnectionStringCredentials) and credentials.is_resolved()
    return credentials.to_native_representation() if is_complete else None
