"""Build the sdist, and the wheel from it, and check both. `make package` runs it."""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for both files")
    folder = arguments.parse_args().output
    for old in folder.glob("dlt_authsignal-*"):
        old.unlink()
    _run("build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    built = sorted(str(path) for path in folder.glob("dlt_authsignal-*"))
    _run("twine", "check", "--strict", *built)
    _run("check_wheel_contents", *(path for path in built if path.endswith(".whl")))


def _run(module: str, *arguments: str) -> None:
    """Run a tool of this environment; its failure ends the build."""
    command = [sys.executable, "-m", module, *arguments]
    if subprocess.run(command, timeout=300, check=False).returncode:  # noqa: S603 - a tool with our arguments
        sys.exit(f"No package to publish: correct what {module} reported above.")


if __name__ == "__main__":
    main()
