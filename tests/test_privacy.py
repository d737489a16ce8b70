"""Identifiers on their way through a sync: none of them in any byte left behind, and everything else as before."""

import hashlib
import hmac
import json
import logging
import os
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest

from dlt_authsignal import authsignal_source
from dlt_authsignal.errors import AuthsignalError, ConfigurationError
from dlt_authsignal.models import install, read
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.pipeline.sync.report import SyncReport
from dlt_authsignal.sandbox import Fault, RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Device, User
from dlt_authsignal.source.privacy.settings import LEFT_OUT
from tests.canaries import search, search_database
from tests.ceremonies import Visitor
from tests.helpers import at, command, rows, sync_from, table

KEY = "b82d60f4917ce35a0c49d7e16fb3852e71a0c9d54f683be2960d1ef7a4538c2b"
EMAIL = "canary.miller@example.com"
ON = {"privacy": "pseudonymize", "privacy_key": KEY}
PER_USER = ("users", "user_authenticators", "user_actions", "user_devices", "user_reads")
CANARIES = {
    "e-mail": EMAIL,
    "number": "+41797776655",
    "name": "Canary Miller",
    "address": "198.51.100.77",
    "agent": "Canary/1.0 (Macintosh)",
    "custom": "canary-custom-value",
    "device": "canary-device-7",
    "key": KEY,
}


def digest(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()


def person(running: RunningSandbox, user_id: str = EMAIL, other: str = "") -> None:
    """Somebody whose id is an e-mail address, with something in every table."""
    store, now = running.sandbox.store, running.sandbox.clock.now()
    store.put_user(
        User(
            user_id=user_id,
            created_at=now,
            email=EMAIL,
            phone_number=CANARIES["number"],
            username=EMAIL.title(),
            display_name=CANARIES["name"],
            custom={"plan": "plus", "note": CANARIES["custom"]},
        )
    )
    store.put_authenticator(
        Authenticator(
            user_authenticator_id=f"a1{other}",
            user_id=user_id,
            verification_method="SMS",
            created_at=now,
            verified_at=now,
            phone_number=CANARIES["number"],
        )
    )
    store.put_action(
        Action(
            user_id=user_id,
            action_code="signIn",
            idempotency_key="k1",
            created_at=now,
            state="ALLOW",
            state_updated_at=now,
            ip_address=CANARIES["address"],
            user_agent=CANARIES["agent"],
            output={"note": CANARIES["custom"]},
        )
    )
    store.put_device(Device(user_id=user_id, device_id=CANARIES["device"] + other, created_at=now))


def test_no_file_contains_an_identifier_after_a_sync(empty: RunningSandbox, workdir: Path) -> None:
    person(empty)
    report = sync_from(empty, tables=[*PER_USER[:4], "action_details"], **ON)
    assert {name: report.tables[name].new for name in PER_USER[:4]} == dict.fromkeys(PER_USER[:4], 1)
    assert not search(workdir, CANARIES)
    assert not search_database(workdir / "authsignal_pipeline.duckdb", CANARIES)
    (user,) = table("users")
    assert user["user_id"] == user["email"] == user["username"] == digest(EMAIL)
    assert (user["email_domain"], user["phone_number_country"]) == ("example.com", "CH")
    assert "custom" not in user
    assert rows("select distinct ip_address from user_actions") == [("198.51.100.0",)]


def test_no_file_contains_an_identifier_after_a_failed_sync(empty: RunningSandbox, workdir: Path) -> None:
    person(empty)
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}/devices", kind="status", status=404))
    with pytest.raises(AuthsignalError):
        sync_from(empty, **ON)
    assert not search(workdir, CANARIES)


def test_a_user_has_the_same_pseudonym_in_every_table(empty: RunningSandbox) -> None:
    person(empty)
    sync_from(empty, **ON)
    for name in PER_USER:
        assert rows(f"select user_id from {name}") == [(digest(EMAIL),)]
    assert rows("select u.phone_number = a.phone_number from users u join user_authenticators a using (user_id)") == [
        (True,)
    ]


