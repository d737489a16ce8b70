"""Detections in their table, and alerts that are sent once to a receiver on this machine."""

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from dlt_authsignal import AlertsNotSent, ConfigurationError, Detection, detect, send_alerts
from dlt_authsignal.pipeline.alerts.table import stored_detections
from dlt_authsignal.pipeline.attach import attach, make_pipeline
from dlt_authsignal.sandbox import RunningSandbox
from tests.alert_receivers import AlertReceiver, receiving_alerts
from tests.attack_stories import END, Stories, after, every, spread
from tests.helpers import COMMAND, command, rows
from tests.loaded import repeat, synced
from tests.test_detections import warehouse
from tests.tiers import deep_after

DAY = timedelta(days=1)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertReceiver]:
    with receiving_alerts() as found:
        for name, value in found.environment().items():
            monkeypatch.setenv(name, value)
        yield found


def tell() -> None:
    """Leave a DuckDB file with two attacks: pushes to one user, and another user in two countries."""
    repeat(load_stories)


def load_stories(**into: Any) -> None:
    stories = Stories()
    stories.pushes("tired", spread(30, 5))
    for minutes, country in ((0, "US"), (30, "SG")):
        stories.attempt("flying", after(minutes), "CHALLENGE_SUCCEEDED", country=country)
    stories.load(**into)


def stored(**into: Any) -> dict[str, Detection]:
    """Rows of the table, by user."""
    return {row.subject: row for row in stored_detections(attach(**into)).values()}


