"""Databases that are loaded once: one with every table, to be read only; one of a plain sync, to be copied."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlt_authsignal.api.webhooks import ACTION_LOG, envelope
from dlt_authsignal.pipeline.probe.run import probe
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.clock import iso
from dlt_authsignal.sandbox.webhooks.past_events import PastEvents
from dlt_authsignal.schema.tables.server import TABLES
from tests.demo import make_once, shared_folder
from tests.event_spools import at, deliver
from tests.event_spools import load as load_spool
from tests.helpers import SECRET, sync_from

SEEDED = SandboxConfig(users=40, days=45, seed=7)


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
        forget_settings()
        yield found
    forget_active_pipeline()
    forget_settings()


def forget_active_pipeline() -> None:
    """dlt gives a source that is made without a pipeline the last one of the process: another test's, elsewhere."""
    from dlt.common.configuration.container import Container
    from dlt.common.pipeline import PipelineContext

    Container()[PipelineContext].deactivate()


def forget_settings() -> None:
    """dlt reads the settings of a folder once: another test's would be this one's."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    if PluggableRunContext in Container():
        del Container()[PluggableRunContext]


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first worker that needs it makes, for all workers. Read it only."""
    return make_once(shared_folder(factory), name, make)


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """40 people with their events, three ids that are nobody's, and two probes.

    They are loaded once. Each worker has a copy: a process that has the file open for writing would refuse the others.
    """
    folder = tmp_path_factory.mktemp("loaded") / "copy"
    copy_project(made_once(tmp_path_factory, "loaded", load), folder)
    return Loaded(folder=folder, data_dir=folder / "dlt")


def copy_project(made: Path, folder: Path) -> None:
    """Copy a project with its database and dlt's state, which then belongs to the copy."""
    shutil.copytree(made, folder, dirs_exist_ok=True)
    for state in folder.glob("dlt/pipelines/*/state.json"):
        state.write_text(state.read_text("utf-8").replace(str(made), str(folder)), "utf-8")


def load(folder: Path) -> None:
    with (
        project(folder),
        run_in_thread(SEEDED) as running,
    ):
        people = [user.user_id for user in running.sandbox.store.users()]
        Path("ids.txt").write_text("\n".join([*people, "nobody-1", "nobody-2", "nobody-3"]))
        wanted = [name for name, table in TABLES.items() if "server" in table.apis]
        sync_from(running)
        sync_from(running, tables=wanted, users_from="ids.txt")
        key = running.sandbox.config.management_secret_key
        sync_from(running, apis=["management"], management_secret_key=key)
        load_past_events(running)
        for _ in range(2):
            probe(user_id="canary", base_url=running.url, api_secret_key=SECRET, pipeline_name="authsignal_pipeline")


def load_past_events(running: RunningSandbox) -> None:
    """Load the events of the last 30 days, an attempt with an offer, and an event of a later type."""
    past = [each.envelope for chunk in PastEvents(running.sandbox, 30) for each in chunk if each.envelope]
    user = next(iter(running.sandbox.store.users()))
    content = {"userId": user.user_id, "email": user.email, "note": f"Call {user.phone_number}"}
    unknown = envelope("session.revoked", content, id="event-of-a-later-type", time=iso(at(0)), tenant_id="t1")
    attempt = {"userId": user.user_id, "actionCode": "signIn", "idempotencyKey": "offered", "createdAt": iso(at(-9))}
    offer = {"allowedVerificationMethods": ["PASSKEY", "SMS"], "verificationMethod": "SMS"}
    chosen = envelope(
        ACTION_LOG,
        {**attempt, **offer, "state": "CHALLENGE_SUCCEEDED", "stateUpdatedAt": iso(at(-8))},
        id="event-with-an-offer",
        time=iso(at(0)),
        tenant_id="t1",
    )
    deliver([*past, chosen, unknown], at(0))
    load_spool()


def synced(running: RunningSandbox, pipeline_name: str = "authsignal_pipeline") -> None:
    """What a plain `sync_from(seeded)` leaves in the working folder, without the sync: `seeded` is the same each time.

    The requests of that sync are in no sandbox's log.
    """
    repeat(sync_once, pipeline_name)
    counts = Path(COUNTS)
    assert running.sandbox.store.counts() == json.loads(counts.read_text()), "only of `seeded`, before it changes"
    counts.unlink()


COUNTS = "counts.json"


def sync_once(pipeline_name: str) -> None:
    """That sync, and how many of each there were in the tenant."""
    with run_in_thread(SEEDED) as running:
        sync_from(running, pipeline_name=pipeline_name)
        Path(COUNTS).write_text(json.dumps(running.sandbox.store.counts()))


def share_in(folder: Path) -> None:
    """Say which folder all workers of this run of the tests share."""
    _shared.append(folder)


_shared: list[Path] = []


def repeat(make: Callable[..., None], *arguments: str) -> None:
    """Leave in the working folder what `make` leaves in an empty one. It runs once, for all workers."""
    assert os.environ["DLT_DATA_DIR"] == str(Path.cwd() / "dlt")

    def fill(folder: Path) -> None:
        with project(folder):
            make(*arguments)

    name = "-".join([f"{make.__module__}.{make.__qualname__}", *arguments])
    copy_project(make_once(_shared[-1], name, fill), Path.cwd())
