"""Memory and time of a sync in which no user is due, for few and for a hundred times as many listed users.

To read two million users would take an hour. So a sync reads one user, and their rows in `users` and `user_reads` are
copied for all others, with the fingerprint of each list entry. Another sync brings their history. The next is measured.

python benchmarks/listed_users.py [USERS]     # default 2,000,000
"""

import asyncio
import sys
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import aiohttp
import duckdb
import pyarrow as pa
import report
from contest import OURS_ALONE, PRIVACY_KEY, SECRET, Contestant, Run, run
from floor import listing
from local_api import local_api
from report import Line, Scene

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.source.incremental.state.keys import listed_hash
from dlt_authsignal.source.privacy.policy import Privacy

MANY = int(sys.argv[1]) if sys.argv[1:] else 2_000_000
IDS = "ids.csv"
IN_FLIGHT = 32
COPY = """
create temp table one_user as from users;
create temp table one_read as from user_reads;
delete from users;
delete from user_reads;
insert into users by name select one.* replace (id as user_id) from one_user as one, listed;
insert into user_reads by name select one.* replace (id as user_id, hash as listed_hash) from one_read as one, listed;
"""


def main() -> None:
    print(report.machine(), flush=True)
    lines = [_line(users, _unchanged(users)) for users in (MANY // 100, MANY)]
    few, many = (line.peak for line in lines)
    report.show(Scene("No user is due", lines, [("peak, a hundred times the users", many / few, "≤ 1.5")]))


def _line(users: int, found: Run) -> Line:
    return Line("ours, one process", users, found.total_rows, found.seconds, found.cpu, found.peak)


def _unchanged(users: int) -> Run:
    with local_api(users) as api, tempfile.TemporaryDirectory(prefix="authsignal-bench-") as name:
        folder = Path(name)
        (folder / IDS).write_text("user_id\nperson-0000000\n")
        run(_of_one_user(), api.url, IN_FLIGHT, folder)
        _in_another_process(folder / str(OURS_ALONE.database), api.url)
        settled, again = (run(OURS_ALONE, api.url, IN_FLIGHT, folder) for _ in range(2))
        if again.rows != settled.rows:
            raise SystemExit(f"Users were due: {again.rows} rows instead of {settled.rows}.")
        return again


def _of_one_user() -> Contestant:
    return replace(OURS_ALONE, command=lambda *given: [*OURS_ALONE.command(*given), "--users-from", IDS])


def _in_another_process(database: Path, base: str) -> None:
    """Multiply the user. Linux counts the memory of a process that starts a command as the command's too, so this one
    stays small."""
    multiplying = get_context("spawn").Process(target=_multiply, args=(database, base))
    multiplying.start()
    multiplying.join()
    if multiplying.exitcode:
        raise SystemExit("The user could not be multiplied.")


def _listed(base: str) -> pa.Table:
    """All listed users, with the fingerprints of their list entries."""
    privacy = Privacy(key=PRIVACY_KEY)

    async def read() -> list[tuple[str, str]]:
        async with aiohttp.ClientSession(headers={"Authorization": basic_auth(SECRET)}) as session:
            return [
                (user["userId"], f"{listed_hash(privacy.listed(user), privacy.fingerprint_key):016x}")
                async for user in listing(session, base)
            ]

    ids, hashes = zip(*asyncio.run(read()), strict=True)
    return pa.table({"id": ids, "hash": hashes})


def _multiply(database: Path, base: str) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.register("listed", _listed(base))
        connection.execute(f"set enable_progress_bar = false; use {OURS_ALONE.schema}")
        connection.execute(COPY)


if __name__ == "__main__":
    main()
