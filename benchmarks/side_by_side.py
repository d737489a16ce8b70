"""The same rows by dlt's `rest_api`, by `dlt-authsignal sync`, and by a bare script, side by side.

python benchmarks/side_by_side.py             # all of it
python benchmarks/side_by_side.py --quick     # a first look
python benchmarks/side_by_side.py --only near --users 2000
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import report
from contest import FLOOR, LISTER, OURS, OURS_ALONE, STOCK, Run, measured, run
from local_api import local_api, most_per_second
from report import Line, Scene

FAR = 0.05
REPEATS = 3
QUICK = {"users": 500, "far_users": 200, "many_users": 5_000, "gated_users": 2_000, "repeats": 1}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    print(report.machine(), flush=True)
    if not options.cold:
        _warm_up()
    scenes = [SCENES[name](options) for name in options.only]
    if options.markdown:
        report.write(options.markdown, scenes, _command(options))


def _warm_up() -> None:
    """The first start of each compiles what it imports."""
    with local_api(users=20) as api:
        served = most_per_second(api.url)
        print(f"nginx alone: {served:,.0f} answers a second (wrk)" if served else "wrk is not here to judge nginx")
        for contestant in (STOCK, OURS, FLOOR):
            measured(contestant, api.url, 8, repeats=1)


def _side_by_side(title: str, users: int, delay: float, in_flight: int, repeats: int, target: float) -> Scene:
    with local_api(users, delay) as api:
        runs = {it.name: measured(it, api.url, in_flight, repeats) for it in (STOCK, OURS, OURS_ALONE, FLOOR)}
    _check_equal(runs)
    lines = [_line(name, users, found) for name, found in runs.items()]
    stock, ours, alone, floor = (found.seconds for found in runs.values())
    scene = Scene(
        f"{title}: {users:,} users, {delay * 1000:.0f} ms an answer, {in_flight} in flight",
        lines,
        [("stock / ours", stock / ours, f"≥ {target:g}"), ("ours, one process / floor", alone / floor, "≤ 1.4")],
    )
    report.show(scene)
    return scene


def near(options: argparse.Namespace) -> Scene:
    return _side_by_side("No latency", options.users, 0.0, options.in_flight, options.repeats, target=20)


def far(options: argparse.Namespace) -> Scene:
    return _side_by_side("Latency", options.far_users, FAR, options.far_in_flight, options.repeats, target=40)


def memory(options: argparse.Namespace) -> Scene:
    """Ours, with ten times as many users."""
    lines = []
    for users in (options.many_users // 10, options.many_users):
        with local_api(users) as api:
            lines.append(_line("ours", users, measured(OURS, api.url, options.in_flight, repeats=1)))
    few, many = (line.peak for line in lines)
    scene = Scene("Memory", lines, [("peak, ten times the users", many / few, "≤ 1.15")])
    report.show(scene)
    return scene


def rerun(options: argparse.Namespace) -> Scene:
    """Ours twice, nothing changed between; and a script that only lists the users."""
    with local_api(options.gated_users) as api, tempfile.TemporaryDirectory(prefix="authsignal-bench-") as name:
        runs = [run(OURS, api.url, options.in_flight, Path(name)) for _ in range(2)]
        lister = measured(LISTER, api.url, options.in_flight, options.repeats)
    first, second = runs
    _check_equal({"first": first, "second": second})
    lines = [
        _line(f"ours, {which}", options.gated_users, found)
        for which, found in zip(("full", "again"), runs, strict=True)
    ]
    share = 100 * second.seconds / first.seconds
    lines.append(_line("lister", options.gated_users, lister))
    figures = [
        ("second run, % of the first's time", share, "≤ 3"),
        ("second run / lister", second.seconds / lister.seconds, "≤ 1.6"),
    ]
    scene = Scene("Nothing changed since", lines, figures)
    report.show(scene)
    return scene


def concurrency(options: argparse.Namespace) -> Scene:
    """Ours, with more and more requests in flight."""
    lines = []
    with local_api(options.far_users, FAR) as api:
        for in_flight in (8, 32, 128):
            found = measured(OURS, api.url, in_flight, repeats=1)
            lines.append(_line(f"ours, {in_flight} in flight", options.far_users, found))
    title = f"Requests in flight, {FAR * 1000:.0f} ms an answer"
    scene = Scene(title, lines, [("8 / 128 in flight", lines[0].seconds / lines[-1].seconds, None)])
    report.show(scene)
    return scene


SCENES: dict[str, Callable[[argparse.Namespace], Scene]] = {
    it.__name__: it for it in (near, far, concurrency, memory, rerun)
}


def _line(name: str, users: int, found: Run) -> Line:
    return Line(name, users, found.total_rows, found.seconds, found.cpu, found.peak)


def _check_equal(runs: dict[str, Run]) -> None:
    """Raises SystemExit unless all loaded the same rows, each once."""
    (name, first), *others = runs.items()
    for other, found in others:
        if found.rows != first.rows:
            raise SystemExit(f"{name} and {other} did not load the same: {first.rows} and {found.rows}")
    for table, (rows, keys, _) in first.rows.items():
        if rows != keys:
            raise SystemExit(f"{table} has {rows} rows and {keys} keys")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SCENES, default=list(SCENES), help="scenes; default all")
    parser.add_argument("--quick", action="store_true", help="few users, once")
    parser.add_argument("--cold", action="store_true", help="without the first start of each, which compiles modules")
    parser.add_argument("--users", type=int, default=20_000, help="near")
    parser.add_argument("--far-users", type=int, default=5_000, help="far, concurrency")
    parser.add_argument("--many-users", type=int, default=200_000, help="memory; a tenth is measured too")
    parser.add_argument("--gated-users", type=int, default=100_000, help="rerun")
    parser.add_argument("--in-flight", type=int, default=32, help="requests, of ours and the floor")
    parser.add_argument("--far-in-flight", type=int, default=256, help="the same with latency")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of ours and the floor; the median counts")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables between the marks of FILE")
    options = parser.parse_args(arguments)
    if options.quick:
        vars(options).update(QUICK)
    return options


def _command(options: argparse.Namespace) -> str:
    given = [f"--only {' '.join(options.only)}"] if options.only != list(SCENES) else []
    if options.quick:
        given.append("--quick")
    elif options.repeats != REPEATS:
        given.append(f"--repeats {options.repeats}")
    given += ["--cold"] if options.cold else []
    return " ".join(["python benchmarks/side_by_side.py", *given])


if __name__ == "__main__":
    main()
