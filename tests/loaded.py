"""A DuckDB file that holds every table, loaded once from a sandbox, for tests that only read it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from dlt_authsignal.pipeline.probe.run import probe
from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from dlt_authsignal.schema.tables import TABLES
from tests.helpers import SECRET, sync_from


@dataclass(frozen=True)
class Loaded:
    """Where it is: the folder of the project, and dlt's own."""

    folder: Path
    data_dir: Path

    @property
    def file(self) -> Path:
        return self.folder / "authsignal_pipeline.duckdb"


@contextmanager
def project(folder: Path) -> Iterator[Loaded]:
    """Works in a folder with dlt's state inside it."""
    found = Loaded(folder=folder, data_dir=folder / "dlt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(found.data_dir))
        yield found


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker that needs it makes, for all workers. Read it only."""
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / f"one-{name}", shared / f"one-{name}.done"
    with FileLock(shared / f"one-{name}.lock"):
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """40 people, three ids that are nobody's, and two probes."""
    folder = made_once(tmp_path_factory, "loaded", load)
    return Loaded(folder=folder, data_dir=folder / "dlt")


def load(folder: Path) -> None:
    with (
        project(folder),
        run_in_thread(SandboxConfig(users=40, days=45, seed=7)) as running,
    ):
        people = [user.user_id for user in running.sandbox.store.users()]
        Path("ids.txt").write_text("\n".join([*people, "nobody-1", "nobody-2", "nobody-3"]))
        wanted = [name for name, table in TABLES.items() if "server" in table.apis]
        sync_from(running)
        sync_from(running, resources=wanted, users_from="ids.txt")
        for _ in range(2):
            probe(user_id="canary", base_url=running.url, api_secret_key=SECRET, pipeline_name="authsignal_pipeline")