@pytest.mark.deep
def test_a_second_sync_recognises_users_stored_as_hashes(empty: RunningSandbox) -> None:
    person(empty)
    sync_from(empty, tables=["user_actions", "action_details"], **ON)
    again = sync_from(empty, tables=["user_actions", "action_details"], **ON)
    assert (again.users_found, again.users_due) == (1, 0)
    empty.sandbox.log.clear()
    named = sync_from(empty, tables=["user_actions", "action_details"], refresh_users=[EMAIL], **ON)
    assert named.users_read == 1
    assert not [route for route in empty.sandbox.log.by_route if "idempotencyKey" in route]  # its detail is known


@pytest.mark.deep
def test_an_id_that_looks_like_a_hash_has_one_pseudonym_in_every_table_and_sync(empty: RunningSandbox) -> None:
    pseudonym = digest(EMAIL)
    person(empty)
    person(empty, pseudonym, other="-other")
    for _ in range(2):
        report = sync_from(empty, **ON, full=True)
        assert (report.users_found, report.users_read) == (2, 2)
        for name in PER_USER:
            found = rows(f"select distinct user_id from {name}")
            assert sorted(found) == sorted([(pseudonym,), (digest(pseudonym),)]), name
    assert rows("select count(*) from users where deleted_at is null") == [(2,)]


@pytest.mark.deep
def test_two_tenants_that_share_a_key_cannot_be_joined_with_privacy_per_tenant(
    empty: RunningSandbox, workdir: Path
) -> None:
    def pseudonyms(tenant: str) -> set[str]:
        settings = {**ON, "tenant_id": tenant, "privacy_per_tenant": True}
        sync_from(empty, pipeline_name=f"for_{tenant}", dataset=f"data_{tenant}", **settings)
        columns = ("users.user_id", "users.email", "user_devices.device_id", "user_authenticators.phone_number")
        with duckdb.connect(f"for_{tenant}.duckdb", read_only=True) as database:
            tables = [(column, f"data_{tenant}.{column.partition('.')[0]}") for column in columns]
            found = [database.execute(f"select {column} from {name}").fetchall() for column, name in tables]
        return {str(value) for each in found for (value,) in each}

    person(empty)
    first, second = pseudonyms("t1"), pseudonyms("t2")
    assert len(first) == len(second) == 3  # the id is the address, so both have one hash
    assert first.isdisjoint(second)


@pytest.mark.deep
def test_a_column_that_turns_from_words_to_free_text_is_hashed_from_then_on(empty: RunningSandbox) -> None:
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now()))

    def stored(text: str) -> tuple[Any, dict[str, Any]]:
        body = json.dumps({"isEnrolled": True, "fresh": text})
        empty.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="body", body=body))
        report = sync_from(empty, tables=["users"], full=True, **ON)
        return rows("select fresh from users")[0][0], report.drift.get("users", {})

    assert stored("high")[0] == "high"
    value, drift = stored("Ann Miller")
    assert value == digest("ann miller")
    assert drift["hashed"] == drift["hashed_after_plain"] == ["fresh"]
    assert stored("high")[0] == digest("high")


@pytest.mark.deep
def test_a_user_changed_in_the_user_list_is_read_again(empty: RunningSandbox) -> None:
    person(empty)
    sync_from(empty, **ON)
    empty.sandbox.store.put_user(
        User(user_id=EMAIL, created_at=empty.sandbox.clock.now(), email="other@example.org", display_name="x")
    )
    assert sync_from(empty, **ON).users_due == 1
    assert rows("select email, email_domain from users") == [(digest("other@example.org"), "example.org")]


