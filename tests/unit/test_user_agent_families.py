"""The system and the browser of a user agent: derived before the user agent is hashed."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dlt_authsignal.sandbox.tenant.catalogue import PLATFORMS
from dlt_authsignal.schema.tables.server import USER_ACTIONS
from dlt_authsignal.source.privacy.policy import KEEP, Privacy
from dlt_authsignal.source.privacy.recognition.user_agents import LONGEST, browser_of, os_of
from dlt_authsignal.source.rows.arrow_builder import Shaper
from dlt_authsignal.source.rows.flatten import Answers
from dlt_authsignal.source.rows.row_builder import Placer

KEY = "3f9c1be07a52d8644e0d97b1c65fa2380b7e41d95c8f2a6310d4e97f58ab2c61"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {APPLE}"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/141.0.0.0 Safari/537.36"
GALAXY = f"Mozilla/5.0 (Linux; Android 15; SM-S931B) {WEBKIT}"

KNOWN = [
    (WINDOWS, "Windows", "Chrome"),
    (f"{WINDOWS} Edg/141.0.0.0", "Windows", "Edge"),
    (f"{WINDOWS} OPR/126.0.0.0", "Windows", "Opera"),
    (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.5 Safari/605.1.15", "Mac OS", "Safari"),
    (f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "iOS", "Safari"),
    (f"{IPHONE} CriOS/141.0.0 Mobile/15E148 Safari/604.1", "iOS", "Chrome"),
    (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/604.1", "iOS", "Firefox"),
    (f"{GALAXY} Chrome/141.0.0.0 Mobile Safari/537.36", "Android", "Chrome"),
    (f"{GALAXY} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Android", "Samsung Internet"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/141.0.0.0 Safari/537.36", "Chrome OS", "Chrome"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Linux", "Firefox"),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Linux", "Firefox"),
    ("JohnMillersPhone/3.1 CFNetwork/1494.0.7 Darwin/23.4.0", "iOS", None),
    ("python-requests/2.32", None, None),
    ("", None, None),
]


@pytest.mark.parametrize(("agent", "system", "browser"), KNOWN)
def test_system_and_browser_have_the_names_of_their_families(
    agent: str, system: str | None, browser: str | None
) -> None:
    assert (os_of(agent), browser_of(agent)) == (system, browser)


def test_the_sandboxs_platforms_are_all_recognised() -> None:
    assert all(os_of(platform.user_agent) and browser_of(platform.user_agent) for platform in PLATFORMS)


def test_a_very_long_user_agent_is_parsed_only_in_part() -> None:
    assert os_of("x" * LONGEST + "Windows NT 10.0") is None
    assert os_of(WINDOWS + " x" * 1_000_000) == "Windows"


def answers(agent: Any) -> Answers:
    action = {"actionCode": "signIn", "idempotencyKey": "k", "userAgent": agent}
    read_at = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
    return Answers(items=[action], requests=[0], read_at=[read_at], keys={"user_id": ["u"]})


def row(privacy: Privacy, agent: Any = WINDOWS, table: Any = USER_ACTIONS) -> dict[str, Any]:
    """The row of an action, which is the same in an Arrow table and by itself."""
    (single,) = Placer(table, api="server", tenant_id="t", privacy=privacy)(answers(agent))
    found: dict[str, Any] = Shaper(table, api="server", tenant_id="t", privacy=privacy)(answers(agent)).to_pylist()[0]
    for name in ("user_agent", "user_agent_os", "user_agent_browser", "_row_hash"):
        assert single.get(name) == found.get(name)
    return found


@pytest.mark.parametrize("privacy", [Privacy(key=KEY), Privacy(), KEEP])
def test_both_are_derived_whatever_happens_to_the_user_agent(privacy: Privacy) -> None:
    found = row(privacy)
    assert (found["user_agent_os"], found["user_agent_browser"]) == ("Windows", "Chrome")
    assert (found.get("user_agent") == WINDOWS) == (privacy is KEEP)


def test_they_can_be_left_out() -> None:
    found = row(Privacy(key=KEY, columns={"user_actions.user_agent_os": "drop"}))
    assert (found.get("user_agent_os"), found["user_agent_browser"]) == (None, "Chrome")


def test_a_user_agent_that_is_not_text_has_no_family() -> None:
    assert row(KEEP, 5).get("user_agent_os") is None


@pytest.mark.parametrize("privacy", [Privacy(key=KEY), KEEP])
def test_they_do_not_count_in_the_row_hash_so_an_upgrade_changes_no_row(privacy: Privacy) -> None:
    declared = tuple(column for column in USER_ACTIONS.columns if not column.is_derived)
    assert len(declared) == len(USER_ACTIONS.columns) - 2
    assert row(privacy)["_row_hash"] == row(privacy, table=replace(USER_ACTIONS, columns=declared))["_row_hash"]
