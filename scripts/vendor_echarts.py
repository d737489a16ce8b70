"""Fetch the chart library of the pages with npm, and check that it is the pinned one.

With `--check`, compare the files in the package with those of npm, and change nothing.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VERSION: Final = "6.1.0"
INTEGRITY: Final = "q0yaFPggC9FUdsWH4blavRWFmxdrIodbkoKNAjJudAI6CA9gNPxHtV2RcZNEepZVlk4yvBYkOkbk6HIVpIyHZA=="
"""SHA-512 of npm's archive of this version, as npm states it."""

STATIC: Final = Path(__file__).parents[1] / "src" / "dlt_authsignal" / "dashboard" / "render" / "static"
FILES: Final[Mapping[str, str]] = {
    "package/dist/echarts.common.min.js": "echarts.common.min.js",
    "package/LICENSE": "echarts.LICENSE.txt",
    "package/NOTICE": "echarts.NOTICE.txt",
}
"""Files of the archive, and their names in the package."""


def fetched(folder: Path) -> Path:
    """Download the archive, and refuse another one than the pinned one."""
    npm = shutil.which("npm")
    if not npm:
        sys.exit("npm is missing. Install Node 20 or newer, which has it. Nothing was changed.")
    done = subprocess.run(  # noqa: S603 - fixed arguments
        [npm, "pack", f"echarts@{VERSION}", "--silent", "--pack-destination", str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        sys.exit(f"npm could not fetch echarts {VERSION}. Nothing was changed.\n{done.stderr[-2000:]}")
    [archive] = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        sys.exit(
            f"The archive of echarts {VERSION} is not the pinned one: its SHA-512 is {digest}. Nothing was changed."
        )
    return archive


def contents(archive: Path) -> Mapping[str, bytes]:
    """Read the wanted files of the archive, by their names in the package."""
    found = {}
    with tarfile.open(archive) as packed:
        for name, ours in FILES.items():
            file = packed.extractfile(name)
            if file is None:
                sys.exit(f"The archive of echarts {VERSION} has no file {name}. Nothing was changed.")
            found[ours] = file.read()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = contents(fetched(Path(folder)))
    differing = [name for name, text in files.items() if _stored(name) != text]
    if "--check" in sys.argv:
        sys.exit(f"Not those of echarts {VERSION}: {', '.join(differing)}" if differing else 0)
    for name in differing:
        (STATIC / name).write_bytes(files[name])
    sys.stdout.write(f"echarts {VERSION}: {', '.join(differing) or 'nothing'} changed.\n")


def _stored(name: str) -> bytes:
    path = STATIC / name
    return path.read_bytes() if path.exists() else b""


if __name__ == "__main__":
    main()
