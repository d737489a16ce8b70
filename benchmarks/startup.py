"""Start-up: what people wait for before anything happens, beside an empty Python and beside importing dlt."""

import subprocess
import sys
import time
from pathlib import Path

RUNS = 7
COMMAND = str(Path(sys.executable).with_name("dlt-authsignal"))
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import dlt_authsignal": [sys.executable, "-c", "import dlt_authsignal"],
    "dlt-authsignal --help": [COMMAND, "--help"],
    "import dlt": [sys.executable, "-c", "import dlt"],
}


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    best = {name: min(seconds(command) for _ in range(RUNS)) for name, command in CASES.items()}
    base = best["python -c pass"]
    print(f"start-up, best of {RUNS}")
    for name, value in best.items():
        print(f"  {name:<24}{value:6.3f} s   {value / base:5.1f} x an empty Python")


if __name__ == "__main__":
    main()
