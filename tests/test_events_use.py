"""What events are good for: users who are due, and figures that say whether events and API agree."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dlt_authsignal.api.server_endpoints import TRACK
from dlt_authsignal.models import install
from dlt_authsignal.models.events.reconciliation import Reconciliation, read_reconciliation
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.monitor.status import status
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.webhooks.settings import WebhookFaults
from tests.ceremonies import Visitor
from tests.events import connected, load
from tests.helpers import ask, command, rows, sync_from
from tests.tiers import deep_after
from tests.warehouses import DuckDB, Lake, Postgres, Warehouse

MINUTE = timedelta(minutes=1)
PAST = timedelta(days=16)
"""Includes every attempt of 15 invented days."""


def attempts(running: RunningSandbox, user_id: str, count: int) -> None:
    for _ in range(count):
        assert ask(running, "POST", TRACK.fill(userId=user_id, action="signIn"), {})[0] == 200


def later(running: RunningSandbox, by: timedelta) -> None:
    """Time passes, and what is due then is delivered."""
    running.sandbox.clock.advance(by)
    running.sandbox.webhooks.flush()


def users(running: RunningSandbox) -> list[str]:
    return [user.user_id for user in running.sandbox.store.users()]


LAKES = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("delta", "iceberg")]
KINDS = [*deep_after(1, ["duckdb", "postgres", "delta"]), pytest.param("iceberg", marks=pytest.mark.slow)]


@pytest.mark.parametrize("kind", [*deep_after(1, ["duckdb", "postgres"]), *LAKES])
def test_a_new_passkey_is_loaded_by_the_sync_after_its_event(
    kind: str, seeded: RunningSandbox, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = warehouse(kind, request, monkeypatch)
    into = {"destination": found.destination}
    with connected(seeded, monkeypatch):
        sync_from(seeded, **into)
        load(**into)
        assert sync_from(seeded, **into).users_due == 0
        plain = next(user for user in users(seeded) if not seeded.sandbox.store.authenticators(user))
        assert Visitor(seeded, plain).track().register()[0] == 200
        seeded.sandbox.webhooks.flush()
        load(**into)
        assert status(attach(**into)).users_reported == 1
        report = sync_from(seeded, users_from=["known"], **into)  # the user list would show the change too
        assert (report.users_due, report.users_reported) == (1, 1)
        joined = found.rows(
            "select count(*) from user_authenticators as a join authenticator_events as e using (user_authenticator_id)"
            " where e.event_type = 'authenticator.created' and a.verification_method = 'PASSKEY'"
        )
        assert joined == [(1,)]
        # a read within seconds of the event may be repeated once
        assert sync_from(seeded, users_from=["known"], **into).users_due <= 1


def make_differences(running: RunningSandbox) -> dict[str, int]:
    """Let deliveries be lost, late and overtaken by changes; return how many attempts each concerns."""
    sandbox = running.sandbox
    webhooks, store = sandbox.webhooks, sandbox.store
    url = webhooks.settings.log_events_url
    someone, another, leaving = users(running)[:3]
    webhooks.configure(log_events_url=None)
    attempts(running, someone, 5)  # lost
    webhooks.configure(log_events_url=url)
    sandbox.clock.advance(MINUTE)
    attempts(running, another, 4)
    attempts(running, leaving, 1)
    webhooks.set_faults(WebhookFaults(duplicates=1))
    later(running, 11 * MINUTE)
    webhooks.set_faults(WebhookFaults(delays=1, delay_seconds=3_600))
    attempts(running, another, 3)  # late
    later(running, 11 * MINUTE)
    for action in changeable(running)[:2]:
        changed = sandbox.clock.now()
        store.put_action(replace(action, state="REVIEW_FAILED", state_updated_at=changed, updated_at=changed))
    sandbox.delete_user(leaving, actions=True)
    return {"lost": 5, "late": 3, "changed": 2, "deleted": 1, "twice": 5}


def changeable(running: RunningSandbox) -> list[Action]:
    """Attempts of the past that a sync reads again, because they are the user's last ones."""
    store, now = running.sandbox.store, running.sandbox.clock.now()
    found = [store.actions(user_id, now - PAST) for user_id in users(running)[3:]]
    return [max(actions, key=lambda action: action.created_at) for actions in found if actions]


def sent_before(running: RunningSandbox) -> int:
    """Attempts that a sync and the past contain: those whose token has expired."""
    now = running.sandbox.clock.now()
    every = [a for user_id in users(running) for a in running.sandbox.store.actions(user_id, now - PAST)]
    assert all(action.created_at < now - 10 * MINUTE for action in every)
    return len(every)


