"""What users that were read say for each table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from dlt_authsignal.schema.columns import Table
from dlt_authsignal.schema.tables import server as tables
from dlt_authsignal.source.incremental.state.columns import row_of
from dlt_authsignal.source.incremental.user_read import UserRead
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.flatten import Answers, Row


def _users(reads: list[UserRead]) -> Answers:
    known = [read for read in reads if read.user is not None]
    return _answers(known, [[read.user or {}] for read in known])


def _children(table: str, reads: list[UserRead]) -> Answers:
    return _answers(reads, [read.children.get(table, ()) for read in reads])


def _answers(reads: list[UserRead], items: list[Sequence[Mapping[str, Any]]], **keys: list[Any]) -> Answers:
    """Return the responses to requests for users, with the items of each."""
    return Answers(
        items=[item for each in items for item in each],
        requests=[place for place, each in enumerate(items) for _ in each],
        read_at=[read.read_at for read in reads],
        keys={**keys, "user_id": [read.candidate.user_id for read in reads]},
    )


def _details(reads: list[UserRead]) -> Answers:
    asked = [(read, action, detail) for read in reads for action, detail in read.details]
    return _answers(
        [read for read, _, _ in asked],
        [[detail] for _, _, detail in asked],
        action_code=[action["actionCode"] for _, action, _ in asked],
        idempotency_key=[action["idempotencyKey"] for _, action, _ in asked],
    )


def _unknown(reads: list[UserRead]) -> Answers:
    unknown = [read for read in reads if read.is_unknown_id]
    return _answers(
        unknown,
        [[{}] for _ in unknown],
        id_source=[read.candidate.id_source for read in unknown],
        position=[read.candidate.position for read in unknown],
    )


def remembered(reads: list[UserRead], privacy: Privacy, tenant_id: str | None) -> Iterator[Row]:
    """Yield the row of `user_reads` for each user."""
    for read in reads:
        own: Row = {"tenant_id": tenant_id, "_api": "server", "_read_at": read.read_at}
        yield row_of(privacy.stored_id(read.candidate.user_id), read.last) | own


ANSWERS: Final[Mapping[Table, Callable[[list[UserRead]], Answers]]] = {
    tables.USERS: _users,
    **{
        table: partial(_children, table.name)
        for table in (tables.USER_AUTHENTICATORS, tables.USER_ACTIONS, tables.USER_DEVICES)
    },
    tables.ACTION_DETAILS: _details,
    tables.UNKNOWN_USER_IDS: _unknown,
}
"""Return the responses for the rows of a table, by table."""
