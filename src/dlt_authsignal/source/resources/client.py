"""The Client API: what the bearer of a short-lived token may read of themselves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dlt
import jwt
from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS
from dlt_authsignal.api.endpoints import Endpoint, bearer_auth
from dlt_authsignal.destination.tombstones import Tombstones, active_tombstones
from dlt_authsignal.errors import CredentialsMissing
from dlt_authsignal.schema import tables
from dlt_authsignal.schema.bookkeeping_tables import COMPLETE_READS, complete
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.resources.async_batches import batches
from dlt_authsignal.source.resources.table_resource import Loading, table_resource
from dlt_authsignal.source.rows.flatten import Answers


@dataclass(frozen=True, kw_only=True)
class Client:
    """How to reach the Client API.

    Attributes:
        base: Base URL.
        token: A short-lived token, from the Server API's track call; None where only the tenant is known.
        tenant_id: Authenticates where no user is known; written into each row when the token does not say.
        throttle: The key's budget, over all resources.
        meter: Counters.
        privacy: What is done to identifiers.
    """

    base: URL
    token: str | None
    tenant_id: str | None
    throttle: RateLimiter
    meter: RunMetrics
    privacy: Privacy = Privacy()  # noqa: RUF009

    @property
    def user_id(self) -> str | None:
        """The user the token is about, if it says."""
        return user_of(self.token)

    @property
    def tenant(self) -> str | None:
        """The tenant, by the token's word before ours."""
        return _text(claims(self.token).get("other", {}), "tenantId") or self.tenant_id

    def bearer(self, endpoint: Endpoint) -> str:
        """`Authorization` value of the token.

        Raises:
            CredentialsMissing: There is none.
        """
        if self.token is None:
            raise CredentialsMissing(f"{endpoint}, which needs token: ask your backend for one (track)")
        return bearer_auth(self.token)


def client_resources(client: Client) -> list[DltResource]:
    """What is read. Without a token it says so when it is read: naming a sign-in's ceremonies is still fine."""

    async def read(erased: Tombstones, out: MemoryObjectSendStream[Answers]) -> None:
        user_id, read_at = client.user_id, datetime.now(UTC)
        auth = {"bearer": client.bearer(CLIENT_AUTHENTICATORS)}
        async with connect(client.base, auth, client.throttle, client.meter) as api:
            found = await api.get(CLIENT_AUTHENTICATORS, list)
        items = [item for item in found if _text(item, "userId") not in erased]  # not every token says whose it is
        keys = {"user_id": [user_id]} if user_id else {}
        await out.send(Answers(items=items, requests=[0] * len(items), read_at=[read_at], keys=keys))

    def own_authenticators() -> Iterator[list[Answers]]:
        client.bearer(CLIENT_AUTHENTICATORS)
        erased = active_tombstones()
        erased.refuse(client.user_id)
        yield []
        yield from batches(partial(read, erased), size=1)

    def when(loading: Loading, answers: list[Answers]) -> Iterator[Any]:
        name, user_id, (read_at,) = tables.USER_AUTHENTICATORS.name, client.user_id, answers[0].read_at
        if user_id:
            stored_id = client.privacy.stored_id(user_id)
            row = complete(name, read_at, api="client", tenant_id=client.tenant, user_id=stored_id)
            yield from loading.rows([row])

    begin = partial(Loading, api="client", tenant_id=client.tenant, privacy=client.privacy, drift=client.meter.drift)
    reads: DltResource = dlt.resource(own_authenticators, name="own_authenticators", selected=False)
    return [
        table_resource(tables.USER_AUTHENTICATORS, reads, begin, lambda loading, answers: loading.answers(answers[0])),
        table_resource(COMPLETE_READS, reads, begin, when),
        reads,
    ]


def claims(token: str | None) -> Mapping[str, Any]:
    """Claims of a token, unverified: Authsignal verifies it. Empty for none, and for one that is not a JWT."""
    if token is None:
        return {}
    try:
        found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return found


def user_of(token: str | None) -> str | None:
    """The user that a token is about, if it says."""
    bearer = claims(token)
    return _text(bearer.get("other", {}), "userId") or _text(bearer, "sub")


def _text(values: Any, name: str) -> str | None:
    value = values.get(name) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) and value else None
