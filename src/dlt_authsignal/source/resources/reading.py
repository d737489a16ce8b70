"""Read the due users, in this process or in workers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from anyio.streams.memory import MemoryObjectSendStream
from yarl import URL

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.destination.running import running_pipeline
from dlt_authsignal.destination.tombstones import active_tombstones
from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables.bookkeeping import USER_READS
from dlt_authsignal.source.async_batches import batches
from dlt_authsignal.source.http.client import connect
from dlt_authsignal.source.http.rate.rate_limiter import RateLimiter
from dlt_authsignal.source.incremental.plan import Plan
from dlt_authsignal.source.incremental.read_users import read_users
from dlt_authsignal.source.incremental.state.known_reads import known_ids, with_data
from dlt_authsignal.source.incremental.user_read import UserRead
from dlt_authsignal.source.incremental.user_rows import ANSWERS
from dlt_authsignal.source.metrics.run_metrics import RunMetrics
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.shards.round import Round
from dlt_authsignal.source.tenant.check import Evidence
from dlt_authsignal.source.user_ids import KNOWN
from dlt_authsignal.source.workers.agreement import Decisions
from dlt_authsignal.source.workers.choice import USERS_WORTH_WORKERS, chosen_workers
from dlt_authsignal.source.workers.common import Common
from dlt_authsignal.source.workers.messages import Job
from dlt_authsignal.source.workers.on_ray.engine import OnRay
from dlt_authsignal.source.workers.processes import Processes
from dlt_authsignal.source.workers.spread import Found, Workers

USERS_PER_BATCH: Final = 500


class Begun(Protocol):
    """What `found_users` needs to know about a table that it fills."""

    @property
    def as_rows(self) -> bool:
        """Return whether it is filled with rows, instead of Arrow tables."""

    @property
    def stored(self) -> Mapping[str, str]:
        """Return the types of the columns in the destination."""

    @property
    def shaper(self) -> Any:
        """Return the shaper of its rows."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """Connection to the Server API.

    Attributes:
        base: Base URL.
        api_secret_key: The tenant's Server API secret key.
        tenant_id: Stored in each row; the Server API does not return the tenant.
        privacy: Privacy settings.
        throttle: Rate limiter of the key, shared by all resources.
        meter: Counters of the run.
        evidence: What identifies the tenant.
        workers: Processes that read users; None to choose by rate and cores.
        engine: What runs them: `processes` or `ray`.
        ray_address: Address of the Ray cluster.
        shards: Shards to load, instead of reading users.
    """

    base: URL
    api_secret_key: str
    tenant_id: str | None
    privacy: Privacy
    throttle: RateLimiter
    meter: RunMetrics
    evidence: Evidence
    workers: int | None = None
    engine: str = "processes"
    ray_address: str | None = None
    shards: Round | None = None

    @property
    def auth(self) -> dict[str, str]:
        return {"server": basic_auth(self.api_secret_key)}


def informed(plan: Plan) -> Plan:
    """Return the plan with what the dataset says: the erased users, and for `known` the users of earlier runs."""
    user_ids = replace(plan.user_ids, erased=active_tombstones())
    if KNOWN not in user_ids.sources:
        return replace(plan, user_ids=user_ids)
    pipeline = running_pipeline()
    user_ids = replace(user_ids, known=lambda: map(plan.privacy.asked_id, known_ids(pipeline)))
    return replace(plan, user_ids=user_ids, had_data=with_data(pipeline).__contains__)


def found_users(server: Server, plan: Plan, begin: Callable[[Table], Begun]) -> Iterator[Found]:
    """Yield the users that this process reads, or the results of the workers."""
    workers = _workers(server, plan, begin)
    if workers is None:
        yield from batches(partial(_sweep, server, plan), size=USERS_PER_BATCH)
        return
    for found in batches(partial(_spread, server, plan, workers), size=1, linger=0.0):
        yield from found


def _workers(server: Server, plan: Plan, begin: Callable[[Table], Begun]) -> Workers | None:
    """Return the workers; None if this process reads alone.

    It reads alone if requests or time are limited, which one process has to watch, or if a table is loaded as rows."""
    pace, read = server.throttle.pace, [table for table in (*ANSWERS, USER_READS) if table.name in plan.tables]
    number = chosen_workers(server.workers, pace.rate, pace.concurrency)
    is_alone = number == 1 and not (server.engine == "ray" and server.workers)
    if is_alone or plan.budget.is_limited:
        return None
    loadings = {table.name: begin(table) for table in read}
    if any(loading.as_rows for loading in loadings.values()):
        return None
    shapers = {name: loading.shaper for name, loading in loadings.items()}
    return Workers(
        engine=OnRay(server.ray_address) if server.engine == "ray" else Processes(),
        number=number,
        job=Job(
            base=str(server.base),
            api_secret_key=server.api_secret_key,
            tenant_id=server.tenant_id,
            limits=pace,
            privacy=server.privacy,
            tables=plan.tables,
            stored={name: dict(loading.stored) for name, loading in loadings.items()},
            hashed={name: shaper.places.remembered for name, shaper in shapers.items()},
            details=bytes(plan.reads.details) if plan.reads is not None else b"",
        ),
        common=Common(throttle=server.throttle, meter=server.meter, decisions=Decisions(shapers)),
        least=USERS_WORTH_WORKERS if server.workers is None else 0,
        batch=USERS_PER_BATCH,
    )


async def _spread(server: Server, plan: Plan, workers: Workers, out: MemoryObjectSendStream[Found]) -> None:
    async with connect(server.base, server.auth, server.throttle, server.meter) as api:
        await workers.read(api, plan, server.meter, out)


async def _sweep(server: Server, plan: Plan, out: MemoryObjectSendStream[UserRead]) -> None:
    async with connect(server.base, server.auth, server.throttle, server.meter) as api:
        await read_users(api, plan, server.throttle.pace.concurrency, server.meter, out)
