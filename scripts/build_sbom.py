"""Write the bill of materials and the list of licences of the locked dependencies. `make sbom` runs it.

The bill (CycloneDX 1.6, JSON) has each package of requirements.lock with the hashes that the lock accepts. The licences
are those that the installed packages declare.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements.lock"
BILL, LICENCES = "dlt-authsignal.cdx.json", "licences.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--output", type=Path, default=ROOT / "build" / "sbom", help="folder for both files")
    folder = arguments.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    _bill(folder / BILL)
    _licences(folder / LICENCES)
    sys.stdout.write(f"{folder / BILL}\n{folder / LICENCES}\n")


def _bill(path: Path) -> None:
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library", "--output-reproducible"]
    _run("cyclonedx_py", "requirements", str(LOCK), *options, "--of", "JSON", "--validate", "-o", str(path))
    found = json.loads(path.read_text("utf-8"))
    for component in found["components"]:
        component.pop("description", None)  # the line of the lock again
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _licences(path: Path) -> None:
    """List the packages of the lock that this system installs."""
    names = re.findall(r"^([a-z0-9._-]+)==", LOCK.read_text("utf-8"), re.MULTILINE)
    python = str(ROOT / ".venv" / "bin" / "python")
    options = ["--python", python, "--with-system", "--format", "markdown", "--output-file", str(path)]
    _run("piplicenses", *options, "--packages", *names)


def _run(module: str, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)  # noqa: S603 - a tool
    if done.returncode:
        sys.exit(f"{module} failed. {done.stderr[-2000:]}")


if __name__ == "__main__":
    main()
