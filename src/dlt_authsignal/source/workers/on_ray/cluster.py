"""Connect to a Ray cluster, or start Ray on this machine."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

from anyio import CancelScope, to_thread

from dlt_authsignal.errors import ConfigurationError, ExtraMissing, RayUnavailable

NAMESPACE: Final = "dlt_authsignal"
REACHED_WITHIN: Final = 10.0
CHECKED_WITHIN: Final = 60.0
PORT: Final = 6379
LOCAL: Final = "local"

_STORE: Final = 100 * 2**20
_STORE_PER_WORKER: Final = 16 * 2**20
"""Bytes in the object store of a Ray that this package starts. It has at most two results per worker, of about 2 MB."""

_SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Without it, Ray would upload the working folder, with .dlt/secrets.toml, if the sync was started with `uv run`.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}


@asynccontextmanager
async def connected(address: str | None, workers: int) -> AsyncIterator[Any]:
    """Yield the module `ray`, connected to a cluster. If this process was connected before, it stays connected;
    otherwise the connection ends with the block, and so does a Ray that was started for it.

    Args:
        address: Address of the cluster; None for that of `RAY_ADDRESS`, or for a Ray on this machine.
        workers: CPUs of a Ray on this machine.

    Raises:
        ConfigurationError: This process is connected to another cluster, or the versions of Ray or Python differ.
        ExtraMissing: The extra `ray` is not installed.
        RayUnavailable: The cluster cannot be reached.
    """
    ray = await to_thread.run_sync(_imported)
    if ray.is_initialized():
        _check_same(ray, address)
        yield ray
        return
    with CancelScope(shield=True):  # a half-made connection cannot be ended
        await to_thread.run_sync(partial(_connect, ray, address or os.environ.get("RAY_ADDRESS") or LOCAL, workers))
    try:
        yield ray
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(ray.shutdown)


def _imported() -> Any:
    try:
        with _set(_SETTINGS):
            import ray
        import cryptography  # noqa: F401
    except ImportError:
        raise ExtraMissing('engine = "ray"', "ray") from None
    return ray


def _check_same(ray: Any, address: str | None) -> None:
    if ray.util.client.ray.is_connected():
        raise _only_from_within()
    if address in (None, "auto", LOCAL):
        return
    connected_to = ray.get_runtime_context().gcs_address
    if _numeric(address) != _numeric(connected_to):
        raise ConfigurationError(
            f"This process is already connected to Ray at {connected_to}, not at {address}. Nothing was loaded. Leave"
            " ray_address out, or call ray.shutdown() first."
        )


def _only_from_within() -> ConfigurationError:
    return ConfigurationError(
        "A sync cannot use Ray Client (ray://…). Nothing was loaded. Run the sync on a machine of the cluster, with"
        f' ray_address = "HOST:{PORT}" or "auto".'
    )


def _numeric(address: str | None) -> tuple[str, int]:
    host, port = _host_and_port(address or "")
    try:
        return socket.gethostbyname(host), port
    except OSError:
        return host, port


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    try:
        return (host.strip("[]"), int(port)) if host else (port, PORT)
    except ValueError:
        raise ConfigurationError(
            f'ray_address must be HOST:PORT, such as ray-head:{PORT}, or auto, not "{address}".'
        ) from None


def _connect(ray: Any, address: str, workers: int) -> None:
    arguments: dict[str, Any] = {
        "address": address,
        "namespace": NAMESPACE,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    if address.startswith("ray://"):
        raise _only_from_within()
    if address == LOCAL:
        store = _STORE + workers * _STORE_PER_WORKER
        arguments |= {"num_cpus": workers, "include_dashboard": False, "object_store_memory": store}
    else:
        _check_reachable(address)
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        with _set(_SETTINGS), _same_handler(signal.SIGTERM):
            ray.init(**arguments)
    except (Exception, SystemExit) as error:
        fault = _fault(error, address)
    else:
        return
    raise fault


def _fault(error: BaseException, address: str) -> ConfigurationError | RayUnavailable:
    """Return the error of a connection that failed. Ray's own messages quote no settings of this package."""
    if "ersion mismatch" in str(error):
        return ConfigurationError(
            f"Ray at {address} runs a different version of Ray or Python than this machine. Nothing was loaded. Ray"
            f" says: {error}"
        )
    what = "Ray could not be started on this machine" if address == LOCAL else f"No connection to Ray at {address}"
    first = str(error).strip().partition("\n")[0]
    return RayUnavailable(
        f"{what} ({type(error).__name__}: {first}). Nothing was loaded. Check it: ray status --address {address}"
        if address != LOCAL
        else f"{what} ({type(error).__name__}: {first}). Nothing was loaded. Use processes instead: --engine processes."
    )


def _check_reachable(address: str) -> None:
    """Check an address in bounded time: Ray itself tries for minutes, and then ends the process.

    Raises:
        RayUnavailable: Nothing listens there, or it is not Ray.
    """
    if address == "auto":
        return
    reason = _fault_of(*_host_and_port(address))
    if reason:
        raise RayUnavailable(
            f"Ray cannot be reached at {address}: {reason}. Nothing was loaded. Check the address, and check"
            f" that the cluster runs: ray status --address {address}"
        )


def _fault_of(host: str, port: int) -> str:
    """Return why there is no Ray at an address; empty if there is."""
    try:
        socket.create_connection((host, port), REACHED_WITHIN).close()
    except OSError as error:
        return error.strerror or str(error)
    check = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--skip-version-check"]
    check += ["--address", f"{host}:{port}"]
    try:
        subprocess.run(check, check=True, capture_output=True, timeout=CHECKED_WITHIN)  # noqa: S603
    except subprocess.SubprocessError:
        return "the server there is not Ray, or it refuses the token"
    return ""


@contextmanager
def _same_handler(number: int) -> Iterator[None]:
    """Restore the handler of a signal after the block. Ray installs a handler in C, which ends the process with a stack
    trace. `signal.signal` would replace Ray's handler, but works only in the main thread."""
    api = ctypes.pythonapi
    api.PyOS_getsig.argtypes, api.PyOS_getsig.restype = [ctypes.c_int], ctypes.c_void_p
    api.PyOS_setsig.argtypes, api.PyOS_setsig.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
    handler = api.PyOS_getsig(number)
    try:
        yield
    finally:
        api.PyOS_setsig(number, handler)


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the block, except those that are already set."""
    new = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)
