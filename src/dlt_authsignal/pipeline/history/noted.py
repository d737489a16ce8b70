"""Note on this machine for which loads of a database deletes and history are up to date.

While the database has exactly these loads, nothing needs to be updated. So a run after others of this machine saves the
queries over whole tables, which warehouses charge for.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.pipeline import Pipeline

from dlt_authsignal.destination.clients import sql_client
from dlt_authsignal.destination.stores.queries import schema_of

_STATE: Final = "authsignal_history_up_to_date"


@dataclass(frozen=True)
class Loads:
    """The completed loads of a dataset.

    Attributes:
        number: How many there are. It also changes with a load of another machine whose clock is behind.
        newest: The greatest load id.
    """

    number: int
    newest: str


def loads_of(pipeline: Pipeline) -> Loads | None:
    """Return the completed loads of a database; None if there is none."""
    with sql_client(pipeline) as client:
        load_id, status = map(client.escape_column_name, ("load_id", "status"))
        table = client.make_qualified_table_name(schema_of(pipeline).loads_table_name)
        try:
            found = client.execute_sql(f"SELECT count(*), max({load_id}) FROM {table} WHERE {status} = 0")
        except DestinationUndefinedEntity:
            return None
    ((number, newest),) = found or ((0, ""),)
    return Loads(int(number), newest) if number else None


def noted(pipeline: Pipeline) -> Loads | None:
    """Return the loads for which this version of the package has updated everything; None if that is unknown."""
    try:
        found: dict[str, Any] = pipeline.get_local_state_val(_STATE)
    except KeyError:
        return None
    return Loads(found["number"], found["newest"]) if found["version"] == version("dlt-authsignal") else None


def note(pipeline: Pipeline, loads: Loads | None) -> None:
    """Note that everything is up to date for these loads."""
    if loads is not None and loads != noted(pipeline):
        pipeline.set_local_state_val(_STATE, {**asdict(loads), "version": version("dlt-authsignal")})


def note_more(pipeline: Pipeline, load_ids: Collection[str]) -> None:
    """Note that everything is still up to date after these loads of this run."""
    before = noted(pipeline)
    if before is not None and load_ids:
        note(pipeline, Loads(before.number + len(load_ids), max(before.newest, *load_ids)))