@pytest.mark.parametrize(
    "kind",
    [
        *deep_after(1, ["duckdb", "postgres"]),
        *(pytest.param(lake, marks=pytest.mark.slow) for lake in ("delta", "iceberg")),
    ],
)
def test_an_alert_is_sent_once_and_its_detection_moves_forward(
    kind: str, receiver: AlertReceiver, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    into: dict[str, Any] = {"destination": warehouse(kind, request, monkeypatch).destination}
    load_stories(**into)
    first = send_alerts(make_pipeline(**into))
    assert [row.subject for row in first.sent] == ["flying", "tired"]
    assert receiver.ids == [row.detection_id for row in first.sent]
    before = stored(**into)
    assert {row.detection_id: row for row in first.sent} == {row.detection_id: row for row in before.values()}

    again = send_alerts(make_pipeline(**into))
    assert (again.sent, again.left, again.found.new) == ([], [], frozenset())
    assert stored(**into) == before

    more = Stories(prefix="more")
    more.pushes("tired", every(5, 4, first=35))
    more.pushes("tired", every(1, 5, first=1000))
    more.load(received_at=END + DAY, **into)
    third = send_alerts(make_pipeline(**into))
    assert [(row.subject, row.first_seen) for row in third.sent] == [("tired", after(1000))]
    known = stored_detections(attach(**into))
    grown = known[before["tired"].detection_id]
    assert (grown.first_seen, grown.last_seen, grown.event_count) == (after(), after(50), 9)
    assert grown.sent_at == before["tired"].sent_at
    assert grown.detected_at == before["tired"].detected_at
    assert known[before["flying"].detection_id] == before["flying"]
    assert len(receiver.received) == len(known) == 3


@pytest.mark.deep
def test_a_late_event_does_not_change_the_id_of_a_detection() -> None:
    tell()
    detect(make_pipeline())
    before = stored()["tired"]
    late = Stories(prefix="late")
    late.pushes("tired", every(1, 3, first=-10))
    late.load(received_at=END + DAY)
    assert detect(make_pipeline()).new == frozenset()
    after_it = stored()["tired"]
    assert (after_it.detection_id, after_it.first_seen, after_it.event_count) == (before.detection_id, after(-10), 8)
    assert len(stored_detections(attach())) == 2


def test_a_message_says_what_was_found_by_which_thresholds_and_what_to_do(
    receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell()
    send_alerts(make_pipeline())
    data = receiver.bodies[1]["data"]
    assert receiver.bodies[1]["type"] == "authsignal.detection"
    assert {name: data[name] for name in ("rule", "severity", "subject_kind", "subject", "event_count")} == {
        "rule": "mfa_fatigue",
        "severity": "high",
        "subject_kind": "user_id",
        "subject": "tired",
        "event_count": 5,
    }
    assert data["thresholds"] == {"pushes": 5, "minutes": 30, "push_type": ""}
    assert data["evidence"] == {"attempts": 5, "approved": 0, "countries": 0}
    assert (data["first_seen"], data["last_seen"]) == ("2026-11-02T09:00:00.000Z", "2026-11-02T09:30:00.000Z")
    assert "minutes" in data["definition"]["fires"]

    more = Stories(prefix="more")
    more.pushes("<tired> & <!channel>", spread(30, 5))
    more.load(received_at=END + DAY)
    monkeypatch.delenv("ALERTS__WEBHOOK_URL")
    monkeypatch.setenv("ALERTS__SLACK_URL", receiver.url)
    send_alerts(make_pipeline())
    text = receiver.bodies[2]["text"]
    assert text.startswith("MFA fatigue (high): 5 events, 2026-11-02 09:00 to 2026-11-02 09:30 UTC")
    assert "Subject: user_id &lt;tired&gt; &amp; &lt;!channel&gt;" in text
    assert "Thresholds: pushes 5, minutes 30, push_type none" in text
    assert "webhook-id" not in receiver.received[2][0]


def test_a_refused_alert_is_sent_by_the_next_run_and_no_error_tells_the_address(
    receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell()
    receiver.answers = [503, 429, 200, 404]
    done = command("alerts")
    assert done.returncode == 1
    assert "it answered with status 404" in done.stderr
    assert "1 of 2 alerts were sent; 1 were not, and the next run sends them" in done.stderr
    assert len(receiver.received) == 4
    assert [row.subject for row in stored().values() if row.sent_at] == ["flying"]
    monkeypatch.setenv("ALERTS__ATTEMPTS", "2")
    receiver.answers = [500, 500]
    with pytest.raises(AlertsNotSent) as refused:
        send_alerts(make_pipeline())
    assert (refused.value.sent, refused.value.left) == (0, 1)
    assert "secret-path" not in f"{refused.value}{done.stderr}{done.stdout}"
    assert refused.value.__cause__ is None
    assert [row.subject for row in send_alerts(make_pipeline()).sent] == ["tired"]
    assert receiver.ids.count(stored()["flying"].detection_id) == 3


def test_the_command_shows_sends_and_explains_what_it_cannot_see(receiver: AlertReceiver) -> None:
    tell()
    dry = command("alerts", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "Dry run: 2 alerts would be sent. Nothing was changed or sent." in dry.stdout
    assert "MFA fatigue (high): 5 events" in dry.stdout
    assert "shared_phone" in dry.stdout
    assert "not available: needs user_authenticators or events" in dry.stdout
    assert stored() == {}
    assert receiver.received == []
    assert command("alerts", "--since", "1h").stdout.endswith("Sent 0 alerts to webhook.\n")
    shown = json.loads(command("alerts", "--json").stdout)
    assert [each["subject"] for each in shown["sent"]] == ["flying", "tired"]
    assert (shown["found"], shown["new"], shown["not_sent"]) == (2, 0, [])
    assert shown["not_available"]["shared_phone"] == ["user_authenticators or events"]
    assert len(receiver.received) == 2


@pytest.mark.deep
def test_without_a_receiver_detections_are_kept_and_nothing_is_sent() -> None:
    tell()
    done = command("alerts")
    assert done.returncode == 0, done.stderr
    assert "Not sent, because no receiver is configured: 2 alerts." in done.stdout
    assert {row.sent_at for row in stored().values()} == {None}
    assert json.loads(command("status", "--json").stdout)["detections"] == {
        "impossible_travel": {"found": 1, "not_sent": 1},
        "mfa_fatigue": {"found": 1, "not_sent": 1},
    }
    assert 'authsignal_detections_not_sent{rule="mfa_fatigue"} 1.0' in command("status", "--prometheus").stdout


WRONG: list[tuple[dict[str, str], str]] = [
    ({"DETECTIONS__MFA_FATIGUE__PUSHES": "1"}, "pushes must be a whole number from 2 to 1,000 (push requests), got 1"),
    ({"DETECTIONS__MFA_FATIGUE__PUSHES": "many"}, "pushes must be a whole number"),
    ({"DETECTIONS__MFA_FATIGUE__PUSHS": "7"}, 'there is no setting "pushs". Did you mean "pushes"?'),
    ({"DETECTIONS__MFA_FATIG__PUSHES": "7"}, 'there is no rule "mfa_fatig". Did you mean "mfa_fatigue"?'),
    ({"DETECTIONS__BRUTE_FORCE__ENABLED": "7"}, "enabled must be true or false"),
    ({"DETECTIONS__MFA_FATIGUE__PUSH_TYPE": "it's"}, "push_type must be text"),
    ({"ALERTS__WEBHOOK_SECRET": "c2hvcnQ="}, "webhook_secret under [alerts] must be whsec_"),
    ({"ALERTS__WEBHOOK_URL": "http://example.com/secret-path"}, "must begin with https://"),
    ({"ALERTS__SLACK_URL": "https://example.com/secret-path"}, "Both slack_url and webhook_url are set"),
    ({"ALERTS__ATTEMPTS": "0"}, "attempts must be from 1 to 20"),
    ({"ALERTS__ATTEMPTS": "many"}, "The setting attempts must be a whole number"),
    ({"ALERTS__WEBHOOK_SECRET": "whsec_é"}, "webhook_secret under [alerts] must be whsec_"),
    ({"ALERTS__WEBHOOK_URL": "https://xn--/secret-path"}, "must begin with https://"),
    ({"DETECTIONS__MFA_FATIGUE": "3"}, "DETECTIONS__MFA_FATIGUE has no setting in its name"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_a_wrong_setting_is_named_before_anything_is_computed_or_sent(
    settings: dict[str, str], message: str, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as wrong:
        send_alerts(make_pipeline())
    assert message in str(wrong.value)
    assert "secret-path" not in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detections = 3", "detections must be a table of settings"),
        ("alerts = 3", "alerts must be a table of settings"),
        ("[detections]\nmfa_fatigue = 3", "[detections.mfa_fatigue] must be a table of settings"),
    ],
)
def test_a_value_in_place_of_a_table_is_named(
    text: str, message: str, workdir: Any, receiver: AlertReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workdir / ".dlt").mkdir(exist_ok=True)
    (workdir / ".dlt" / "config.toml").write_text(text)
    monkeypatch.setenv("DETECTIONS__MFA_FATIGUE__PUSHES", "7")
    with pytest.raises(ConfigurationError) as wrong:
        send_alerts(make_pipeline())
    assert message in str(wrong.value)
    assert receiver.received == []


def test_thresholds_come_from_the_projects_settings(workdir: Any) -> None:
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt" / "config.toml").write_text(
        '[detections.mfa_fatigue]\npushes = 6\n[detections.impossible_travel]\nignored_pairs = ["SG-US"]\n'
    )
    tell()
    done = command("alerts", env={"DETECTIONS__BRUTE_FORCE__ENABLED": "false"})
    assert done.returncode == 0, done.stderr
    assert rows("select count(*) from detections") == [(0,)]
    assert "switched off" in done.stdout


def test_without_data_the_command_says_what_to_run_first() -> None:
    done = command("alerts")
    assert done.returncode == 2
    assert "dlt-authsignal sync" in done.stderr


def test_without_events_rules_that_need_them_are_not_available(seeded: RunningSandbox) -> None:
    synced(seeded)
    shown = json.loads(command("alerts", "--json").stdout)
    assert shown["not_available"] == {"mfa_fatigue": ["events"], "otp_pumping": ["events"]}
    assert not {row.rule for row in stored().values()} & shown["not_available"].keys()


@pytest.mark.deep
def test_mfa_fatigue_is_not_available_if_no_event_has_the_method_push() -> None:
    stories = Stories()
    for at in spread(30, 5):
        stories.attempt("tired", at, "CHALLENGE_SUCCEEDED", method="PUSH")
    stories.load()
    (needs,) = detect(make_pipeline()).needs["mfa_fatigue"]
    assert needs.startswith("challenge events of pushes")


@pytest.mark.deep
def test_a_run_that_is_killed_after_sending_sends_at_most_the_same_alert_again(receiver: AlertReceiver) -> None:
    tell()
    process = subprocess.Popen([COMMAND, "alerts"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    receiver.before_answering = process.kill
    assert process.wait(60) == -signal.SIGKILL
    receiver.before_answering = None
    assert len(receiver.received) == 1
    assert {row.sent_at for row in stored().values()} == {None}
    assert len(send_alerts(make_pipeline()).sent) == 2
    assert send_alerts(make_pipeline()).sent == []
    first, *others = receiver.ids
    assert first in others
    assert len(others) == len(set(others)) == 2


@pytest.mark.deep
def test_two_runs_at_a_time_are_refused(receiver: AlertReceiver) -> None:
    tell()
    outcomes: list[int] = []
    receiver.before_answering = lambda: outcomes.append(command("alerts").returncode)
    assert len(send_alerts(make_pipeline()).sent) == 2
    assert outcomes == [1, 1]
    assert len(receiver.received) == 2
