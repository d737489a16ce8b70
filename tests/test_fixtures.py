"""A tenant in a file: what it may contain, what follows from its place, and what is wrong with it."""

import json
import re
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pyotp
import pytest
import requests
import yaml
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dlt_authsignal.errors import ConfigurationError, FixtureInvalid
from dlt_authsignal.passkey import SoftwarePasskey
from dlt_authsignal.passkey.keys import new_key, pem_of
from dlt_authsignal.sandbox import Fixture, RunningSandbox, Sandbox, SandboxConfig, run_in_thread
from dlt_authsignal.sandbox.core.config import SEEDED_NOW
from dlt_authsignal.sandbox.fixtures.form.document import Document, Settings
from dlt_authsignal.sandbox.fixtures.form.people import Form
from dlt_authsignal.sandbox.fixtures.form.schema import fixture_schema
from dlt_authsignal.sandbox.fixtures.form.text import Source, as_yaml
from dlt_authsignal.sandbox.tenant.settings import IpFacts
from tests.helpers import MANAGEMENT_SECRET, ROOT, SECRET, command

pytest_plugins = ["pytester"]

MODULE = "dlt_authsignal.sandbox.pytest_plugin"
SERVER = (SECRET, "")
PAGE = "sandbox-fixtures.md"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / PAGE).read_text("utf-8"), re.DOTALL)


def sandbox_of(users: dict[str, Any] | None = None, **parts: Any) -> Sandbox:
    return Sandbox(SandboxConfig(seed=1, fixture=Fixture.of({"users": users or {}, **parts})))


def error_of(value: Any) -> str:
    with pytest.raises(FixtureInvalid) as caught:
        sandbox_of(**value)
    return str(caught.value)


def post(running: RunningSandbox, body: str | dict[str, Any]) -> requests.Response:
    data = body if isinstance(body, str) else json.dumps(body)
    return requests.post(f"{running.control_url}fixture", data=data.encode(), timeout=30)


def test_the_example_of_the_page_starts_a_sandbox_and_signs_in(capsys: pytest.CaptureFixture[str]) -> None:
    (fixture,) = blocks("yaml")
    Path("tenant.yaml").write_text(fixture, encoding="utf-8")
    (code,) = [block for block in blocks("python") if "running.passkey" in block]
    exec(compile(code, PAGE, "exec"), {})  # noqa: S102
    assert capsys.readouterr().out == "ann\n"


def test_the_tests_of_the_page_pass(pytester: pytest.Pytester, pytestconfig: pytest.Config) -> None:
    (fixture,) = blocks("yaml")
    (pytester.path / "tenant.yaml").write_text(fixture, encoding="utf-8")
    (code,) = [block for block in blocks("python") if "pytest.mark" in block]
    pytester.makepyfile(code)
    named = [] if pytestconfig.pluginmanager.hasplugin("authsignal_sandbox") else ["-p", MODULE]
    pytester.runpytest_inprocess("-p", "no:cacheprovider", *named).assert_outcomes(passed=2)


