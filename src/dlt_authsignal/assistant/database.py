"""Queries on the DuckDB file of a pipeline. The file is open only during a query, so that a sync can run."""

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any, Final

from dlt_authsignal.errors import ConfigurationError, QueryRefused, RunFailed

AT_ONCE: Final = 2
KEPT_ENVIRONMENT: Final = ("PATH", "PYTHONPATH", "SYSTEMROOT", "TMPDIR", "TEMP", "LD_LIBRARY_PATH", "LANG")
"""The only environment variables that the query process gets: others may contain keys."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Location of the data, and what may be shown of it.

    Attributes:
        path: The DuckDB file.
        dataset: Schema in the file.
        allow_identifiers: Whether personal identifiers are shown unmasked.
        seconds: Time limit of one query.
        key: Random key of the masks. With it, equal values have equal masks, and masks cannot be guessed from values.
    """

    path: Path
    dataset: str
    allow_identifiers: bool = False
    seconds: float = 20
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE), repr=False, compare=False)

    def query(self, sql: str, limit: int) -> dict[str, Any]:
        """Return the columns and up to `limit` rows of one SELECT. `more` is true if there are further rows.

        Raises:
            QueryRefused: It is not a SELECT, reads tables that are not visible, or DuckDB reports an error in it.
            RunFailed: The query took too long or too much memory.
        """
        return self._ask(ask="query", sql=sql, limit=limit)

    def overview(self) -> dict[str, Any]:
        """Return rows, columns and age of each table, and the last syncs and loads."""
        return self._ask(ask="overview")

    def request(self, **question: Any) -> dict[str, Any]:
        """Return the request for the worker process."""
        return {
            "database": str(self.path),
            "dataset": self.dataset,
            "key": self.key,
            "allow_identifiers": self.allow_identifiers,
            **question,
        }

    def _ask(self, **question: Any) -> dict[str, Any]:
        if not self.path.exists():
            raise ConfigurationError(f"{self.path.name} does not exist. Run first: dlt-authsignal sync")
        try:
            with self._slots:
                done = subprocess.run(
                    [sys.executable, "-m", "dlt_authsignal.assistant.worker"],
                    input=json.dumps(self.request(**question)),
                    capture_output=True,
                    encoding="utf-8",
                    timeout=self.seconds,
                    check=False,
                    env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
                )
        except subprocess.TimeoutExpired:
            raise RunFailed(
                f"The query was stopped after {self.seconds:g} s. Simplify it: fewer rows, no cross join."
            ) from None
        if done.returncode:
            raise RunFailed(
                "DuckDB ended during the query, most likely because it ran out of memory. Select fewer rows or columns."
            )
        answer: dict[str, Any] = json.loads(done.stdout)
        if reason := answer.get("refused") or answer.get("failed"):
            raise _explained(str(reason))
        return answer


def _explained(reason: str) -> QueryRefused | RunFailed:
    if "Could not set lock on file" in reason:
        return RunFailed("A sync is writing to the database. Repeat the query when the sync has ended.")
    if reason.startswith("Out of Memory"):
        return RunFailed("The query needs too much memory. Select fewer rows or columns.")
    return QueryRefused(reason)


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
