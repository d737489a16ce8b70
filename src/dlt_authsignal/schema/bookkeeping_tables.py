"""When a table, or one user's part of it, was read completely where `user_reads` does not say it."""

from datetime import datetime
from typing import Any, Final

from dlt_authsignal.schema.columns import Table, own

COMPLETE_READS: Final = Table(
    name="complete_reads",
    lanes=("server", "client"),
    key=("table_name", "user_id"),
    meaning="One row per table that is read at once, and per user whose authenticators were read with their own token:"
    " when that was. What a later read did not show is marked as deleted.",
    source="nothing: the pipeline writes it itself",
    columns=(
        own("table_name", "text", "The table."),
        own("user_id", "text", "Whose part of it; `*` for all of it.", "user_id"),
        own("read_at", "timestamp", "When it was read."),
    ),
)

EVERYBODY: Final = "*"


def complete(
    table: str, read_at: datetime, *, lane: str, tenant_id: str | None, user_id: str = EVERYBODY
) -> dict[str, Any]:
    """The row that says so."""
    provenance = {"tenant_id": tenant_id, "_lane": lane, "_read_at": read_at}
    return {"table_name": table, "user_id": user_id, "read_at": read_at, **provenance}
