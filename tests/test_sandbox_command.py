"""What `dlt-authsignal sandbox` starts with, and what its banner says about it."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import urlopen

import pytest

from tests.helpers import COMMAND, command

BANNER_LINES = 8


@contextmanager
def banner(*options: str) -> Iterator[str]:
    """The banner of a running sandbox."""
    running = subprocess.Popen([COMMAND, "sandbox", "--port", "0", *options], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout
        yield "".join(running.stdout.readline() for _ in range(BANNER_LINES))
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=10)


def url_of(text: str) -> str:
    return text.split()[3]


def counts(text: str) -> dict[str, int]:
    with urlopen(url_of(text).removesuffix("/v1") + "/_sandbox/", timeout=5) as answer:
        found: dict[str, int] = json.load(answer)["counts"]
    return found


@pytest.mark.deep
def test_a_sandbox_starts_with_a_hundred_users_unless_the_command_says_otherwise() -> None:
    with banner("--seed", "7") as shown:
        assert "  data     100 users, " in shown
        assert counts(shown)["users"] == 100
    with banner("--users", "3") as shown:
        assert counts(shown)["users"] == 3


def test_an_empty_sandbox_has_no_users() -> None:
    with banner("--empty") as shown:
        assert "  data     no users\n" in shown
        assert set(counts(shown).values()) == {0}


def test_empty_and_a_number_of_users_are_refused_together() -> None:
    done = command("sandbox", "--empty", "--users", "4")
    assert done.returncode == 2
    assert "--empty and --users 4 contradict each other" in done.stderr


@pytest.mark.deep
def test_the_banner_counts_all_actions_and_those_a_sync_loads() -> None:
    with banner("--seed", "7") as shown:
        found = re.search(r"([\d,]+) actions \(a sync loads the ([\d,]+) of the last 30 days\)", shown)
        assert found
        total, recent = (int(number.replace(",", "")) for number in found.groups())
        assert total == counts(shown)["actions"] > recent
        env = {
            "SOURCES__AUTHSIGNAL_SOURCE__BASE_URL": url_of(shown),
            "SOURCES__AUTHSIGNAL_SOURCE__API_SECRET_KEY": "sandbox-server-secret",
        }
        done = command("sync", "--json", "--rate", "max", env=env)
        assert json.loads(done.stdout)["tables"]["user_actions"]["new"] == recent


@pytest.mark.deep
def test_the_banner_counts_only_the_users_of_a_large_sandbox() -> None:
    with banner("--users", "3000", "--seed", "7") as shown:
        assert "  data     3,000 users; a sync loads their actions of the last 30 days\n" in shown
