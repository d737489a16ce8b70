"""Start-up: what people wait for before anything happens, beside an empty Python and beside importing dlt."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

RUNS = 7
COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import dlt_authsignal": [sys.executable, "-c", "import dlt_authsignal"],
    "dlt-authsignal --help": [COMMAND, "--help"],
    "import dlt": [sys.executable, "-c", "import dlt"],
    "import of a worker": [sys.executable, "-c", "import dlt_authsignal.source.workers.worker"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def until_ready(*options: str) -> tuple[float, float]:
    """Return the seconds until a sandbox has answered its first request, and its processor seconds until then."""
    started = time.perf_counter()
    command = [COMMAND, "sandbox", "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            line = run.stdout.readline() if run.stdout else b""
            with urlopen(json.loads(line)["controlUrl"], timeout=10) as answer:  # noqa: S310
                answer.read()
            passed = time.perf_counter() - started
            user, system = Path(f"/proc/{run.pid}/stat").read_text("ascii").rpartition(")")[2].split()[11:13]
        finally:
            run.send_signal(signal.SIGINT)
    return passed, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    best = {name: min(seconds(command) for _ in range(RUNS)) for name, command in CASES.items()}
    base = best["python -c pass"]
    print(f"start-up, best of {RUNS}")
    for name, value in best.items():
        print(f"  {name:<24}{value:6.3f} s   {value / base:5.1f} x an empty Python")
    for options in ("--empty", "--seed 7"):
        runs = [until_ready(*options.split()) for _ in range(RUNS)]
        passed, busy = (min(values) for values in zip(*runs, strict=True))
        name = f"sandbox {options}"
        print(f"  {name:<24}{passed:6.3f} s until its first response, {busy:.2f} s of them on a processor")


if __name__ == "__main__":
    main()
