"""A DuckDB file that holds every table, loaded once from a sandbox, for tests that only read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """40 people, three ids that are nobody's, and two probes."""
    with (
        project(tmp_path_factory.mktemp("loaded")) as found,
        run_in_thread(SandboxConfig(users=40, days=45, seed=7)) as running,
    ):
        people = [user.user_id for user in running.sandbox.store.users()]
        Path("ids.txt").write_text("\n".join([*people, "nobody-1", "nobody-2", "nobody-3"]))
        wanted = [name for name, table in TABLES.items() if "server" in table.apis]
        sync_from(running)
        sync_from(running, tables=wanted, users_from="ids.txt")
        for _ in range(2):
            probe(user_id="canary", base_url=running.url, api_secret_key=SECRET, pipeline_name="authsignal_pipeline")
    return found
