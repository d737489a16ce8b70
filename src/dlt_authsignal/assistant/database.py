"""Queries on a masked copy of the DuckDB file of a pipeline. The file itself is open only while it is copied."""

import secrets
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Final

from dlt_authsignal.assistant.masked_copy.keep import Copy, MaskedCopies
from dlt_authsignal.assistant.process import Ended, ask, explained
from dlt_authsignal.errors import ConfigurationError, QueryRefused, RunFailed
from dlt_authsignal.project.waiting import wait_of

AT_ONCE: Final = 2
COPY_SECONDS: Final = 20
"""Seconds that a query waits for the masked copy, unless its own time limit is longer."""

_WORKER: Final = "dlt_authsignal.assistant.worker"


@dataclass(frozen=True, kw_only=True)
class Database:
    """Location of the data, and what may be shown of it.

    Attributes:
        path: The DuckDB file.
        dataset: Schema in the file.
        allow_identifiers: Whether personal identifiers are shown unmasked.
        seconds: Time limit of one query, without the time that it waits for a masked copy.
        key: Random key of the masks. With it, equal values have equal masks, and masks cannot be guessed from values.
            Only the process that makes the copy gets it.
    """

    path: Path
    dataset: str
    allow_identifiers: bool = False
    seconds: float = 20
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE), repr=False, compare=False)
    _copies: MaskedCopies = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_copies", MaskedCopies(self.path, self._order))

    def query(self, sql: str, limit: int) -> dict[str, Any]:
        """Return the columns and up to `limit` rows of one SELECT. `more` is true if there are further rows.

        Raises:
            QueryRefused: It is not a SELECT, reads tables that are not visible, or DuckDB reports an error in it.
            RunFailed: The query took too long or too much memory, or the masked copy is not complete.
        """
        copy = self._copy()
        try:
            with self._slots:
                request = self._request(copy, sql=sql, limit=limit)
                answer = ask(_WORKER, request, seconds=self.seconds, files=copy.files)
        except subprocess.TimeoutExpired:
            raise RunFailed(
                f"The query was stopped after {self.seconds:g} s. Simplify it: fewer rows, no cross join."
            ) from None
        except Ended:
            raise RunFailed(
                "DuckDB ended during the query, most likely because it ran out of memory. Select fewer rows or columns."
            ) from None
        if refused := answer.get("refused"):
            raise QueryRefused(refused)
        if failed := answer.get("failed"):
            raise explained(failed)
        return answer

    def overview(self) -> dict[str, Any]:
        """Return rows, columns and age of each table, and the last syncs and loads."""
        return self._copy().overview

    def request(self, **question: Any) -> dict[str, Any]:
        """Return the request for the worker process, which answers from the present masked copy."""
        return self._request(self._copy(), **question)

    def _request(self, copy: Copy, **question: Any) -> dict[str, Any]:
        return {"copy": copy.path, "dataset": self.dataset, **question}

    def _copy(self) -> Copy:
        if not self.path.exists():
            raise ConfigurationError(f"{self.path.name} does not exist. Run first: dlt-authsignal sync")
        return self._copies.current(max(self.seconds, COPY_SECONDS) + wait_of(self.path).seconds)

    def _order(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "key": self.key,
            "allow_identifiers": self.allow_identifiers,
            "wait": wait_of(self.path).seconds,
        }


def locate(pipeline_name: str | None, dataset: str | None) -> tuple[Path, str]:
    """Return the file and dataset of a pipeline from dlt's state.

    Raises:
        ConfigurationError: The pipeline never ran on this machine, or does not load into DuckDB.
    """
    import dlt

    from dlt_authsignal.destination.errors import translate_errors
    from dlt_authsignal.project.names import pipeline_name_or
    from dlt_authsignal.project.pipelines import check_pipeline
    from dlt_authsignal.project.working_folder import working_folder

    pipeline_name = pipeline_name_or(pipeline_name)
    where = working_folder(pipeline_name)
    if not where.path.is_dir():  # dlt would create one
        raise ConfigurationError(
            f'Pipeline "{pipeline_name}" has not run in this folder. Run first: dlt-authsignal sync'
        )
    with translate_errors("duckdb"):
        pipeline = dlt.attach(pipeline_name, pipelines_dir=str(where.parent))
        kind = pipeline.destination.destination_name if pipeline.destination else "nothing"
        if pipeline.destination is None or not pipeline.destination.destination_type.endswith(".duckdb"):
            raise ConfigurationError(
                f'Pipeline "{pipeline_name}" loads into {kind}. The MCP server can query only a DuckDB file.'
            )
        check_pipeline(pipeline)
        client = pipeline.sql_client()
        found = dataset or client.dataset_name
        return Path(client.credentials.database).resolve(), found
