"""One process that forks syncs, and for each database what undisturbed ones end in."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.laboratory import Laboratory
from tests.crash.syncs import InDuckDB, InPostgres, Zygote

KILL = "kill"


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """The process that forks syncs."""
    found = Zygote()
    yield found
    found.close()


@pytest.fixture(scope="session")
def in_duckdb(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    with Laboratory(zygote, tmp_path_factory.mktemp("duckdb"), InDuckDB()) as found:
        yield found


@pytest.fixture(scope="session")
def in_postgres(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Laboratory]:
    with Laboratory(zygote, tmp_path_factory.mktemp("postgres"), InPostgres(postgres_server).made()) as found:
        yield found


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.deep)])
def laboratory(request: pytest.FixtureRequest, workdir: Path) -> Laboratory:
    """A tenant, and syncs of it that can be killed."""
    found: Laboratory = request.getfixturevalue(f"in_{request.param}")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how many syncs were killed where, and that all were put right."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    kills = [value for report in reports for name, value in report.user_properties if name == KILL]
    if kills:
        terminalreporter.section("syncs that were killed")
        for where, times in sorted(Counter(map(str, kills)).items()):
            terminalreporter.line(f"{times:5}  {where}")
        terminalreporter.line(f"{len(kills):5}  in all")
