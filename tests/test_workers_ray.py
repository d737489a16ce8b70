"""A sync with workers on Ray loads the same tables whatever dies, and leaves no key or user in what Ray keeps."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.errors import ConfigurationError, ExtraMissing, RayUnavailable, WorkerLost
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig
from tests.contents import change, loaded
from tests.helpers import COMMAND, SECRET, at, command, rows, sync_from
from tests.shared_fixtures import served
from tests.test_workers import KEY, MANY, ONE, load
from tests.workers import is_alive, wait_for

if TYPE_CHECKING:
    from tests.ray_clusters import RunningCluster

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

USERS: Final = 200
WITHIN: Final = 300.0
PRIVATE: Final = {"privacy": "pseudonymize", "privacy_key": KEY}
ON_RAY: Final[dict[str, Any]] = {"engine": "ray", "rate": "max", **PRIVATE}
ACTIONS: Final = "GET /users/{userId}/actions"
SLOW: Final = Fault(route=ACTIONS, kind="delay", seconds=0.1, times=None)
HANGING: Final = Fault(route=ACTIONS, kind="delay", seconds=20, times=None)
IN_STORE, IN_LOG = b"a canary in the object store", b"a canary in a log"


@pytest.fixture
def running() -> Iterator[RunningSandbox]:
    with served(SandboxConfig(seed=1, users=USERS)) as running:
        yield running


@pytest.mark.deep
def test_ray_workers_load_the_tables_of_one_process_whatever_dies_and_leave_no_key_or_user_in_ray(
    running: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cluster for all of it, because it takes longer to start than to sync: the head, which reads nothing, and two
    machines with one CPU each."""
    from tests.ray_clusters import cluster_of, files_have

    store = running.sandbox.store
    users = [user.user_id for user in store.users()][::40]
    people = [user.email for user in store.users() if user.email][::40]
    secret = [SECRET, KEY, basic_auth(SECRET).removeprefix("Basic ")]
    wanted = [text.encode() for text in (*secret, *users, *people)]
    with cluster_of(0, 1, 1) as cluster:
        folder = cluster.folder
        _load_the_same(running, cluster)
        _look_into_memory(cluster, wanted)
        _refuse_other_clusters_and_versions(running, monkeypatch)
        _lose_workers_and_a_machine(running, cluster)
        cluster.lose(1)
        monkeypatch.setattr("dlt_authsignal.source.workers.on_ray.engine.STARTS_WITHIN", 3.0)
        with pytest.raises(RayUnavailable, match=r"the cluster has 0, 0 of them free.*Nothing was loaded"):
            load(running, MANY, 2, **ON_RAY)
    wait_for(lambda: IN_LOG in files_have(folder, IN_LOG))
    assert files_have(folder, IN_LOG, *wanted) == {IN_LOG}


def _load_the_same(running: RunningSandbox, cluster: "RunningCluster") -> None:
    """A first sync with more workers than CPUs, and one after changes."""
    for workers in (3, 2):
        one = load(running, ONE, 1, rate="max", **PRIVATE)
        many = load(running, "same", workers, **ON_RAY, ray_address=cluster.address)
        assert loaded("same.duckdb") == loaded(f"{ONE}.duckdb")
        assert many.users_read == one.users_read > 0
        wait_for(lambda: not cluster.workers(), WITHIN)
        change(running)
    assert one.tables["users"].deleted == 1


def _look_into_memory(cluster: "RunningCluster", wanted: list[bytes]) -> None:
    """Ray's processes keep what is put into the object store, and nothing of the syncs."""
    import ray

    from tests.ray_clusters import memory_has

    kept = ray.put(IN_STORE * 10_000)

    def say(text: bytes) -> int:  # in a function, so Ray sends it and does not import this module
        return os.write(1, text)

    ray.get(ray.remote(say).remote(IN_LOG))
    found = set().union(*(memory_has(pid, IN_STORE, *wanted) for pid in cluster.keepers))
    assert found == {IN_STORE}
    del kept


def _refuse_other_clusters_and_versions(running: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"already connected to Ray at .*Nothing was loaded"):
        load(running, MANY, 2, **ON_RAY, ray_address="192.0.2.1:6379")
    with monkeypatch.context() as patched:
        patched.setattr("dlt_authsignal.source.workers.on_ray.engine.version", lambda _: "9.9.9")
        with pytest.raises(ConfigurationError, match=r"same version .*9\.9\.9.*Nothing was loaded"):
            load(running, MANY, 2, **ON_RAY)
    assert _is_empty()


