"""How much memory DuckDB may take for a merge: it would take most of the machine's, and needs little of it."""

from functools import cache
from typing import Any, Final

LIMIT: Final = "256MB"
"""Beyond it DuckDB uses files beside the database, for as long as the merge lasts."""


@cache
def limit_memory() -> None:
    """Gives every DuckDB that dlt opens in this process the limit, unless `global_config` has one."""
    from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

    resolved = DuckDbCredentials.on_resolved

    def on_resolved(credentials: Any) -> None:
        credentials.global_config = {"memory_limit": LIMIT, **(credentials.global_config or {})}
        resolved(credentials)

    DuckDbCredentials.on_resolved = on_resolved  # type: ignore[method-assign,assignment]