def test_the_example_of_the_page_is_seen_through_authsignals_routes() -> None:
    (text,) = blocks("yaml")
    with run_in_thread(SandboxConfig(fixture=Fixture.from_text(text, "tenant.yaml"))) as running:
        key = ("shop-test-secret", "")

        def get(path: str) -> Any:
            return requests.get(f"{running.url}/users{path}", auth=key, timeout=30).json()

        assert requests.get(f"{running.url}/users/ann", auth=SERVER, timeout=30).status_code == 401
        assert [user["userId"] for user in get("?limit=10")["users"]] == ["ann", "ben"]
        assert get("/ann")["custom"] == {"plan": "plus"}
        assert get("/ann")["enrolledVerificationMethods"] == ["PASSKEY", "EMAIL_OTP"]
        passkey, code = get("/ann/authenticators")
        assert passkey["webauthnCredential"]["aaguidMapping"]["name"] == "iCloud Keychain"
        assert passkey["webauthnCredential"]["parsedUserAgent"]["os"]["name"] == "iOS"
        assert code["email"] == "ann@example.com"
        signed_in, paid = running.sandbox.store.actions("ann", running.clock.now() - timedelta(days=30))
        assert signed_in.verified_by == passkey["userAuthenticatorId"]
        assert (paid.state, paid.custom) == ("CHALLENGE_FAILED", {"amount": 120})
        assert running.sandbox.webhooks.settings.log_events_url == "http://127.0.0.1:8000/webhooks"

        tracked = {"ipAddress": "203.0.113.9"}
        running.sandbox.ip_facts["203.0.113.9"] = IpFacts(country_code="FR")
        answer = requests.post(f"{running.url}/users/ann/actions/signIn", json=tracked, auth=key, timeout=30).json()
        assert answer["state"] == "BLOCK"
        answer = requests.post(f"{running.url}/users/ann/actions/payment", json={}, auth=key, timeout=30).json()
        assert answer["state"] == "REVIEW_REQUIRED"
        body = {"verificationMethod": "EMAIL_OTP", "action": "signIn", "email": "ann@example.com"}
        requests.post(f"{running.url}/challenge", json=body, auth=key, timeout=30)
        message = running.outbox.last("ann@example.com")
        assert message is not None
        assert message.code == "123456"


