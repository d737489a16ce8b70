"""Resources of the Client API: data of the user of a short-lived token."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from anyio.streams.memory import MemoryObjectSendStream
from dlt.extract import DltResource
from yarl import URL

from dlt_authsignal.api.client_endpoints import CLIENT_AUTHENTICATORS
from dlt_authsignal.api.endpoints import Endpoint, bearer_auth
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.tombstones import Tombstones, active_tombstones
from dlt_authsignal.errors import CredentialsMissing
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.schema.tables.bookkeeping import TABLE_READS, complete
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.resources.identity import identity_resource
from dlt_authsignal.source.resources.table_resource import Loading, parent_resource, selected_tables, table_resource
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.tenant.check import Evidence, check_tenant


@dataclass(frozen=True, kw_only=True)
class Client:
    """Connection to the Client API.

    Attributes:
        base: Base URL.
        token: Short-lived token from the Server API's track call; None if only the tenant is known.
        tenant_id: Authenticates calls without a user; stored in each row if the token contains no tenant.
        throttle: Rate limiter of the key, shared by all resources.
        meter: Counters of the run.
        privacy: Privacy settings.
    """

    base: URL
    token: str | None
    tenant_id: str | None
    throttle: RateLimiter
    meter: RunMetrics
    privacy: Privacy = Privacy()  # noqa: RUF009

    @property
    def user_id(self) -> str | None:
        """Return the user of the token, if it contains one."""
        return user_of(self.token)

    @property
    def tenant(self) -> str | None:
        """Return the tenant of the token, or else of the settings."""
        return tenant_of(self.token) or self.tenant_id

    def bearer(self, endpoint: Endpoint) -> str:
        """Return the `Authorization` value of the token.

        Raises:
            CredentialsMissing: There is no token.
        """
        if self.token is None:
            raise CredentialsMissing(f"{endpoint}, which needs a token from your backend (track call)")
        return bearer_auth(self.token)


def client_resources(client: Client, evidence: Evidence) -> list[DltResource]:
    """Return the read resources. A missing token fails only when they are read, since sign-in calls need none."""

    async def read(erased: Tombstones, out: MemoryObjectSendStream[Answers]) -> None:
        user_id, read_at = client.user_id, datetime.now(UTC)
        auth = {"bearer": client.bearer(CLIENT_AUTHENTICATORS)}
        async with connect(client.base, auth, client.throttle, client.meter) as api:
            found = await api.get(CLIENT_AUTHENTICATORS, list)
        items = [item for item in found if _text(item, "userId") not in erased]  # not every token contains its user
        keys = {"user_id": [user_id]} if user_id else {}
        await out.send(Answers(items=items, requests=[0] * len(items), read_at=[read_at], keys=keys))

    def own_authenticators() -> Iterator[list[Answers]]:
        client.bearer(CLIENT_AUTHENTICATORS)
        check_tenant(running_pipeline(), evidence)
        erased = active_tombstones()
        erased.refuse(client.user_id)
        yield []
        if tables.USER_AUTHENTICATORS.name in selected_tables():  # or a read would mark rows that it does not load
            yield from batches(partial(read, erased), size=1)

    def when(loading: Loading, answers: list[Answers]) -> Iterator[Any]:
        name, user_id, (read_at,) = tables.USER_AUTHENTICATORS.name, client.user_id, answers[0].read_at
        if user_id:
            stored_id = client.privacy.stored_id(user_id)
            row = complete(name, read_at, api="client", tenant_id=client.tenant, user_id=stored_id)
            yield from loading.rows([row])

    begin = partial(Loading, api="client", tenant_id=client.tenant, privacy=client.privacy, drift=client.meter.drift)
    reads = parent_resource("own_authenticators", own_authenticators)
    return [
        table_resource(tables.USER_AUTHENTICATORS, reads, begin, lambda loading, answers: loading.answers(answers[0])),
        table_resource(TABLE_READS, reads, begin, when),
        identity_resource(evidence),
        reads,
    ]


def claims(token: str | None) -> Mapping[str, Any]:
    """Return the unverified claims of a token (Authsignal verifies it); empty if it is missing or not a JWT."""
    if token is None:
        return {}
    import jwt  # slow to import, and most syncs have no token

    try:
        found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return {}
    return found


def user_of(token: str | None) -> str | None:
    """Return the user of a token, if it contains one."""
    bearer = claims(token)
    return _text(bearer.get("other", {}), "userId") or _text(bearer, "sub")


def tenant_of(token: str | None) -> str | None:
    """Return the tenant of a token, if it contains one."""
    return _text(claims(token).get("other", {}), "tenantId")


def _text(values: Any, name: str) -> str | None:
    value = values.get(name) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) and value else None
