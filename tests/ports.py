"""Ports for servers that need a number: a command, or a server that is killed and started again."""

import random
import socket
from pathlib import Path

_FIRST = 10_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port that no server has now, and that the system does not give to a program that asks for any port.

    The system gives ports of one range to outgoing connections and to servers on port 0. Between this function and the
    start of the server, and while a server is killed and started again, another process could get a port of that range.
    """
    for _ in range(100):
        port = _random.randrange(_FIRST, _end())
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"None of 100 ports from {_FIRST} to {_end()} is free.")


def _end() -> int:
    """Return the first port of the system's range: by default 32768 on Linux, 49152 on macOS and Windows."""
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 49_152
