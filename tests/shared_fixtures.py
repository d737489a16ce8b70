"""Shared fixtures: a real sandbox on a free port, and a folder of its own for every pipeline."""

import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests import azurite
from tests.chromium import Chromium, SharedChromium, shared_chromium
from tests.demo import NAME as DEMO
from tests.demo import begin, make_once, run_demo, shared_folder
from tests.loaded import SEEDED, forget_active_pipeline, forget_settings, share_in
from tests.loaded import loaded as loaded
from tests.warehouses import postgres_cluster, s3_server

SECRET = "sandbox-server-secret"
NODE = Path(__file__).parent / "node"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin the demo while the workers run other tests: each would wait for it."""
    factory: pytest.TempPathFactory = vars(session.config)["_tmp_path_factory"]
    share_in(shared_folder(factory))
    needed = any("demo_folder" in getattr(item, "fixturenames", ()) for item in session.items)
    if needed and os.environ.get("PYTEST_XDIST_WORKER") == "gw0":
        session.config.add_cleanup(begin(shared_folder(factory)))


@contextmanager
def served(config: SandboxConfig) -> Iterator[RunningSandbox]:
    """A sandbox that stops while the next test runs: the server waits a while for its last connections."""
    sandbox = run_in_thread(config)
    try:
        yield sandbox.__enter__()
    finally:
        threading.Thread(target=sandbox.__exit__, args=(None, None, None)).start()


@pytest.fixture
def empty() -> Iterator[RunningSandbox]:
    """An Authsignal tenant without users."""
    with served(SandboxConfig(seed=1)) as running:
        yield running


@pytest.fixture
def seeded() -> Iterator[RunningSandbox]:
    """A tenant of 40 people."""
    with served(SEEDED) as running:
        yield running


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own folder, with dlt's state where DLT_DATA_DIR says, and without credentials."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    for name in list(os.environ):
        if name.startswith(("SOURCES__", "DESTINATION__")) or name in ("TOKEN", "TENANT_ID", "API_SECRET_KEY"):
            monkeypatch.delenv(name)
    if "dlt" in sys.modules:
        forget_active_pipeline()
        forget_settings()
    return tmp_path


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `dlt-authsignal demo` has run; demo.txt holds what it printed.

    It runs once. Each worker has a copy: the dashboard writes beside the data.
    """
    made = make_once(shared_folder(tmp_path_factory), DEMO, run_demo)
    return shutil.copytree(made, tmp_path_factory.mktemp("demo") / "copy")


@pytest.fixture
def demo(demo_folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """After `make demo`, where it ran. One such folder for all tests: read it only."""
    monkeypatch.chdir(demo_folder)
    monkeypatch.delenv("DLT_DATA_DIR")  # nobody chose a place: dlt's state is in the folder
    return demo_folder


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Folder of Authsignal's JavaScript SDKs, installed as the lock file says; one test process at a time."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.fail(
            "These tests check the sandbox with Authsignal's JavaScript SDKs. Install Node 20 or newer, with npm."
        )
    lock, done = NODE / "package-lock.json", NODE / "node_modules" / ".package-lock.json"
    with FileLock(NODE / ".install.lock", timeout=120):
        if not done.exists() or done.stat().st_mtime < lock.stat().st_mtime:
            npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
            done.touch()
    return NODE / "node_modules"


@pytest.fixture(scope="session")
def chromium_process(node_modules: Path) -> Iterator[SharedChromium]:
    """The browser of this process, with Authsignal's SDKs."""
    assert node_modules.is_dir()
    with shared_chromium() as shared:
        yield shared


@pytest.fixture(scope="module")
def browser(chromium_process: SharedChromium) -> Iterator[Chromium]:
    """The browser, for pages."""
    with chromium_process.used() as process:
        yield Chromium(process)


def npm(*arguments: str) -> None:
    """Runs npm beside the tests' package.json; what went wrong fails the test."""
    tool = shutil.which("npm") or "npm"
    done = subprocess.run([tool, *arguments], cwd=NODE, capture_output=True, text=True, timeout=50, check=False)
    if done.returncode:
        pytest.fail(f"npm {' '.join(arguments)} in tests/node failed:\n{done.stderr[-2000:]}")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a PostgreSQL server of the session's own."""
    with postgres_cluster() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """URL of a new database."""
    import psycopg2

    name = f"test_{uuid.uuid4().hex[:12]}"
    connection = psycopg2.connect(f"{postgres_server}/postgres")
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    connection.close()
    return f"{postgres_server}/{name}"


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """URL of an S3 of the session's own."""
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables of an Azure Blob Storage of the session's own."""
    with FileLock(azurite.FOLDER / ".install.lock", timeout=300):
        azurite.install_azurite()
    with azurite.azurite(tmp_path_factory.mktemp("azure")) as variables:
        yield variables


@pytest.fixture
def azure_container(azure: dict[str, str]) -> tuple[dict[str, str], str]:
    """Variables of an Azure Blob Storage, and a new container in it."""
    name = f"container-{uuid.uuid4().hex[:12]}"
    azurite.make_container(azure, name)
    return azure, name


@pytest.fixture
def s3_bucket(s3_endpoint: str) -> tuple[str, str]:
    """URL of an S3, and a new bucket in it."""
    import s3fs

    name = f"bucket-{uuid.uuid4().hex[:12]}"
    keys = {"key": "testing", "secret": "testing", "endpoint_url": s3_endpoint}
    s3fs.S3FileSystem(**keys, skip_instance_cache=True).mkdir(name)
    return s3_endpoint, name