def test_the_error_of_the_page_is_the_one_that_is_printed() -> None:
    (shown,) = [block for block in blocks("text") if "emial" in block]
    text = """users:
  ann:
    displayName: Ann
    emial: ann@example.com
  ben:
    phoneNumber: 64211234567
  eve:
    authenticators:
      - verificationMethod: PASKEY
"""
    Path("tenant.yaml").write_text(text, encoding="utf-8")
    done = command("sandbox", "--fixture", "tenant.yaml")
    assert done.returncode == 2
    assert shown in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("users: {ann: {emial: x}}", 'line 1: users.ann.emial is an unknown field. Did you mean "email"?'),
        ("users:\n  ann:\n    email: 5", "line 3: users.ann.email must be text or null, not a whole number. Put it in"),
        ("users:\n  ann: 5", "line 2: users.ann must be a mapping, not a whole number."),
        ("users: {ann: {actions: [{state: ALLOW}]}}", "users.ann.actions[0] has no actionCode, which is required."),
        ("users: {ann: {createdAt: yesterday}}", "users.ann.createdAt must be a time such as"),
        ("users: {ann: {createdAt: -999999d}}", "users.ann.createdAt must be a time such as"),
        ("rules: 5", "line 1: rules must be a list, not a whole number."),
        (
            "settings:\n  actionResults:\n    signIn: ALLOW\n    pay: NO",
            "line 4: settings.actionResults.pay has an unknown value. Known: ALLOW",
        ),
        (
            "webhooks:\n  providerUrls:\n    sms.created: 5",
            "line 3: webhooks.providerUrls.sms.created must be text, not a whole number.",
        ),
        ("usrs: {}", 'line 1: usrs is an unknown field. Did you mean "users"?'),
        ("a: 1\na: 2", 'line 2: "a" occurs twice.'),
        ("users: [}", "line 1: did not find expected node content."),
        ("users: !!python/object:os.system {}", "line 1: could not determine a constructor"),
        ("[]", "It must be a mapping with fields such as users and rules."),
        ("", "It must be a mapping with fields such as users and rules."),
        ("&a [*a]", "it is more than 100 levels deep."),
        ("version: 2", "It has version 2, and this sandbox reads versions up to 1."),
        ("version: 0", "version must be a whole number >= 1."),
    ],
)
def test_errors_name_line_and_field(text: str, words: str) -> None:
    with pytest.raises(FixtureInvalid) as caught:
        Fixture.from_text(text, "tenant.yaml")
    assert str(caught.value).startswith("tenant.yaml is not a valid fixture. The sandbox was not changed.\n  ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"users": {"a": {"authenticators": [{"verificationMethod": "SMS"}]}}}, "needs a phoneNumber"),
        ({"users": {"a": {"authenticators": [{"verificationMethod": "EMAIL_OTP"}]}}}, "needs an email"),
        ({"users": {"a": {"authenticators": [{"verificationMethod": "PUSH"}]}}}, "needs app"),
        ({"users": {"": {}}}, "is not a user id"),
        ({"users": {"a": {"deleted": True, "email": "x"}}}, "users.a.email cannot be set for a deleted user"),
        (
            {
                "users": {
                    name: {
                        "authenticators": [{"verificationMethod": "IN_APP", "app": None, "userAuthenticatorId": "1"}]
                    }
                    for name in "ab"
                }
            },
            "users.b.authenticators[0].userAuthenticatorId occurs twice",
        ),
        (
            {"users": {"a": {"authenticators": [{"verificationMethod": "PASSKEY", "credential": {"provider": "x"}}]}}},
            "has an AAGUID that the sandbox does not know",
        ),
        (
            {"users": {"a": {"authenticators": [{"verificationMethod": "PASSKEY", "credential": {"aaguid": "x"}}]}}},
            "aaguid must be a UUID",
        ),
        (
            {
                "users": {
                    "a": {
                        "authenticators": [
                            {"verificationMethod": "PASSKEY", "credential": {"privateKey": "secret-key"}}
                        ]
                    }
                }
            },
            "privateKey must be an unencrypted key",
        ),
        ({"fixedCodes": {"a@example.com": "12"}}, "fixedCodes.a@example.com must have 4 to 10 digits"),
        ({"rules": [{"actionCode": "a", "name": "b"}]}, "rules[0] has no type, which is required"),
        (
            {"rules": [{"actionCode": "a", "name": "b", "type": "BLOCK", "conditions": {"nonsense": 1}}]},
            "is not JsonLogic",
        ),
        ({"rules": [{"actionCode": "a", "name": "b", "type": "BLOCK", "ruleId": [1]}]}, "rules[0].ruleId must be text"),
        (
            {"rules": [{"actionCode": "a", "name": "b", "type": "BLOCK", "priority": 1}] * 2},
            "rules[1].priority is taken",
        ),
        ({"actionConfigurations": [{"actionCode": "a b"}]}, "actionConfigurations[0].actionCode must have 1 to 64"),
        ({"authenticatorConfigurations": [{"verificationMethod": "FAX"}]}, "has an unknown value. Known: SMS"),
        ({"authenticatorConfigurations": [{"verificationMethod": "SMS"}] * 2}, "is set up twice"),
        ({"valueLists": [{"name": "a", "itemType": "number", "valueListItems": ["b"]}]}, "valueListItems[0] must be a"),
        ({"customDataPoints": [{"name": "a"}]}, "customDataPoints[0] has no dataType"),
        ({"theme": {"primaryColor": 5}}, "theme is not a theme"),
        ({"webhooks": {"logEventsUrl": "https://example.com"}}, "webhooks.logEventsUrl is not on this machine"),
        ({"settings": {"relyingParty": "https://x"}}, "settings.relyingParty must be a domain without https://"),
        ({"settings": {"expectedOrigins": ["x"]}}, 'settings.expectedOrigins has a wrong value: "x" is not an origin'),
        ({"clock": {"now": "2500-01-01T00:00:00Z"}}, "clock.now must be"),
        ({"inProgress": {"session_key": "secret-key"}}, "inProgress.session_key must be an RSA key"),
    ],
)
def test_a_fixture_that_does_not_fit_is_refused_without_its_secrets(value: Any, words: str) -> None:
    assert words in error_of(value)
    assert "secret-key" not in error_of(value)


def test_a_value_that_the_sandbox_refuses_is_named_with_its_line(seeded: RunningSandbox) -> None:
    answer = post(seeded, "webhooks:\n  timeoutSeconds: 1\n  logEventsUrl: https://example.com/x")
    assert answer.status_code == 400
    assert "  line 3: webhooks.logEventsUrl is not on this machine" in answer.json()["error"]


def test_an_invalid_fixture_changes_nothing(seeded: RunningSandbox) -> None:
    seeded.clock.freeze()
    before = Fixture.state_of(seeded.sandbox)
    for body in ("users: 3", "\x00", "users: {a: {authenticators: [{verificationMethod: SMS}]}}", "version: 99"):
        answer = post(seeded, body)
        assert answer.status_code == 400
        assert "The sandbox was not changed." in answer.json()["error"]
    assert requests.post(f"{seeded.control_url}fixture", data=b"\xff", timeout=30).status_code == 400
    assert Fixture.state_of(seeded.sandbox) == before