def _lose_workers_and_a_machine(running: RunningSandbox, cluster: "RunningCluster") -> None:
    """What a killed worker or machine was reading is read again. If workers die again and again, nothing is loaded."""
    left = len(list(running.sandbox.store.users()))
    running.faults.add(SLOW)
    with _meanwhile(running, lambda _: _kill(cluster.workers()[:1])):
        assert load(running, "killed", 2, **ON_RAY).users_read == left
    with _meanwhile(running, lambda _: cluster.lose(2)):
        assert load(running, "lost", 2, **ON_RAY).users_read == left
    with (
        _meanwhile(running, lambda ended: _kill_all(cluster, ended)),
        pytest.raises(WorkerLost, match=r"worker ended unexpectedly.*Nothing was loaded"),
    ):
        load(running, MANY, 2, **ON_RAY)
    assert _is_empty()
    wait_for(lambda: not cluster.workers(), WITHIN)
    running.faults.clear()
    load(running, "alone", 1, rate="max", **PRIVATE)
    for name in ("killed", "lost"):
        assert loaded(f"{name}.duckdb") == loaded("alone.duckdb")


@pytest.mark.deep
@pytest.mark.parametrize(
    "number", [None, pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM, signal.SIGKILL]
)
def test_a_ray_that_was_started_for_a_sync_ends_with_it(
    running: RunningSandbox, workdir: Path, number: signal.Signals | None
) -> None:
    from tests.ray_clusters import children_of

    if number:
        running.faults.add(HANGING)
    with open(workdir / "said", "wb") as said:
        process = subprocess.Popen(
            [COMMAND, "sync", "--engine", "ray", "--workers", "2", "--rate", "max"],
            env={**os.environ, **at(running)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    ray: list[int] = []
    try:
        wait_for(lambda: running.sandbox.log.by_route[ACTIONS] > 1, WITHIN)
        for child in children_of(process.pid):
            ray += [child, *children_of(child)]
        if number:
            os.killpg(process.pid, number)  # as a terminal does it
        code = process.wait(WITHIN)
    finally:
        process.kill()
    words = (workdir / "said").read_text()
    assert code == {None: 0, signal.SIGKILL: -9}.get(number, 1), words
    assert len(ray) > 3
    wait_for(lambda: not any(map(is_alive, ray)), WITHIN)
    assert "Traceback" not in words
    assert (f"{USERS} users read" in words) == (number is None)


@pytest.mark.deep
def test_an_address_where_something_else_listens_is_reported(
    running: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_gcs_rpc_server_connect_timeout_s", "RAY_py_gcs_connect_timeout_s"):
        monkeypatch.setenv(name, "3")  # how long Ray's own check tries, half a minute by default
    address = running.url.partition("//")[2].partition("/")[0]
    with pytest.raises(RayUnavailable, match=r"is not Ray.*Nothing was loaded"):
        load(running, MANY, 2, **ON_RAY, ray_address=address)


def test_an_address_where_nothing_listens_is_reported_at_once(seeded: RunningSandbox) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        began = time.monotonic()
        with pytest.raises(RayUnavailable, match=r"cannot be reached.*Nothing was loaded.*ray status"):
            load(seeded, MANY, 2, **ON_RAY, ray_address=f"127.0.0.1:{taken.getsockname()[1]}")
        assert time.monotonic() - began < 100


def test_without_the_package_the_error_names_the_extra(seeded: RunningSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ExtraMissing, match=r"pip install '.*\[ray\]'"):
        load(seeded, MANY, 2, **ON_RAY)


def test_an_address_without_the_engine_or_of_another_form_is_refused(seeded: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match="ray_address needs engine"):
        sync_from(seeded, ray_address="ray-head:6379")
    with pytest.raises(ConfigurationError, match=r'HOST:PORT.*not "ray-head:port"'):
        sync_from(seeded, engine="ray", workers=2, ray_address="ray-head:port")
    with pytest.raises(ConfigurationError, match=r"cannot use Ray Client.*Nothing was loaded"):
        sync_from(seeded, engine="ray", workers=2, ray_address="ray://ray-head:10001")
    assert command("sync", "--engine", "spark").returncode == 2


@contextmanager
def _meanwhile(running: RunningSandbox, act: Callable[[threading.Event], None]) -> Iterator[None]:
    """Call `act` once, when workers have begun to read actions. Its event is set when the block ends."""
    running.sandbox.log.clear()
    done, ended = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            wait_for(lambda: running.sandbox.log.by_route[ACTIONS] >= 10, WITHIN)
            act(ended)
            done.set()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(WITHIN)
    assert not failed, failed
    assert done.is_set()


def _kill(workers: list[int]) -> None:
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


def _kill_all(cluster: "RunningCluster", ended: threading.Event) -> None:
    """Kill all workers, and those that replace them."""
    while not ended.wait(0.05):
        for pid in cluster.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _is_empty() -> bool:
    return not Path(f"{MANY}.duckdb").exists() or not rows(
        "select 1 from information_schema.tables where table_name = 'users'", f"{MANY}.duckdb"
    )
