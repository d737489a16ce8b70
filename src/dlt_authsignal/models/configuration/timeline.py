"""The changes of the configuration as a timeline, each with its effects."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dlt_authsignal.models.configuration.views import Effect, FieldChange, read_changes, read_effects
from dlt_authsignal.schema.tables.bookkeeping import CONFIGURATION_READS

if TYPE_CHECKING:
    from dlt.pipeline.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class FieldValue:
    """One field of an added or changed object.

    Attributes:
        field: Column of the configuration table.
        before: Value before, as text; None if there was none.
        after: Value after, as text; None if there is none.
    """

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of one object of the configuration.

    Attributes:
        configuration: Table of the object.
        object: Key of the object.
        object_name: Name of the object.
        action_code: Action code that it belongs to; None if it belongs to none.
        change: added, changed or removed.
        seen_before: The last read that did not show the change; None if unknown.
        seen_at: The first read that did.
        fields: Its fields that were set or changed.
        effects: What differs between the windows before and after, by action code and measure.
    """

    configuration: str
    object: str
    object_name: str | None
    action_code: str | None
    change: str
    seen_before: datetime | None
    seen_at: datetime
    fields: list[FieldValue]
    effects: list[Effect]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """All known changes of the configuration.

    Attributes:
        read_at: When the configuration was last read; None if it never was.
        first_read_at: When it was first read: earlier changes are unknown.
        changes: The changes, oldest first.
    """

    read_at: datetime | None
    first_read_at: datetime | None
    changes: list[Change]


def timeline(pipeline: "Pipeline", days: int) -> Timeline:
    """Return the changes, with effects over windows of at most so many days."""
    from dlt_authsignal.destination.stores.queries import columns_of

    reads = [_utc(row[0]) for row in columns_of(pipeline, CONFIGURATION_READS.name, "read_at")]
    if not reads:
        return Timeline(read_at=None, first_read_at=None, changes=[])
    effects: dict[Any, list[Effect]] = {}
    for effect in read_effects(pipeline, days):
        effects.setdefault((effect.configuration, effect.object, effect.seen_at), []).append(effect)
    found = sorted(read_changes(pipeline), key=_of_change)
    changes = [_change(list(rows), effects) for _, rows in groupby(found, key=_of_change)]
    return Timeline(read_at=max(reads), first_read_at=min(reads), changes=changes)


def _of_change(row: FieldChange) -> tuple[datetime, str, str]:
    return _utc(row.seen_at), row.configuration, row.object


def _change(rows: list[FieldChange], effects: dict[Any, list[Effect]]) -> Change:
    kinds = {row.change for row in rows}
    kind = next(each for each in ("removed", "added", "changed") if each in kinds)
    first = rows[0]
    return Change(
        configuration=first.configuration,
        object=first.object,
        object_name=first.object_name,
        action_code=first.action_code,
        change=kind,
        seen_before=first.seen_before and _utc(first.seen_before),
        seen_at=_utc(first.seen_at),
        fields=[
            FieldValue(field=row.field, before=row.before, after=row.after)
            for row in rows
            if row.field is not None and row.change == kind
        ],
        effects=effects.get((first.configuration, first.object, first.seen_at), []),
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