def warehouse(kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """An empty destination."""
    found: Warehouse = DuckDB()
    if kind == "postgres":
        found = Postgres(request.getfixturevalue("postgres_database"))
    elif kind != "duckdb":
        found = Lake(kind, str(request.getfixturevalue("tmp_path") / "lake"))
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_reconciliation_counts_exactly_what_was_lost_late_changed_and_deleted(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    into: dict[str, Any] = {"destination": warehouse(kind, request, monkeypatch).destination}

    def reconciled() -> Reconciliation:
        report = read_reconciliation(attach(**into))
        assert report is not None
        return report

    with run_in_thread(SandboxConfig(seed=7, users=40, days=15)) as running, connected(running, monkeypatch):
        running.sandbox.clock.freeze()
        past = sent_before(running)
        running.sandbox.history.send_and_wait(PAST.days)
        load(**into)
        sync_from(running, **into)
        before = reconciled()
        assert before.attempts == {"equal": past, "different": 0, "api only": 0, "event only": 0}
        assert before.not_compared == before.different_in == before.duplicates == {}
        made = make_differences(running)
        load(**into)
        sync_from(running, full=True, **into)  # the changed attempts are no event's
        after = reconciled()
        equal = past + 4 - made["changed"]
        assert after.attempts == {
            "equal": equal,
            "different": made["changed"],
            "api only": made["lost"],
            "event only": made["deleted"],
        }
        assert after.not_compared == {"after the last event": made["late"]}
        assert after.different_in == {"state": made["changed"], "state_updated_at": made["changed"]}
        assert after.duplicates == {"action_log": made["twice"]}
        running.sandbox.webhooks.set_faults(WebhookFaults())
        later(running, timedelta(hours=2))
        load(**into)
        late = reconciled()
        assert late.attempts["equal"] == equal + made["late"]
        assert late.not_compared == {}
    if kind == "duckdb":
        check_views_and_status(late)


def check_views_and_status(expected: Reconciliation) -> None:
    """The views say the same as the figures, and `status` prints them."""
    assert {"all_user_actions", "event_reconciliation"} <= set(install(attach()).views)
    assert dict(rows("select comparison, count(*) from all_user_actions group by 1")) == expected.attempts
    assert rows("select count(*) from all_user_actions") == rows(
        "select count(*) from (select user_id, action_code, idempotency_key from user_actions"
        " union select user_id, action_code, idempotency_key from action_log)"
    )
    states = dict(rows("select seen_by, max(state) filter (where differs_in <> '') from all_user_actions group by 1"))
    assert states == {"api": None, "event": None, "both": "REVIEW_FAILED"}  # the later state wins
    figures = dict(rows("select figure, value from event_reconciliation where unit = 'attempts' and slice is null"))
    assert figures == expected.attempts
    shown = json.loads(command("status", "--json").stdout)["events"]
    assert shown["attempts"] == dict(expected.attempts)
    assert set(shown["lag"]["action_log"]) == {"p50", "p95", "p99"}
    families = {each.name: each for each in text_string_to_metric_families(command("status", "--prometheus").stdout)}
    counted = {each.labels["comparison"]: each.value for each in families["authsignal_events_attempts"].samples}
    assert counted == {name.replace(" ", "_"): count for name, count in expected.attempts.items()}
    tables = {each.labels["table"] for each in families["authsignal_table_rows"].samples}
    assert {"action_log", "user_actions"} <= tables
    assert {"authsignal_events_may_be_off", "authsignal_events_last_received_timestamp_seconds"} <= families.keys()
    text = command("status").stdout
    assert f"{expected.attempts['different']} different, {expected.attempts['api only']} only in the API" in text
    assert "Different in: state 2, state_updated_at 2." in text


@pytest.mark.deep
def test_before_the_first_event_status_has_no_section_about_events(seeded: RunningSandbox) -> None:
    sync_from(seeded)
    assert read_reconciliation(attach()) is None
    assert "Events" not in command("status").stdout


@pytest.mark.deep
@pytest.mark.parametrize("people", [30, 300])
def test_the_demo_shows_tables_and_kpis_compares_events_with_the_api_and_leaves_no_spool(
    people: int, workdir: Path
) -> None:
    (workdir / "temporary").mkdir()
    env = {"TMPDIR": str(workdir / "temporary")}
    done = command("demo", "--users", str(people), "--days", "20", env=env, timeout=120)
    assert done.returncode == 0, done.stderr
    for expected in ("user_authenticators", "Passkey enrolment coverage", f" of {people}\n", "dlt-authsignal init"):
        assert expected in done.stdout
    assert Path("authsignal_demo.duckdb").exists()
    assert "0 different, 0 only in the API, 0 only in events" in done.stdout
    sent = re.search(r"([\d,]+) events from 20 days in", done.stdout)
    loaded = re.search(r"action_log ([\d,]+), challenge_log ([\d,]+), authenticator_events ([\d,]+)", done.stdout)
    assert sent
    assert loaded
    assert sum(int(count.replace(",", "")) for count in loaded.groups()) == int(sent[1].replace(",", ""))
    assert not list((workdir / "temporary").glob("authsignal-spool-*"))