@pytest.mark.parametrize("key", [{"privacy_key": KEY}, {}])
@pytest.mark.deep
def test_the_stored_fingerprint_of_the_user_list_cannot_be_guessed(empty: RunningSandbox, key: dict[str, str]) -> None:
    from dlt_authsignal.source.incremental.state.keys import listed_hash

    now = empty.sandbox.clock.now()
    empty.sandbox.store.put_user(User(user_id="u1", created_at=now, email=EMAIL))
    sync_from(empty, privacy="keep")
    ((guessable,),) = rows("select listed_hash from user_reads")
    sync_from(empty, full=True, privacy="pseudonymize", **key)
    ((stored,),) = rows("select listed_hash from user_reads")
    listing = {"userId": "u1", "email": EMAIL}
    assert stored not in (guessable, f"{listed_hash(listing):016x}")


@pytest.mark.deep
def test_created_at_is_kept_by_syncs_that_do_not_read_the_user_list(empty: RunningSandbox, workdir: Path) -> None:
    person(empty)
    sync_from(empty, **ON)
    before = rows("select created_at from users")
    (workdir / "ids.txt").write_text(f"{EMAIL}\n")
    report = sync_from(empty, users_from="ids.txt", full=True, **ON)
    assert report.tables["users"].changed == 0
    assert rows("select created_at from users") == before != [(None,)]


@pytest.mark.deep
def test_a_user_with_a_hashed_id_is_deleted_after_two_lists_without_them(empty: RunningSandbox) -> None:
    person(empty)
    person(empty, user_id="u2")
    sync_from(empty, **ON)
    cut = json.dumps({"users": [{"userId": "u2", "email": EMAIL}]})
    empty.sandbox.faults.add(Fault(route="GET /users", kind="body", body=cut, times=1))
    sync_from(empty, **ON)
    assert rows("select count(*) from users where deleted_at is not null") == [(0,)]
    empty.sandbox.store.remove_user(EMAIL, actions=True)
    report = sync_from(empty, **ON)
    assert rows("select user_id, deleted_at is not null from users order by 2") == [
        ("u2", False),
        (digest(EMAIL), True),
    ]
    assert report.tables["user_devices"].deleted == 1
    assert sync_from(empty, **ON).users_due == 0
    person(empty)
    sync_from(empty, **ON)
    assert rows("select count(*) from users where deleted_at is not null") == [(0,)]


@pytest.mark.deep
def test_all_users_are_stored_again_after_a_privacy_setting_changes(empty: RunningSandbox) -> None:
    for user_id in ("u1", "u2"):
        person(empty, user_id)
    sync_from(empty, **ON)
    assert rows("select custom, email from users order by 1") == [(None, digest(EMAIL))] * 2
    allowing = {**ON, "privacy_allow": ["plan"]}
    report = sync_from(empty, **allowing)
    assert (report.users_due, report.users_with_old_privacy) == (2, 2)
    assert rows("select custom from users") == [('{"plan":"plus"}',)] * 2
    report = sync_from(empty, **allowing)
    assert (report.users_due, report.users_with_old_privacy) == (0, 0)


@pytest.mark.deep
def test_actions_and_action_details_are_stored_again_when_privacy_settings_change(empty: RunningSandbox) -> None:
    person(empty, "u1")
    reading = ["users", "user_actions", "action_details"]
    sync_from(empty, tables=reading, **ON)
    sync_from(empty, tables=reading, privacy="keep")
    assert rows("select ip_address from user_actions") == [(CANARIES["address"],)]
    assert rows("select output->>'note' from action_details") == [(CANARIES["custom"],)]


@pytest.mark.deep
def test_tables_not_yet_read_under_new_privacy_settings_are_due_in_the_next_sync_that_selects_them(
    empty: RunningSandbox,
) -> None:
    person(empty, "u1")
    sync_from(empty, **ON)
    kept = {"privacy": "keep"}
    sync_from(empty, tables=["users"], **kept)
    assert rows("select email from users") == [(EMAIL,)]
    assert rows("select phone_number from user_authenticators") == [(digest(CANARIES["number"]),)]
    sync_from(empty, accept_deletes=True, **kept)
    assert rows("select phone_number from user_authenticators") == [(CANARIES["number"],)]
    assert rows("select ip_address from user_actions") == [(CANARIES["address"],)]
    assert sync_from(empty, **kept).users_due == 0


