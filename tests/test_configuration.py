"""The tenant's configuration is loaded with its history, and nothing secret in it is."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.errors import ConfigurationError, TooManyDeletes, Unauthorized
from dlt_authsignal.sandbox import Fault, RunningSandbox
from tests.canaries import found_in
from tests.configuration import configured, manage
from tests.helpers import MANAGEMENT_SECRET, SECRET, at, command, rows, sync_from, sync_into, table
from tests.tiers import deep_after

KEY = "b82d60f4917ce35a0c49d7e16fb3852e71a0c9d54f683be2960d1ef7a4538c2b"
RULES = "/action-configurations/signIn/rules"
COUNTRY = {"in": [{"var": "ip.countryCode"}, ["US", "NZ"]]}


def test_both_keys_load_all_tables_in_one_sync(seeded: RunningSandbox) -> None:
    report = sync_from(seeded, management_secret_key=MANAGEMENT_SECRET)
    counts = {name: report.tables[name].total for name in ("users", "tenant", "rules", "action_configurations")}
    assert counts == {
        "users": 40,
        "tenant": 1,
        "rules": len(seeded.sandbox.tenant.rules),
        "action_configurations": len(seeded.sandbox.tenant.actions),
    }
    assert rows("select distinct tenant_id, _api from rules") == [(seeded.sandbox.config.tenant_id, "management")]
    assert rows("select distinct tenant_id from custom_data_points") == [(seeded.sandbox.config.tenant_id,)]
    assert rows("select apis from sync_runs") == [("server, management",)]


@pytest.mark.deep
def test_only_get_requests_are_sent(empty: RunningSandbox) -> None:
    configured(empty)
    assert {route.split()[0] for route in empty.requests()["byRoute"]} == {"GET"}


def test_a_changed_rule_gets_a_new_version_and_a_removed_one_is_marked(empty: RunningSandbox) -> None:
    rule = manage(empty, "POST", RULES, {"name": "Far away", "type": "BLOCK", "conditions": COUNTRY})
    configured(empty)
    manage(empty, "PATCH", f"{RULES}/{rule['ruleId']}", {"isActive": False})
    assert configured(empty).tables["rules"].changed == 1
    manage(empty, "DELETE", f"{RULES}/{rule['ruleId']}")
    report = configured(empty)
    assert (report.tables["rules"].deleted, report.tables["rule_conditions"].deleted) == (1, 3)
    versions = (
        f"select is_active, valid_to is null from rules_history where rule_id = '{rule['ruleId']}' order by valid_from"
    )
    assert rows(versions) == [(True, False), (False, False)]
    assert rows(f"select count(*) from rules where rule_id = '{rule['ruleId']}' and deleted_at is not null") == [(1,)]


@pytest.mark.deep
def test_an_unchanged_configuration_gets_no_new_versions(empty: RunningSandbox) -> None:
    configured(empty)
    tracked = {**empty.sandbox.tenant.actions["signIn"], "lastActionCreatedAt": "2026-11-01T08:00:00.000Z"}
    empty.sandbox.tenant = empty.sandbox.tenant.put("actions", "signIn", tracked)
    report = configured(empty)
    assert {name: (each.new, each.changed, each.deleted) for name, each in report.tables.items()} == dict.fromkeys(
        report.tables, (0, 0, 0)
    )
    assert rows("select count(*) from action_configurations_history where valid_to is not null") == [(0,)]
    used = "select last_action_created_at from action_configurations where action_code = 'signIn'"
    assert rows(used) == [(datetime(2026, 11, 1, 8, tzinfo=UTC),)]


@pytest.mark.deep
def test_a_rule_recreated_under_the_same_name_is_another_rule(empty: RunningSandbox) -> None:
    body = {"name": "Far away", "type": "BLOCK", "conditions": COUNTRY}
    first = manage(empty, "POST", RULES, body)
    configured(empty)
    manage(empty, "DELETE", f"{RULES}/{first['ruleId']}")
    second = manage(empty, "POST", RULES, body)
    configured(empty)
    found = rows("select rule_id, deleted_at is null from rules where name = 'Far away' order by deleted_at is null")
    assert found == [(first["ruleId"], False), (second["ruleId"], True)]


def test_conditions_are_rows_that_can_be_searched_for_a_variable(empty: RunningSandbox) -> None:
    conditions = {"and": [{"==": [{"var": "ip.isAnonymous"}, True]}, COUNTRY]}
    rule = manage(empty, "POST", RULES, {"name": "Far away", "type": "BLOCK", "conditions": conditions})
    configured(empty)
    found = rows(
        "select path, operator, variable, operand from rule_conditions"
        f" where rule_id = '{rule['ruleId']}' order by path"
    )
    assert found == [
        ("/and/0/==/0", "==", "ip.isAnonymous", "ip.isAnonymous"),
        ("/and/0/==/1", "==", None, "true"),
        ("/and/1/in/0", "in", "ip.countryCode", "ip.countryCode"),
        ("/and/1/in/1/0", "in", None, '"US"'),
        ("/and/1/in/1/1", "in", None, '"NZ"'),
    ]
    assert json.loads(rows(f"select conditions from rules where rule_id = '{rule['ruleId']}'")[0][0]) == conditions


@pytest.mark.deep
def test_items_of_value_lists_are_hashed_until_their_list_is_allowed(seeded: RunningSandbox) -> None:
    person = next(user for user in seeded.sandbox.store.users() if user.email)
    items = {"name": "Trusted people", "itemType": "string", "valueListItems": [person.email, "Bob"]}
    alias = manage(seeded, "POST", "/value-lists", items)["alias"]
    numbers = {"name": "Amounts", "itemType": "number", "valueListItems": [1, 1.5]}
    allowed = manage(seeded, "POST", "/value-lists", numbers)["alias"]
    hashed = {"privacy": "pseudonymize", "privacy_key": KEY, "privacy_allow": [allowed]}
    sync_from(seeded, management_secret_key=MANAGEMENT_SECRET, **hashed)
    found = {item for (item,) in rows(f"select item from value_list_items where alias = '{alias}'")}
    assert len(found) == 2
    assert not found & {person.email, "Bob"}
    assert rows(f"select email from users where user_id = '{person.user_id}'")[0][0] in found, "joins with users"
    assert rows(f"select item from value_list_items where alias = '{allowed}' order by item") == [("1",), ("1.5",)]
    assert rows(f"select item_count from value_lists where alias = '{alias}'") == [(2,)]


@pytest.mark.deep
def test_without_a_privacy_key_items_are_left_out_and_counted(empty: RunningSandbox) -> None:
    configured(empty, privacy="pseudonymize")
    assert rows("select alias, item_count from value_lists") == [("trusted-partners", 2)]
    assert rows("select count(*) from value_list_items") == [(0,)]


@pytest.mark.deep
def test_constants_beside_a_custom_data_point_are_hashed_until_it_is_allowed(empty: RunningSandbox) -> None:
    conditions = {"or": [{"==": [{"var": "custom.manager"}, "Bob Miller"]}, COUNTRY]}
    rule = manage(empty, "POST", RULES, {"name": "Managers", "type": "BLOCK", "conditions": conditions})
    where = f"where rule_id = '{rule['ruleId']}'"
    for allowed in ([], ["manager"]):
        configured(empty, privacy="pseudonymize", privacy_key=KEY, privacy_allow=allowed)
        said = rows(f"select conditions from rules {where}")[0][0]
        assert ("Bob" in said) == bool(allowed)
        assert '"US"' in said
        operands = {operand for (operand,) in rows(f"select operand from rule_conditions {where}")}
        assert ('"Bob Miller"' in operands) == bool(allowed)


def planted() -> dict[str, Any]:
    """A method with a secret in every field that may hold a credential, some of them nested."""
    return {
        "twilioCredentials": {"accountSid": "AC1", "authToken": secret(), "deeper": [{"key": secret()}]},
        "messageBirdV2Credentials": {"accessKey": secret()},
        "someProvider": {"settings": {"webhook": f"https://hooks.example/{secret()}"}},
        "webhookUrl": f"https://user:{secret()}@hooks.example/{secret()}?token={secret()}#{secret()}",
        "redirectUrls": [f"https://app.example/done?token={secret()}"],
        "rateLimitConfiguration": {"rateLimit": 3, "note": secret(), "inner": {"key": secret()}},
        "smsCountryCodes": ["NZ", {"key": secret()}],
        "issuerName": {"key": secret()},
        "newField": secret(),
    }


_SECRETS: dict[str, str] = {}


def secret() -> str:
    value = f"planted{secrets.token_hex(8)}"
    _SECRETS[value] = value
    return value


def test_no_credential_of_a_provider_reaches_any_file_and_its_field_is_reported(
    empty: RunningSandbox, workdir: Path
) -> None:
    _SECRETS.clear()
    old = next(each for each in empty.sandbox.tenant.methods.values() if each["verificationMethod"] == "SMS")
    value = {**old, **planted()}
    empty.sandbox.tenant = empty.sandbox.tenant.put("methods", value["authenticatorId"], value)
    action = {**empty.sandbox.tenant.actions["signIn"], "verificationWebhookUrl": f"https://verify.example/{secret()}"}
    empty.sandbox.tenant = empty.sandbox.tenant.put("actions", "signIn", action)
    key = secret()
    empty.sandbox.config = replace(empty.sandbox.config, masked_credentials=False, management_secret_key=key)
    report = configured(empty, management_secret_key=key)
    hits = [
        hit for path in workdir.rglob("*") if path.is_file() for hit in found_in(path.read_bytes(), _SECRETS, str(path))
    ]
    assert hits == []
    assert len(_SECRETS) == 16
    assert not any(value in repr(report) for value in _SECRETS)
    left_out = report.drift["authenticator_configurations"]["left_out"]
    whole = {"twilioCredentials", "messageBirdV2Credentials", "someProvider", "newField"}
    assert set(left_out) == whole | {"rateLimitConfiguration", "smsCountryCodes", "issuerName"}
    assert "these fields are not loaded, because they may contain credentials" in str(report)
    loaded = table("authenticator_configurations")
    sms = next(row for row in loaded if row["verification_method"] == "SMS")
    assert sms["webhook_host"] == "hooks.example"
    assert json.loads(sms["rate_limit_configuration"]) == {"rateLimit": 3}
    assert json.loads(sms["sms_country_codes"]) == ["NZ"]
    assert json.loads(sms["redirect_urls"]) == ["https://app.example/done"]
    assert rows("select verification_webhook_host from action_configurations where action_code = 'signIn'") == [
        ("verify.example",)
    ]


def test_a_refused_resource_is_named_and_the_others_load(empty: RunningSandbox) -> None:
    empty.faults.add(Fault(route="GET /management/value-lists", kind="status", status=403, times=None))
    done = command("sync", env={**at(empty), "SOURCES__AUTHSIGNAL_SOURCE__MANAGEMENT_SECRET_KEY": MANAGEMENT_SECRET})
    assert done.returncode == 1
    assert "value_lists could not be read, and is unchanged: Authsignal answered 403" in " ".join(done.stdout.split())
    assert "management_secret_key" in done.stdout
    assert rows("select count(*) from rules") == [(len(empty.sandbox.tenant.rules),)]
    assert rows("select count(*) from value_lists") == [(0,)]
    assert rows("select outcome, error from sync_runs") == [("done", "TablesRefused")]


@pytest.mark.deep
def test_a_route_that_authsignal_does_not_have_keeps_no_other_table_from_loading(empty: RunningSandbox) -> None:
    empty.faults.add(Fault(route="GET /management/theme", kind="status", status=404, times=None))
    report = configured(empty)
    assert report.refused == {
        "theme": "Authsignal answered 404 (sandbox_fault) to GET /management/theme. Check what management_secret_key"
        " is allowed to read (portal: Settings, API keys)."
    }
    assert report.tables["rules"].total == len(empty.sandbox.tenant.rules)


@pytest.mark.deep
def test_a_table_that_is_refused_later_keeps_its_rows(empty: RunningSandbox) -> None:
    configured(empty)
    empty.faults.add(Fault(route="GET /management/action-configurations", kind="status", status=403, times=None))
    report = configured(empty)
    assert set(report.refused) == {"action_configurations", "rules"}
    assert all(each.deleted == 0 for each in report.tables.values())


def test_a_wrong_management_key_is_named(seeded: RunningSandbox) -> None:
    with pytest.raises(Unauthorized, match=r"management_secret_key"):
        sync_from(seeded, management_secret_key="wrong-key")


def test_a_management_key_of_another_tenant_is_refused(empty: RunningSandbox) -> None:
    with pytest.raises(ConfigurationError, match=r"management_secret_key is of tenant .* but tenant_id is other"):
        configured(empty, tenant_id="other")


@pytest.mark.deep
def test_more_deletes_than_allowed_stop_the_sync(empty: RunningSandbox) -> None:
    names = [f"partner-{number}.example" for number in range(60)]
    path = "/value-lists/trusted-partners"
    manage(empty, "PATCH", path, {"valueListItems": names})
    configured(empty)
    manage(empty, "PATCH", path, {"valueListItems": names[:30]})
    with pytest.raises(TooManyDeletes, match="value_list_items"):
        configured(empty)
    assert rows("select count(*) from value_list_items where deleted_at is null") == [(60,)]
    assert configured(empty, accept_deletes=True).tables["value_list_items"].deleted == 30


@pytest.mark.deep
@pytest.mark.parametrize("selected", deep_after(1, ["rules", "value_list_items", "tenant"]))
def test_a_sync_of_one_configuration_table_marks_nothing_in_the_others(empty: RunningSandbox, selected: str) -> None:
    configured(empty)
    report = configured(empty, tables=[selected])
    assert list(report.tables) == [selected]
    later = configured(empty)
    assert all(each.deleted == each.new == 0 for each in later.tables.values())


def test_doctor_and_init_check_the_key(empty: RunningSandbox, workdir: Path) -> None:
    keys = ("--api-secret-key", SECRET, "--management-secret-key", MANAGEMENT_SECRET)
    said = command("init", "--base-url", empty.url, *keys).stdout
    assert "management_secret_key" in said
    assert "rules" in said
    assert MANAGEMENT_SECRET in (workdir / ".dlt/secrets.toml").read_text()
    empty.faults.add(Fault(route="GET /management/theme", kind="status", status=403, times=None))
    said = " ".join(command("doctor").stdout.split())
    assert "management_secret_key: tenant, action_configurations, rules" in said
    assert "It is not allowed to read theme." in said


ODD: dict[str, Any] = {
    "/management/tenant": {"tenantId": "t-1", "name": None, "brandNew": {"a": [1]}},
    "/management/action-configurations": [{"actionCode": "sign/in?ü", "tenantId": "t-1", "newFlag": True}],
    "/management/action-configurations/sign%2Fin%3F%C3%BC/rules": [
        {"ruleId": "r1", "name": "No conditions", "isActive": True, "priority": 0},
        {"ruleId": "r2", "name": "Odd ones", "isActive": False, "priority": 99, "conditions": {"if": [[], {}, "x"]}},
        {"ruleId": "r3", "name": "A constant", "conditions": True},
    ],
    "/management/authenticator-configurations": [],
    "/management/custom-data-points": [{"id": "d1", "name": "plan", "dataType": "text"}],
    "/management/value-lists": [{"alias": "short"}, {"alias": "mixed", "valueListItems": ["1", 1, 1.0, None, ""]}],
    "/management/value-lists/short": {"alias": "short", "valueListItems": ["a"]},
    "/management/theme": {},
}


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[str]:
    """A Management API that answers what it is told to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answers.get(self.path.removeprefix("/v1"), {})).encode()
            self.send_response(200 if self.path.removeprefix("/v1") in answers else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@pytest.mark.deep
def test_odd_but_legal_answers_load() -> None:
    with answering(ODD) as url:
        given = {"apis": ["management"], "management_secret_key": "key", "privacy": "keep", "base_url": url}

        report = sync_into(**given)
        again = sync_into(**given)
    assert {name: each.total for name, each in report.tables.items()} == {
        "tenant": 1,
        "action_configurations": 1,
        "rules": 3,
        "rule_conditions": 1,
        "authenticator_configurations": 0,
        "custom_data_points": 1,
        "value_lists": 2,
        "value_list_items": 2,
        "theme": 1,
    }
    assert all((each.new, each.changed, each.deleted) == (0, 0, 0) for each in again.tables.values())
    assert rows("select alias, item from value_list_items order by all") == [("mixed", "1"), ("short", "a")]
    assert rows("select alias, item_count from value_lists order by 1") == [("mixed", 3), ("short", 1)]


@pytest.mark.deep
def test_a_value_list_that_is_deleted_between_two_requests_changes_nothing_in_this_sync() -> None:
    given = {"apis": ["management"], "management_secret_key": "key", "privacy": "keep"}
    with answering(ODD) as url:
        sync_into(**given, base_url=url)
    with answering({path: answer for path, answer in ODD.items() if not path.endswith("/short")}) as url:
        report = sync_into(**given, base_url=url)
    assert {name: (each.changed, each.deleted) for name, each in report.tables.items()} == dict.fromkeys(
        report.tables, (0, 0)
    )
    assert rows("select item_count from value_lists where alias = 'short'") == [(1,)]


@pytest.mark.deep
def test_an_empty_configuration_loads_and_its_changes_are_none() -> None:
    nothing: dict[str, Any] = {path: [] if isinstance(answer, list) else {} for path, answer in ODD.items()}
    with answering(nothing) as url:
        report = sync_into(apis=["management"], management_secret_key="key", base_url=url)
    assert {name for name, each in report.tables.items() if each.total} == {"tenant", "theme"}
    assert "No changes since" in command("changes").stdout


@pytest.mark.deep
def test_erase_removes_the_persons_identifiers_from_value_lists(seeded: RunningSandbox) -> None:
    person, other = [user for user in seeded.sandbox.store.users() if user.email][:2]
    items = [person.user_id, person.email, other.email]
    lists = {"name": "People", "itemType": "string", "valueListItems": items}
    manage(seeded, "POST", "/value-lists", lists)
    settings: dict[str, Any] = {"privacy": "pseudonymize", "privacy_key": KEY}
    sync_from(seeded, management_secret_key=MANAGEMENT_SECRET, **settings)
    variables = {f"SOURCES__AUTHSIGNAL_SOURCE__{name.upper()}": value for name, value in settings.items()}
    assert command("erase", person.user_id, "--yes", env=variables).returncode == 0
    kept = "select count(*) from value_list_items where alias = 'people'"
    assert rows(kept) == [(1,)]
    assert rows(kept.replace("value_list_items", "value_list_items_history")) == [(1,)]
    manage(seeded, "PATCH", "/value-lists/people", {"valueListItems": [person.user_id, other.email]})
    configured(seeded, **settings)
    assert rows(f"{kept} and deleted_at is null") == [(1,)]


@pytest.mark.deep
def test_status_shows_the_age_of_the_configuration_and_takes_no_sync_of_it_for_one_of_users(
    empty: RunningSandbox, workdir: Path
) -> None:
    sync_from(empty)
    first = json.loads(command("status", "--json").stdout)
    assert first["configuration_read"] is None
    configured(empty)
    later = json.loads(command("status", "--json").stdout)
    assert later["last_done"] == first["last_done"]
    assert later["configuration_read"] > first["last_done"]
    assert "Configuration of the tenant last read:" in command("status").stdout