def test_what_is_written_makes_the_same_tenant(seeded: RunningSandbox) -> None:
    auth = (MANAGEMENT_SECRET, "")
    seeded.sandbox.delete_user(seeded.sandbox.store.user_ids()[3], actions=False)
    theme: dict[str, Any] = {"primaryColor": "#112233", "darkMode": {"primaryColor": "#445566"}}
    requests.patch(f"{seeded.url}/management/theme", json=theme, auth=auth, timeout=30)
    seeded.sandbox.ip_facts["10.0.0.1"] = IpFacts(country_code="NZ", is_anonymous=True)
    seeded.sandbox.webhooks.configure(verification_urls={"signIn": "http://127.0.0.1:9/x"}, previous_secret_key="old")
    seeded.sandbox.configure(listing="refused", fixed_codes={"ann@example.com": "0123"})
    requests.post(f"{seeded.url}/users/ann/actions/signIn", json={"email": "ann@example.com"}, auth=SERVER, timeout=30)
    seeded.sandbox.new_recovery_codes("ann")
    seeded.clock.freeze()
    for form in ("json", "yaml"):
        written = requests.get(f"{seeded.control_url}fixture?format={form}", timeout=30).text
        seeded.reset()
        seeded.sandbox.webhooks.configure(verification_urls={})
        answer = post(seeded, written)
        assert answer.status_code == 200, answer.text
        again = requests.get(f"{seeded.control_url}fixture?format={form}", timeout=30).text
        assert Source("", again).value() == Source("", written).value()


def test_a_written_tenant_shows_the_same_rows_and_has_the_same_truth() -> None:
    made = Sandbox(SandboxConfig(users=120, seed=7, stories=True))
    copy = Sandbox(SandboxConfig(fixture=Fixture.of(Fixture.of_sandbox(made))))
    assert copy.store.user_ids() == made.store.user_ids()
    for user_id in made.store.user_ids():
        assert copy.store.get_user(user_id) == made.store.get_user(user_id)
        assert copy.store.belongings(user_id) == made.store.belongings(user_id)
    assert copy.tenant == made.tenant
    assert copy.truth(SEEDED_NOW) == made.truth(SEEDED_NOW)


def test_a_passkey_has_the_model_and_the_key_that_the_fixture_gives() -> None:
    key = pem_of(new_key(-257))
    given = {
        "verificationMethod": "PASSKEY",
        "credential": {
            "provider": "Acme Keys",
            "aaguid": "00000000-0000-4000-8000-00000000acde",
            "privateKey": key,
            "credentialId": "YWNtZQ",
            "userAgent": IPHONE,
        },
    }
    sandbox = sandbox_of({"ann": {"email": "ann@example.com", "authenticators": [given]}})
    (held,) = sandbox.store.authenticators("ann")
    assert held.credential is not None
    assert (held.credential.name, held.credential.aaguid) == ("Acme Keys", "00000000-0000-4000-8000-00000000acde")
    assert held.credential.agent["os"]["name"] == "iOS"
    with run_in_thread(SandboxConfig(fixture=Fixture.of(Fixture.of_sandbox(sandbox)))) as running:
        answer = requests.get(f"{running.control_url}passkey?userId=ann&origin=http://localhost:3000", timeout=30)
        passkey = SoftwarePasskey.load(answer.json())
        assert passkey.credentials[0].credential_id == b"acme"
        assert sign_in(running, passkey) == "ann"


def sign_in(running: RunningSandbox, passkey: SoftwarePasskey) -> str:
    tenant, path = (running.sandbox.config.tenant_id, ""), f"{running.url}/client/user-authenticators/passkey"
    started = requests.post(f"{path}/authentication-options", json={}, auth=tenant, timeout=30).json()
    signed = {"challengeId": started["challengeId"], "authenticationCredential": passkey.get(started["options"])}
    answer = requests.post(f"{running.url}/client/verify/passkey", json=signed, auth=tenant, timeout=30).json()
    return str(answer["userId"])