@pytest.mark.deep
def test_max_requests_is_respected_while_all_users_are_stored_again(empty: RunningSandbox) -> None:
    for number in range(6):
        person(empty, f"u{number}")
    sync_from(empty, **ON)
    reports = [sync_from(empty, privacy="keep", max_requests=15, max_deletes=100) for _ in range(4)]
    assert [report.users_with_old_privacy for report in reports] == sorted(
        (report.users_with_old_privacy for report in reports), reverse=True
    )
    assert reports[0].users_remaining > 0 == reports[-1].users_remaining
    assert rows("select count(*) from users where email = '" + EMAIL + "'") == [(6,)]
    assert not any(report.tables["users"].deleted for report in reports)


@pytest.mark.deep
def test_a_dataset_with_plain_addresses_as_ids_is_not_continued_with_hashes(empty: RunningSandbox) -> None:
    person(empty)
    sync_from(empty, privacy="keep")
    with pytest.raises(AuthsignalError, match="new dataset"):
        sync_from(empty, **ON)
    assert rows("select user_id from users") == [(EMAIL,)]
    assert sync_from(empty, **ON, dataset="pseudonyms", pipeline_name="another").users_read == 1


@pytest.mark.deep
def test_identifiers_used_as_object_keys_do_not_become_columns(empty: RunningSandbox, workdir: Path) -> None:
    body = {"userId": "u1", "contacts": {EMAIL: {"role": "boss"}}, "by": {"phone": {CANARIES["number"]: 1}}}
    empty.sandbox.store.put_user(User(user_id="u1", created_at=empty.sandbox.clock.now()))
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}", kind="body", body=json.dumps(body)))
    sync_from(empty, **ON)
    (user,) = table("users")
    assert list(json.loads(user["contacts"]).values()) == [{"role": "boss"}]
    assert not search(workdir, {name: CANARIES[name] for name in ("e-mail", "number")})
    assert not any("miller" in name or "41797776655" in name for name in user)


def test_custom_data_is_filtered_by_privacy_allow_in_every_table(empty: RunningSandbox) -> None:
    person(empty, "u1")
    body = [{"userAuthenticatorId": "a1", "custom": {"note": CANARIES["custom"], "plan": "plus"}, "output": {"x": "y"}}]
    empty.sandbox.faults.add(Fault(route="GET /users/{userId}/authenticators", kind="body", body=json.dumps(body)))
    sync_from(empty, **ON, privacy_allow=["plan"])
    (authenticator,) = table("user_authenticators")
    assert json.loads(authenticator["custom"]) == {"plan": "plus"}
    assert not {name for name in authenticator if name.startswith(("custom__", "output"))}


@pytest.mark.deep
def test_hashed_ids_and_devices_are_recognised_and_not_marked_as_deleted(empty: RunningSandbox) -> None:
    store, now = empty.sandbox.store, empty.sandbox.clock.now()
    for number in range(30):
        user_id = f"person{number}@example.com"
        store.put_user(User(user_id=user_id, created_at=now, email=user_id))
        store.put_device(Device(user_id=user_id, device_id=f"device-{number}", created_at=now))
    sync_from(empty, **ON)
    again = sync_from(empty, full=True, max_deletes=0, **ON)
    assert {name: (counts.new, counts.deleted) for name, counts in again.tables.items()} == dict.fromkeys(
        again.tables, (0, 0)
    )


@pytest.mark.deep
def test_ids_stored_as_hashes_cannot_be_used_as_a_user_id_source(empty: RunningSandbox) -> None:
    person(empty)
    sync_from(empty, **ON)
    with pytest.raises(ConfigurationError, match="stored only as hashes"):
        sync_from(empty, users_from="known", **ON)


@pytest.mark.deep
def test_opaque_ids_of_earlier_syncs_can_be_used_as_a_user_id_source(empty: RunningSandbox) -> None:
    person(empty, user_id="u1")
    sync_from(empty, **ON)
    assert sync_from(empty, users_from="known", full=True, **ON).users_read == 1


