"""This checkout beside an earlier commit of it, in turn: what a change costs.

python benchmarks/before.py c38536c             # a sync of everybody, and one in which nothing changed
python benchmarks/before.py HEAD~3 --users 2000 --repeats 3
"""

import argparse
import statistics
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import report
from contest import OURS, Contestant, Run, run
from local_api import local_api
from report import Line, Scene

ROOT = Path(__file__).parents[1]

Pairs = list[tuple[Run, Run]]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    print(report.machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="authsignal-bench-") as name, local_api(options.users) as api:
        folder = Path(name)
        sides = _of("now", ROOT / "src"), _of("before", _unpacked(options.revision, folder / "before"))

        def in_turn(where: Callable[[Contestant], Path], repeats: int) -> Pairs:
            now, before = sides
            return [
                (
                    run(now, api.url, options.in_flight, where(now)),
                    run(before, api.url, options.in_flight, where(before)),
                )
                for _ in range(repeats)
            ]

        def kept(side: Contestant) -> Path:
            return _folder(folder / f"kept-{side.name}")

        in_turn(kept, 1)  # what this one compiles and loads, the others find
        full = in_turn(lambda side: Path(tempfile.mkdtemp(dir=_folder(folder / side.name))), options.repeats)
        again = in_turn(kept, 2 * options.repeats)
    for title, pairs in (("A sync of everybody", full), ("One in which nothing changed", again)):
        report.show(_scene(f"{title}: {options.users:,} users, beside {options.revision}", options.users, pairs))


def _of(name: str, source: Path) -> Contestant:
    """Our command with the package in a folder, which goes before the one that is installed."""

    def command(url: str, in_flight: int) -> list[str]:
        return ["env", f"PYTHONPATH={source}", *OURS.command(url, in_flight)]

    return Contestant(name, command, OURS.database, OURS.schema)


def _unpacked(revision: str, folder: Path) -> Path:
    """The package as it was."""
    packed = subprocess.run(["git", "archive", revision, "src"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "src"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _scene(title: str, users: int, pairs: Pairs) -> Scene:
    lines = [_line(name, users, side) for name, side in zip(("now", "before"), zip(*pairs, strict=True), strict=True)]
    ratios = {
        "seconds": [now.seconds / before.seconds for now, before in pairs],
        "processor seconds": [now.cpu / before.cpu for now, before in pairs],
        "peak": [now.peak / before.peak for now, before in pairs],
    }
    return Scene(
        title, lines, [(f"now / before, {what}", statistics.median(each), None) for what, each in ratios.items()]
    )


def _line(name: str, users: int, runs: Sequence[Run]) -> Line:
    seconds, cpu, peak = (
        statistics.median(each) for each in zip(*((one.seconds, one.cpu, one.peak) for one in runs), strict=True)
    )
    return Line(name, users, runs[0].total_rows, seconds, cpu, peak)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision", help="the commit to compare with")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument(
        "--repeats", type=int, default=5, help="pairs of syncs of everybody; the others are twice as many"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