def test_a_passkey_without_a_key_cannot_sign_in() -> None:
    given = {"verificationMethod": "PASSKEY", "credential": {"privateKey": None}}
    with run_in_thread(SandboxConfig(fixture=Fixture.of({"users": {"ann": {"authenticators": [given]}}}))) as running:
        with pytest.raises(ConfigurationError, match="no passkey with a private key"):
            running.passkey("ann")
        assert requests.get(f"{running.control_url}passkey?userId=ann", timeout=30).status_code == 400
        assert requests.get(f"{running.control_url}passkey", timeout=30).status_code == 400


def test_an_authenticator_app_has_a_secret_whose_codes_are_accepted() -> None:
    users = {"ann": {"authenticators": [{"verificationMethod": "AUTHENTICATOR_APP"}]}}
    with run_in_thread(SandboxConfig(fixture=Fixture.of({"users": users}))) as running:
        secret = running.fixture()["users"]["ann"]["authenticators"][0]["totp"]["secret"]
        tracked = requests.post(f"{running.url}/users/ann/actions/signIn", json={}, auth=SERVER, timeout=30).json()
        body = {"verificationCode": pyotp.TOTP(secret).at(running.clock.now())}
        bearer = {"Authorization": f"Bearer {tracked['token']}"}
        answer = requests.post(f"{running.url}/client/verify/totp", json=body, headers=bearer, timeout=30)
        assert answer.json()["isVerified"]


def test_the_same_file_has_the_same_ids_keys_and_codes_each_time() -> None:
    users = {
        "ann": {
            "email": "a@example.com",
            "authenticators": [{"verificationMethod": "PASSKEY"}],
            "actions": [{"actionCode": "signIn", "state": "ALLOW", "createdAt": "-1d"}],
        }
    }
    one, other = sandbox_of(users), sandbox_of(users)
    for sandbox in (one, other):
        sandbox.clock.freeze()
    assert one.store.authenticators("ann")[0].credential == other.store.authenticators("ann")[0].credential
    assert one.new_id() == other.new_id()
    assert one.new_recovery_codes("ann") == other.new_recovery_codes("ann")


def test_ids_after_a_fixture_differ_from_those_that_it_contains() -> None:
    sandbox = Sandbox(SandboxConfig(seed=1))
    before = {sandbox.new_id() for _ in range(50)}
    Fixture.of(Fixture.of_sandbox(sandbox)).put_into(sandbox)
    assert before.isdisjoint({sandbox.new_id() for _ in range(50)})


def test_what_the_configuration_sets_takes_precedence_at_the_start() -> None:
    fixture = Fixture.of(
        {
            "keys": {"apiSecretKey": "of-the-file", "tenantId": "of-the-file"},
            "settings": {"listing": "refused", "expectedOrigins": ["https://example.com"]},
            "fixedCodes": {"a": "1111", "b": 2222},
        }
    )
    config = Sandbox(SandboxConfig(api_secret_key="mine", fixed_codes={"a": "3333"}, fixture=fixture)).config
    assert (config.api_secret_key, config.tenant_id, config.listing) == ("mine", "of-the-file", "refused")
    assert config.fixed_codes == {"a": "3333", "b": "2222"}
    assert config.expected_origins == ("https://example.com",)


def test_invented_users_are_added_to_a_fixture() -> None:
    fixture = Fixture.of({"users": {"ann": None}})
    sandbox = Sandbox(SandboxConfig(users=5, seed=7, fixture=fixture))
    assert sandbox.store.counts()["users"] == 6
    assert sandbox.configuration_changes()  # the fixture has no configuration, so the tenant is a new one
    plain = Sandbox(SandboxConfig(users=5, seed=7, fixture=Fixture.of({"rules": []})))
    assert (plain.tenant.rules, plain.configuration_changes()) == ({}, ())


