"""The DuckDB file that a pipeline loads, and questions to it. It is open only while one is answered: a sync can run."""

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
"""All that the process answering a question gets of ours: keys may stand in the rest."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the data is, and what of it may be seen.

    Attributes:
        path: The DuckDB file.
        dataset: Schema in it.
        allow_identifiers: Whether people may be seen.
        seconds: Time limit of one question.
        key: Key of the masks: equal values are equal as long as it lives, and nobody can guess one from its hash.
    """

    path: Path
    dataset: str
    allow_identifiers: bool = False
    seconds: float = 20
    key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _slots: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(AT_ONCE), repr=False, compare=False)

    def query(self, sql: str, limit: int) -> dict[str, Any]:
        """Columns and up to `limit` rows of one SELECT; `more` says whether there would have been others.

        Raises:
            QueryRefused: It is no SELECT, reads what was not shown, or DuckDB finds it wrong.
            RunFailed: It took too long or too much memory.
        """
        return self._ask(ask="query", sql=sql, limit=limit)

    def overview(self) -> dict[str, Any]:
        """Rows, columns and age of each table, and the last syncs and loads."""
        return self._ask(ask="overview")

    def request(self, **question: Any) -> dict[str, Any]:
        """What the worker is told."""
        return {
            "database": str(self.path),
            "dataset": self.dataset,
            "key": self.key,
            "allow_identifiers": self.allow_identifiers,
            **question,
        }

    def _ask(self, **question: Any) -> dict[str, Any]:
        if not self.path.exists():
            raise ConfigurationError(f"{self.path.name} is not there. Run a sync first: dlt-authsignal sync")
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
            raise RunFailed(f"Stopped after {self.seconds:g} s. Ask for less: fewer rows, no cross join.") from None
        if done.returncode:
            raise RunFailed("DuckDB gave up on the query, most likely for want of memory. Ask for less.")
        answer: dict[str, Any] = json.loads(done.stdout)
        if reason := answer.get("refused") or answer.get("failed"):
            raise _explained(str(reason))
        return answer


def _explained(reason: str) -> QueryRefused | RunFailed:
    if "Could not set lock on file" in reason:
        return RunFailed("A sync is writing to the database just now. Ask again when it is done.")
    if reason.startswith("Out of Memory"):
        return RunFailed("The query needs too much memory. Ask for less.")
    return QueryRefused(reason)


def locate(pipeline_name: str, dataset: str | None) -> tuple[Path, str]:
    """File and dataset of a pipeline, as dlt remembers them.

    Raises:
        ConfigurationError: The pipeline never ran on this machine, or loads into something else than DuckDB.
    """
    import dlt
    from dlt.common.pipeline import get_dlt_pipelines_dir

    from dlt_authsignal.destination.errors import translate_errors

    if not (Path(get_dlt_pipelines_dir()) / pipeline_name).is_dir():  # dlt would begin one
        raise ConfigurationError(
            f'Pipeline "{pipeline_name}" has not run on this machine. Run a sync first: dlt-authsignal sync'
        )
    with translate_errors("duckdb"):
        pipeline = dlt.attach(pipeline_name)
        kind = pipeline.destination.destination_name if pipeline.destination else "nothing"
        if pipeline.destination is None or not pipeline.destination.destination_type.endswith(".duckdb"):
            raise ConfigurationError(
                f'Pipeline "{pipeline_name}" loads into {kind}. Questions can be asked of a DuckDB file only.'
            )
        client = pipeline.sql_client()
        found = dataset or client.dataset_name
        return Path(client.credentials.database).resolve(), found
