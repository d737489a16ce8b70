"""What `dlt-authsignal sandbox` starts with, and what its banner says about it."""

import json
import re
import signal
import subprocess
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest
import requests
from requests.auth import HTTPBasicAuth

from dlt_authsignal.sandbox import SandboxConfig, run_in_thread
from tests.helpers import COMMAND, ask, command
from tests.sandbox_banner import banner


def url_of(text: str) -> str:
    return text.split()[3]


def counts(text: str) -> dict[str, int]:
    with urlopen(url_of(text).removesuffix("/v1") + "/_sandbox/", timeout=30) as answer:
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


@pytest.mark.deep
def test_the_command_sets_where_the_pages_are_and_which_codes_are_sent() -> None:
    options = ("--empty", "--pages-url", "http://auth.localhost:80", "--fixed-code", "ann@example.com=123456")
    with banner(*options) as shown:
        server = HTTPBasicAuth("sandbox-server-secret", "")
        tracked = requests.post(f"{url_of(shown)}/users/ann/actions/signIn", json={}, auth=server, timeout=30).json()
        assert tracked["url"].startswith("http://auth.localhost:80/hosted/?token=")
        body = {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": "ann@example.com"}
        requests.post(f"{url_of(shown)}/challenge", json=body, auth=server, timeout=30)
        outbox = requests.get(url_of(shown).removesuffix("/v1") + "/_sandbox/outbox", timeout=30).json()
        assert [message["code"] for message in outbox["messages"]] == ["123456"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--fixed-code", "123456"], "Write an address and its code"),
        (["--fixed-code", "ann@example.com=abc"], "a code must be text of 4 to 10 digits"),
        (["--pages-url", "localhost"], "must be a URL without a path"),
    ],
)
def test_wrong_codes_and_page_urls_are_refused(options: list[str], words: str) -> None:
    done = command("sandbox", "--port", "0", *options)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())


def test_the_sandbox_sends_its_past_to_the_receiver_of_events_to() -> None:
    with run_in_thread() as target:  # a server that answers 200, whatever the body is
        options = (
            "sandbox",
            "--port",
            "0",
            "--users",
            "5",
            "--seed",
            "7",
            "--events-to",
            f"{target.control_url}clock/freeze",
        )
        running = subprocess.Popen([COMMAND, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        try:
            assert running.stderr
            assert re.match(r"Sent [\d,]+ events of the last 30 days in \d+ deliveries\.", running.stderr.readline())
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=60)
        assert target.clock.is_frozen


def test_a_receiver_on_another_host_is_refused_before_the_sandbox_starts() -> None:
    done = command("sandbox", "--empty", "--events-to", "http://receiver.example.com/x")
    assert (done.returncode, "--allow-webhooks-to" in done.stderr) == (2, True)


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


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01"])
def test_a_start_of_the_clock_that_leaves_no_room_for_users_or_tokens_is_refused(moment: str) -> None:
    done = command("sandbox", "--now", moment)
    assert done.returncode == 2
    assert "must be in the years 2000 to 2200" in done.stderr


def test_python_refuses_as_many_days_as_the_command() -> None:
    assert command("sandbox", "--days", "3651").returncode == 2
    with pytest.raises(ValueError, match="at most 3,650"):
        SandboxConfig(days=3651)


@pytest.mark.parametrize("year", [2000, 2200])
def test_the_first_and_the_last_possible_year_have_users_and_tokens(year: int) -> None:
    with run_in_thread(SandboxConfig(users=3, days=3650, seed=7, now=datetime(year, 1, 1, tzinfo=UTC))) as running:
        user = next(iter(running.sandbox.store.users()))
        status, tracked, *_ = ask(running, "POST", f"/users/{user.user_id}/actions/signIn", {})
        assert (status, bool(tracked["token"])) == (200, True)