def test_an_unknown_id_that_is_an_e_mail_address_is_stored_as_a_hash(empty: RunningSandbox, workdir: Path) -> None:
    (workdir / "ids.txt").write_text("nobody@example.com\n")
    sync_from(empty, users_from="ids.txt", **ON)
    assert rows("select user_id from unknown_user_ids") == [(digest("nobody@example.com"),)]


@pytest.mark.deep
def test_every_kpi_is_the_same_with_and_without_identifiers(seeded: RunningSandbox) -> None:
    def figures(dataset: str, **privacy: str) -> set[tuple[Any, ...]]:
        sync_from(seeded, dataset=dataset, pipeline_name=f"{dataset}_pipeline", **privacy)
        pipeline = attach(dataset=dataset, pipeline_name=f"{dataset}_pipeline")
        install(pipeline)
        of_agents = {"os", "browser"}  # a hashed user agent shows neither; the registration of a passkey does
        return {
            (kpi.model.name, kpi.measure, kpi.dimension_value, kpi.numerator, kpi.denominator, kpi.value)
            for kpi in read(pipeline)
            if kpi.dimension not in of_agents or "provider" in kpi.model.dimensions
        }

    plain = figures("plain", privacy="keep")
    assert len(plain) > 20
    assert figures("hashed", **ON) == plain
    assert figures("keyless", privacy="pseudonymize") == plain


@pytest.mark.deep
def test_without_a_privacy_key_one_line_reports_what_is_left_out(seeded: RunningSandbox) -> None:
    done = command("sync", env=at(seeded, PRIVACY="pseudonymize"))
    assert done.returncode == 0, done.stderr
    assert (done.stdout + done.stderr).count(LEFT_OUT) == 1
    assert "dlt-authsignal init" in LEFT_OUT
    assert rows("select count(email), count(phone_number), count(email_domain) > 30, count(*) from users") == [
        (0, 0, True, 40)
    ]


@pytest.mark.deep
def test_with_a_privacy_key_or_privacy_keep_nothing_is_left_out(seeded: RunningSandbox) -> None:
    assert not sync_from(seeded, **ON).identifiers_left_out
    assert not sync_from(seeded, privacy="keep", accept_deletes=True).identifiers_left_out


def test_a_composed_pipeline_without_a_privacy_key_is_warned_in_the_log(
    seeded: RunningSandbox, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        authsignal_source(base_url=seeded.url, api_secret_key="k")
        authsignal_source(base_url=seeded.url, api_secret_key="k", privacy_key=KEY)
        authsignal_source(base_url=seeded.url, api_secret_key="k", privacy="keep")
    assert [record.getMessage() for record in caplog.records].count(LEFT_OUT) == 1


def test_without_a_privacy_key_an_e_mail_address_as_user_id_stops_the_sync_before_loading(
    empty: RunningSandbox,
) -> None:
    person(empty)
    done = command("sync", env=at(empty, PRIVACY="pseudonymize"))
    assert done.returncode == 2
    assert "privacy_key" in done.stderr
    assert "dlt-authsignal init" in done.stderr
    assert EMAIL not in done.stderr + done.stdout
    with duckdb.connect("authsignal_pipeline.duckdb", read_only=True) as connection:
        loaded = connection.execute("select count(*) from information_schema.tables where table_name = 'users'")
        assert loaded.fetchall() == [(0,)]


@pytest.mark.deep
def test_privacy_settings_are_read_from_files_and_the_environment(empty: RunningSandbox, workdir: Path) -> None:
    person(empty)
    (workdir / ".dlt").mkdir()
    (workdir / ".dlt" / "config.toml").write_text(
        '[sources.authsignal_source]\nprivacy_allow = ["plan"]\n'
        '[sources.authsignal_source.privacy_columns]\n"users.email" = "keep"\n"*.display_name" = "drop"\n'
    )
    (workdir / ".dlt" / "secrets.toml").write_text(f'[sources.authsignal_source]\nprivacy_key = "{KEY}"\n')
    settings = at(empty, PRIVACY="pseudonymize")
    assert command("sync", env=settings).returncode == 0
    assert rows("select email, display_name, custom, username from users") == [
        (EMAIL, None, '{"plan":"plus"}', digest(EMAIL))
    ]
    settings |= at(empty, PRIVACY="pseudonymize", PRIVACY_COLUMNS='{"users.email": "drop"}')
    assert command("sync", "--full", env=settings).returncode == 0
    assert rows("select email, display_name from users") == [(None, digest("canary miller"))]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PRIVACY": "off"}, "privacy must be one of pseudonymize, keep"),
        ({"PRIVACY_KEY": "1234"}, "privacy_key is too short"),
        ({"PRIVACY_COLUMNS": '{"users.nosuch": "keep"}'}, "no table has a column users.nosuch"),
    ],
)
def test_an_invalid_privacy_setting_is_refused_with_the_reason(
    empty: RunningSandbox, settings: dict[str, str], said: str
) -> None:
    done = command("sync", env=at(empty, **settings))
    assert done.returncode == 2
    assert said in done.stderr
    assert "1234" not in done.stderr


