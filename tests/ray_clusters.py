"""A Ray cluster on this machine, and what its processes and files contain."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psutil
import ray
from ray.cluster_utils import Cluster

STORE: Final = 80 * 2**20
SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    # A killed machine refuses connections, and so fails five checks within a second. A slow one has a minute for each.
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "200",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_gcs_server_port_wait_time_s": "120",
}
STARTS_WITHIN: Final = 120.0
ACTOR: Final = "ray::Reader"
_REGION: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r")
_CHUNK: Final = 2**24
_OVERLAP: Final = 1024


class RunningCluster:
    """A cluster in which this process takes part.

    Attributes:
        address: What `ray_address` is set to.
    """

    def __init__(self, *cpus: int) -> None:
        self._cluster: Any = Cluster()
        self.nodes = [
            self._cluster.add_node(
                num_cpus=number, object_store_memory=STORE, include_dashboard=False, no_monitor=True, wait=False
            )
            for number in cpus
        ]
        self._cluster.wait_for_nodes(STARTS_WITHIN)
        self.address: str = self._cluster.address

    @property
    def folder(self) -> Path:
        """Where Ray keeps its logs and what it spills."""
        return Path(self.nodes[0].get_session_dir_path())

    @property
    def keepers(self) -> list[int]:
        """The processes that keep what passes: raylets, with the object store, and the one with the cluster's state."""
        return [
            running.process.pid
            for node in self.nodes
            for name in ("raylet", "gcs_server")
            for running in node.all_processes.get(name, [])
        ]

    def workers(self, *nodes: int) -> list[int]:
        """The processes of the sync's actors, on all machines or on some."""
        some = [self.nodes[number] for number in nodes] or self.nodes
        raylets = [node.all_processes["raylet"][0].process.pid for node in some]
        return [pid for raylet in raylets for pid in children_of(raylet, ACTOR)]

    def lose(self, number: int) -> None:
        """Kill a machine's raylet, as if the machine had lost its power."""
        self._cluster.remove_node(self.nodes.pop(number), allow_graceful=False)

    def stop(self) -> None:
        """Kill all machines: a process that is asked to end is given a second, one after the other."""
        while self.nodes:
            self.lose(-1)
        self._cluster.shutdown()


@contextmanager
def cluster_of(*cpus: int) -> Iterator[RunningCluster]:
    """A cluster with one machine for each number of CPUs."""
    before = dict(os.environ)
    os.environ |= SETTINGS
    cluster = None
    try:
        cluster = RunningCluster(*cpus)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        yield cluster
    finally:
        ray.shutdown()
        if cluster:
            cluster.stop()
        os.environ.clear()
        os.environ.update(before)


def children_of(parent: int, title: str = "") -> list[int]:
    """The processes that a process has started, by the beginning of their titles."""
    found = []
    for child in psutil.Process(parent).children():
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if " ".join(child.cmdline()).startswith(title):
                found.append(child.pid)
    return found


def memory_has(pid: int, *wanted: bytes) -> set[bytes]:
    """Which of these bytes are in the memory of a process."""
    found: set[bytes] = set()
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            region = _REGION.match(line)
            if region is None or "[v" in line:
                continue
            at, end = (int(each, 16) for each in region.groups())
            while at < end:
                with suppress(OSError, ValueError, OverflowError):
                    memory.seek(at)
                    part = memory.read(min(_CHUNK, end - at))
                    found |= {each for each in wanted if each in part}
                at += _CHUNK - _OVERLAP
    return found


def files_have(folder: Path, *wanted: bytes) -> set[bytes]:
    """Which of these bytes are in the files of a folder."""
    found: set[bytes] = set()
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            said = file.read_bytes()
            found |= {each for each in wanted if each in said}
    return found
