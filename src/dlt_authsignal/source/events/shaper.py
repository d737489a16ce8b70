"""Turn envelopes into Arrow tables whose rows are typed and protected as in the destination."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dlt_authsignal.schema.tables.events import EVENT_TABLES
from dlt_authsignal.source.events.envelopes import NotAnEnvelope, Split, split
from dlt_authsignal.source.events.spool_tables import with_json_columns
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
        self._json: defaultdict[str, dict[str, str]] = defaultdict(dict)

    def __call__(self, envelopes: Sequence[Any], received_at: datetime | Sequence[datetime]) -> dict[str, Any]:
        """Return an Arrow table for each table that the events belong to.

        Args:
            envelopes: Decoded envelopes, of any types.
            received_at: When they were received, with a time zone; or one time for each of them. It becomes
                `_read_at`.

        Raises:
            ConfigurationError: A user id is an e-mail address or a phone number, and there is no privacy key.
            NotAnEnvelope: An event is nested too deeply.
        """
        times = [received_at] * len(envelopes) if isinstance(received_at, datetime) else received_at
        try:
            return {table: self._shaped(table, found) for table, found in split(envelopes, times).items()}
        except RecursionError:
            raise NotAnEnvelope("it is nested too deeply") from None

    def _shaped(self, table: str, found: Split) -> Any:
        shaper, count = self._shaper(table), len(found.payloads)
        rows = shaper(
            Answers(
                items=found.payloads,
                requests=list(range(count)),
                read_at=found.times,
                keys=_without_gaps(found.keys),
            )
        )
        self._json[table].update(shaper.new_types())
        return with_json_columns(rows, [name for name in self._json[table] if name in rows.column_names])

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
