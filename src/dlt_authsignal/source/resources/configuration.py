"""Read the tenant's configuration with the Management API. A key may read some resources and not others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from dlt_authsignal.api import management_endpoints as endpoints
from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.errors import HttpError, RequestRefused, Unauthorized
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import configuration as tables
from dlt_authsignal.source.clock import now
from dlt_authsignal.source.http.client import Api

Item = dict[str, Any]
NOT_FOUND: Final = 404


@dataclass(kw_only=True)
class Configuration:
    """What was read of the tenant's configuration.

    Attributes:
        read_at: When the first request was sent.
        found: Objects that Authsignal returned, by table.
        refused: Why Authsignal refused to answer, by table.
        incomplete: Tables of which a part could not be read, so that their missing rows prove nothing.
    """

    read_at: datetime = field(default_factory=now)
    found: dict[str, list[Item]] = field(default_factory=dict)
    refused: dict[str, HttpError] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)

    @property
    def tenant_id(self) -> str | None:
        """The tenant that the answers name; None if they name none."""
        named = (item.get("tenantId") for items in self.found.values() for item in items)
        return next((each for each in named if isinstance(each, str) and each), None)


_WHOLE: Final[tuple[tuple[Table, Endpoint, type], ...]] = (
    (tables.TENANT, endpoints.GET_TENANT, dict),
    (tables.ACTION_CONFIGURATIONS, endpoints.LIST_ACTION_CONFIGURATIONS, list),
    (tables.AUTHENTICATOR_CONFIGURATIONS, endpoints.LIST_AUTHENTICATOR_CONFIGURATIONS, list),
    (tables.CUSTOM_DATA_POINTS, endpoints.LIST_CUSTOM_DATA_POINTS, list),
    (tables.VALUE_LISTS, endpoints.LIST_VALUE_LISTS, list),
    (tables.THEME, endpoints.GET_THEME, dict),
)


async def read_configuration(api: Api) -> Configuration:
    """Read all of the configuration.

    Raises:
        Unauthorized: The key is wrong, or may read nothing at all.
        HttpError: Authsignal cannot be reached, or answers nothing usable.
    """
    read = Configuration()
    for table, endpoint, expect in _WHOLE:
        await _kept(read, table, partial(_all, api, endpoint, expect))
    await _kept(read, tables.RULES, partial(_rules, api, read))
    await _kept(read, tables.VALUE_LISTS, partial(_whole_lists, api, read))
    if not read.found and read.refused:
        raise next(iter(read.refused.values()))
    return read


async def _kept(read: Configuration, table: Table, ask: Callable[[], Awaitable[list[Item] | None]]) -> None:
    """Keep what one table's requests return, or why Authsignal refused one of them."""
    try:
        found = await ask()
    except (Unauthorized, RequestRefused) as refused:
        read.found.pop(table.name, None)
        read.refused[table.name] = refused
        return
    if found is not None:
        read.found[table.name] = found


async def _all(api: Api, endpoint: Endpoint, expect: type) -> list[Item]:
    answer = await api.get(endpoint, expect)
    return answer if isinstance(answer, list) else [answer]


async def _rules(api: Api, read: Configuration) -> list[Item] | None:
    """Return the rules of all actions; None if the actions are unknown."""
    actions = read.found.get(tables.ACTION_CONFIGURATIONS.name)
    if actions is None:
        refused = read.refused[tables.ACTION_CONFIGURATIONS.name]
        read.refused[tables.RULES.name] = refused
        return None
    rules: list[Item] = []
    for code in [action["actionCode"] for action in actions if isinstance(action.get("actionCode"), str)]:
        try:
            found = await api.get(endpoints.LIST_RULES, list, actionCode=code)
        except RequestRefused as error:
            if error.status != NOT_FOUND:
                raise
            read.incomplete.add(tables.RULES.name)  # the action was deleted a moment ago; the next run knows
            continue
        rules += [{"actionCode": code, **rule} for rule in found]
    return rules


async def _whole_lists(api: Api, read: Configuration) -> list[Item] | None:
    """Return the value lists with their items. Assumed: the list has them, or else each list's own answer does."""
    lists = read.found.get(tables.VALUE_LISTS.name)
    if lists is None or all("valueListItems" in each for each in lists):
        return None
    whole: list[Item] = []
    for each in lists:
        if "valueListItems" in each or not isinstance(each.get("alias"), str):
            whole.append(each)
            continue
        try:
            whole.append({**each, **await api.get(endpoints.GET_VALUE_LIST, dict, alias=each["alias"])})
        except RequestRefused as error:
            if error.status != NOT_FOUND:
                raise
            read.incomplete.add(tables.VALUE_LISTS.name)  # the list was deleted a moment ago
    return whole
