"""The client lane: what the bearer of a short-lived token may read of themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dlt
import jwt
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api import tables
from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS
from dlt_authsignal.api.endpoints import bearer_auth
from dlt_authsignal.source.http import Pace, connect
from dlt_authsignal.source.meter import Meter
from dlt_authsignal.source.resources import hints
from dlt_authsignal.source.rows import Row, shaper
from dlt_authsignal.source.stream import batches


@dataclass(frozen=True, kw_only=True)
class Client:
    """How to reach the Client API.

    Attributes:
        base: Base URL.
        token: A short-lived token, from the Server API's track call.
        tenant_id: Written into each row when the token does not say.
        pace: Budget and patience.
        meter: Counters.
    """

    base: URL
    token: str
    tenant_id: str | None
    pace: Pace
    meter: Meter


def client_resources(client: Client) -> list[DltResource]:
    """Resources of the lane."""
    bearer = claims(client.token)
    tenant_id = _text(bearer.get("other", {}), "tenantId") or client.tenant_id
    user_id = user_of(client.token)
    shape = shaper(tables.USER_AUTHENTICATORS, lane="client", tenant_id=tenant_id)

    async def read(out: MemoryObjectSendStream[Row]) -> None:
        keys: Row = {"_read_at": datetime.now(UTC), **({"user_id": user_id} if user_id else {})}
        async with connect(client.base, {"bearer": bearer_auth(client.token)}, client.pace, client.meter) as api:
            for answer in await api.get(CLIENT_AUTHENTICATORS, list):
                await out.send(shape(answer, keys))

    def user_authenticators() -> Iterator[Any]:
        yield dlt.mark.materialize_table_schema()
        yield from batches(read, size=500)

    resource: DltResource = dlt.resource(user_authenticators, **hints(tables.USER_AUTHENTICATORS))
    return [resource]


def user_of(token: str) -> str | None:
    """The user a token is about, if it says."""
    bearer = claims(token)
    return _text(bearer.get("other", {}), "userId") or _text(bearer, "sub")


def claims(token: str) -> Mapping[str, Any]:
    """Claims of a token, unverified: Authsignal verifies it. Empty for a token that is not a JWT."""
    try:
        found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return found


def _text(values: Any, name: str) -> str | None:
    value = values.get(name) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) and value else None