def test_identifiers_are_hashed_in_the_client_api_and_in_ceremonies(empty: RunningSandbox, workdir: Path) -> None:
    visitor = Visitor(empty, user_id="visitor%40example.com").track()
    assert visitor.register(username="visitor@example.com", displayName="Canary Miller")[0] == 200
    visitor.track(scope="read:authenticators add:authenticators")
    pipeline = dlt.pipeline("authsignal_pipeline", destination="duckdb", dataset_name="authsignal_data")
    source = authsignal_source(
        token=visitor.token,
        tenant_id=empty.sandbox.config.tenant_id,
        base_url=empty.url,
        privacy_key=KEY,
        authenticator=visitor.passkey,
    )
    wanted = ("user_authenticators", "passkey_register_options", "passkey_authentication_options")
    pipeline.run(source.with_resources(*wanted))
    assert rows("select user_id from user_authenticators") == [(digest("visitor@example.com"),)]
    ((excluded, user_id),) = rows("select excluded_credential_ids, user_id from passkey_register_options")
    ((credential,),) = rows("select webauthn_credential__credential_id from user_authenticators")
    assert json.loads(excluded) == [credential]
    assert user_id == digest("visitor@example.com")
    canaries = {"id": "visitor@example.com", "name": "Canary Miller"}
    assert not search_database(workdir / "authsignal_pipeline.duckdb", canaries)


@pytest.mark.deep
def test_a_probe_hashes_its_canary_user_and_needs_a_privacy_key_for_an_e_mail_address(empty: RunningSandbox) -> None:
    protected = {"PRIVACY": "pseudonymize"}
    refused = command("probe", "--user", "canary@example.com", env=at(empty, **protected))
    assert refused.returncode == 2
    assert "privacy_key" in refused.stderr
    assert not empty.sandbox.log.by_route
    done = command("probe", "--user", "canary@example.com", env=at(empty, PRIVACY_KEY=KEY, **protected))
    assert done.returncode == 0, done.stderr
    assert rows("select distinct user_id from user_authenticators", "authsignal_probe.duckdb") == [
        (digest("canary@example.com"),)
    ]


@pytest.mark.deep
def test_hashed_identifiers_are_loaded_into_postgres(
    empty: RunningSandbox, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg2

    person(empty)
    monkeypatch.setitem(os.environ, "DESTINATION__POSTGRES__CREDENTIALS", postgres_database)
    report: SyncReport = sync_from(empty, destination="postgres", **ON)
    assert report.tables["users"].new == 1
    with psycopg2.connect(postgres_database) as connection, connection.cursor() as cursor:
        cursor.execute("select user_id, email, email_domain, phone_number_country from authsignal_data.users")
        assert cursor.fetchall() == [(digest(EMAIL), digest(EMAIL), "example.com", "CH")]
