"""Create dlt's clients of a destination once for a whole run.

`pipeline.sql_client()` resolves every setting of the destination again and opens a new connection, which takes longer
than most queries of a sync. Inside `shared_clients` each client is a copy of the first one: it has the same settings,
and for DuckDB its connection comes from the same pool.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from dlt.destinations.sql_client import SqlClientBase
from dlt.pipeline.pipeline import Pipeline

_SHARED: Final[WeakKeyDictionary[Pipeline, Any]] = WeakKeyDictionary()


@contextmanager
def shared_clients(pipeline: Pipeline) -> Iterator[None]:
    """Make `sql_client` and `job_client` reuse the destination's settings until the block ends."""
    if pipeline in _SHARED:
        yield
        return
    _SHARED[pipeline] = pipeline.destination_client()
    try:
        yield
    finally:
        del _SHARED[pipeline]


@contextmanager
def job_client(pipeline: Pipeline) -> Iterator[Any]:
    """Open dlt's job client of the pipeline's destination, with the pipeline's default schema."""
    with _job_client(pipeline) as client:
        yield client


@contextmanager
def sql_client(pipeline: Pipeline) -> Iterator[SqlClientBase[Any]]:
    """Open dlt's SQL client of the pipeline's destination, with a separate connection."""
    shared = _SHARED.get(pipeline)
    with copied(shared.sql_client) if shared is not None else pipeline.sql_client() as client:
        yield client


def _job_client(pipeline: Pipeline) -> Any:
    shared = _SHARED.get(pipeline)
    if shared is None:
        return pipeline.destination_client()
    client = copied(shared)
    if pipeline.default_schema_name:  # it may have changed since the first client was created
        client.schema = pipeline.default_schema
    if hasattr(client, "sql_client"):
        client.sql_client = copied(shared.sql_client)
    return client


def copied(held: Any) -> Any:
    """Copy an object of dlt without `copy.copy`, which looks up `__setstate__` on a connection that is not open yet.

    Sets are copied too: a client notes in one of them what it has created in its own Iceberg catalogue.
    """
    made = object.__new__(type(held))
    made.__dict__.update({name: set(value) if isinstance(value, set) else value for name, value in vars(held).items()})
    return made
