"""Turn envelopes into Arrow tables whose rows are typed and protected as in the destination."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dlt_authsignal.schema.event_tables import EVENT_TABLES
from dlt_authsignal.source.events.envelopes import split
from dlt_authsignal.source.metrics.schema_drift import Drift
from dlt_authsignal.source.privacy.policy import Privacy
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.flatten import Answers

API = "webhook"


class EventShaper:
    """Builds the rows of events. It keeps track of the columns that unknown fields got, so use one per process.

    What it stores of a text depends on the field and the text alone: never on earlier events. Any number of receivers,
    restarts and replays store the same.

    Args:
        privacy: Rules that protect identifiers.
        tenant_id: Tenant id for events whose envelope does not contain one.
        drift: Collects the schema drift.
    """

    def __init__(self, privacy: Privacy, *, tenant_id: str | None = None, drift: Drift | None = None) -> None:
        self._privacy = privacy
        self._tenant_id = tenant_id
        self._drift = Drift() if drift is None else drift
        self._shapers: dict[str, Shaper] = {}

    def __call__(self, envelopes: Sequence[Any], received_at: datetime) -> dict[str, Any]:
        """Return an Arrow table for each table that the events belong to.

        Args:
            envelopes: Decoded envelopes, of any types.
            received_at: When they were received, with a time zone. It becomes `_read_at`.

        Raises:
            ConfigurationError: A user id is an e-mail address or a phone number, and there is no privacy key.
        """
        return {
            table: self._shaper(table)(
                Answers(
                    items=list(found.payloads),
                    requests=list(range(len(found.payloads))),
                    read_at=[received_at] * len(found.payloads),
                    keys=_without_gaps(found.keys),
                )
            )
            for table, found in split(envelopes).items()
        }

    def _shaper(self, table: str) -> Shaper:
        if table not in self._shapers:
            self._shapers[table] = Shaper(
                EVENT_TABLES[table],
                api=API,
                tenant_id=self._tenant_id,
                privacy=self._privacy,
                drift=self._drift.of(table),
            )
        return self._shapers[table]


def _without_gaps(keys: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Leave out columns without any value, such as the tenant's if no envelope names it."""
    return {name: values for name, values in keys.items() if any(value is not None for value in values)}