def test_times_count_back_from_the_sandboxs_clock() -> None:
    users = {"ann": {"actions": [{"actionCode": "a", "state": "ALLOW", "createdAt": "-2h"}]}}
    sandbox = sandbox_of(users, clock={"now": "2026-05-01T12:00:00+02:00", "frozen": True})
    (action,) = sandbox.store.belongings("ann").actions.values()
    user = sandbox.store.get_user("ann")
    assert user is not None
    assert action.created_at.isoformat() == user.created_at.isoformat() == "2026-05-01T08:00:00+00:00"
    assert sandbox.clock.is_frozen


def test_a_rule_of_an_unknown_action_configures_it() -> None:
    rule = {"actionCode": "withdraw", "name": "Never", "type": "BLOCK"}
    assert "withdraw" in sandbox_of(rules=[rule]).tenant.actions


def test_yaml_has_the_values_of_version_1_2() -> None:
    text = "a: no\nb: 0123\nc: +64\nd: 12\ne: 1.5\nf: true\ng: ~\n12: x\nh: 2026-01-01\ni: &x {k: v}\nj: {<<: *x}"
    found = Source("a.yaml", text).value()
    assert found == {
        "a": "no",
        "b": "0123",
        "c": "+64",
        "d": 12,
        "e": 1.5,
        "f": True,
        "g": None,
        "12": "x",
        "h": "2026-01-01",
        "i": {"k": "v"},
        "j": {"k": "v"},
    }


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | TEXTS
    | st.sampled_from(["no", "0123", "1e5", "~", "<<"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(value=st.dictionaries(TEXTS.filter(lambda text: text not in ("", "<<")), VALUES, max_size=4))
def test_written_yaml_is_read_as_the_same_values(value: dict[str, Any]) -> None:
    assert Source("a.yaml", as_yaml(value)).value() == value


def test_the_schema_accepts_the_example_and_what_is_written_and_refuses_typing_errors() -> None:
    check = jsonschema.Draft202012Validator(fixture_schema())
    (text,) = blocks("yaml")
    written = json.loads(json.dumps(Fixture.state_of(Sandbox(SandboxConfig(users=30, seed=7)))))
    for value in (Source("", text).value(), written):
        assert [error.message for error in check.iter_errors(value)] == []
    wrong: list[dict[str, Any]] = [{"usrs": {}}, {"users": {"a": {"emial": ""}}}, {"rules": 1}, {"version": 2}]
    assert not any(check.is_valid(one) for one in wrong)


def test_command_and_route_print_the_schema(empty: RunningSandbox) -> None:
    printed = command("sandbox", "--fixture-schema").stdout
    assert json.loads(printed) == fixture_schema()
    assert requests.get(f"{empty.control_url}fixture/schema", timeout=30).json() == fixture_schema()


def test_the_settings_of_a_fixture_are_fields_of_the_configuration() -> None:
    assert set(Settings.__struct_fields__) <= {one.name for one in fields(SandboxConfig)}


def test_a_missing_file_and_a_wrong_argument_are_explained(tmp_path: Path) -> None:
    with pytest.raises(FixtureInvalid, match=r"Cannot read nowhere\.yaml: No such file"):
        Fixture.read("nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("users: {zürich: {}}".encode("latin-1"))
    with pytest.raises(FixtureInvalid, match="it is not UTF-8"):
        Fixture.read("latin.yaml")
    with pytest.raises(ValueError, match="fixture must be a Fixture"):
        SandboxConfig(fixture="tenant.yaml")  # type: ignore[arg-type]
    with pytest.raises(FixtureInvalid, match="must have text, numbers, lists"):
        Fixture.of({"users": object()})


def test_a_short_text_with_too_many_values_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(FixtureInvalid, match="more than 1,000,000 values"):
        Fixture.from_text("\n".join(lines), "bomb.yaml")


def test_a_written_fixture_is_yaml_that_other_programs_read(seeded: RunningSandbox) -> None:
    text = requests.get(f"{seeded.control_url}fixture?format=yaml", timeout=30).text
    assert yaml.safe_load(text)["fixedCodes"] == {}


@pytest.mark.parametrize("form", [*Form.__subclasses__(), Document])
def test_the_page_lists_every_field(form: type[Form]) -> None:
    page = (ROOT / "docs" / PAGE).read_text("utf-8")
    assert [one.encode_name for one in structs.fields(form) if f"`{one.encode_name}`" not in page] == []
