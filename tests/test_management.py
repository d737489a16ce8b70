"""The Management API: everything that is configured can be created, read, changed and deleted."""

from typing import Any

import pytest

from dlt_authsignal.api.endpoints import basic_auth
from dlt_authsignal.api.values import VERIFICATION_METHODS
from dlt_authsignal.sandbox import RunningSandbox, SandboxConfig, run_in_thread
from tests.ceremonies import Visitor
from tests.helpers import MANAGEMENT_SECRET, ask
from tests.tiers import deep_except

HIGH = {"==": [{"var": "custom.amount"}, 1000]}


def manage(running: RunningSandbox, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    return ask(running, method, f"/management{path}", body, auth=basic_auth(MANAGEMENT_SECRET))[:2]


COLLECTIONS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "/action-configurations",
        "actionCode",
        {"actionCode": "withdraw", "defaultUserActionResult": "BLOCK"},
        {"defaultUserActionResult": "REVIEW", "verificationMethods": ["PASSKEY"]},
    ),
    (
        "/action-configurations/payment/rules",
        "ruleId",
        {"name": "High", "type": "CHALLENGE", "conditions": HIGH, "priority": 3},
        {"priority": 7, "isActive": False, "description": "Only now and then"},
    ),
    (
        "/action_configurations/payment/rules",
        "ruleId",
        {"name": "High", "type": "BLOCK", "conditions": HIGH},
        {"name": "Higher"},
    ),
    (
        "/authenticator-configurations",
        "authenticatorId",
        {"verificationMethod": "VERIFF", "isActive": False},
        {"isActive": True, "rateLimitConfiguration": {"rateLimit": 3, "windowInMinutes": 1}},
    ),
    (
        "/custom-data-points",
        "id",
        {"name": "tier", "dataType": "text", "modelType": "user"},
        {"description": "Gold or silver", "isPublic": True},
    ),
    (
        "/value-lists",
        "alias",
        {"name": "Risky Domains", "itemType": "string", "valueListItems": ["a.example"]},
        {"valueListItems": ["a.example", "b.example"], "isActive": False},
    ),
]
IDS = [path for path, *_ in COLLECTIONS]


@pytest.mark.parametrize(("path", "key", "new", "change"), COLLECTIONS, ids=IDS)
def test_an_object_is_created_listed_read_changed_and_deleted(
    empty: RunningSandbox, path: str, key: str, new: dict[str, Any], change: dict[str, Any]
) -> None:
    before = manage(empty, "GET", path)[1]
    status, created = manage(empty, "POST", path, new)
    assert status == 200
    assert new.items() <= created.items()
    one = f"{path}/{created[key]}"
    assert manage(empty, "GET", one) == (200, created)
    assert created in manage(empty, "GET", path)[1]
    changed = manage(empty, "PATCH", one, change)[1]
    assert changed == {**created, **change}
    assert manage(empty, "GET", one) == (200, changed)
    assert manage(empty, "DELETE", one) == (200, {"success": True, "statusCode": 200})
    assert manage(empty, "GET", one)[0] == manage(empty, "DELETE", one)[0] == 404
    assert manage(empty, "GET", path)[1] == before


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("/action-configurations", {}),
    ("/action-configurations", {"actionCode": "with space"}),
    ("/action-configurations", {"actionCode": "signIn"}),
    ("/action-configurations", {"actionCode": "x", "defaultUserActionResult": "SHRUG"}),
    ("/action-configurations", {"actionCode": "x", "verificationMethods": ["VERIFF"]}),
    ("/action-configurations", {"actionCode": "x", "promptToEnrollVerificationMethods": ["SMS"]}),
    ("/action-configurations/signIn/rules", {"name": "n"}),
    ("/action-configurations/signIn/rules", {"type": "BLOCK"}),
    ("/action-configurations/signIn/rules", {"name": None, "type": "BLOCK"}),
    ("/action-configurations/signIn/rules", {"name": "", "type": "BLOCK"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "priority": "3"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "priority": 1.5}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "priority": -1}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "isActive": "true"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "isActive": 1}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "block"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "ruleId": "mine"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "tenantId": "mine"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "actionCode": "payment"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "verificationMethods": "SMS"}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "verificationMethods": ["RECOVERY_CODE"]}),
    ("/action-configurations", {"actionCode": "x", "tenantId": "mine"}),
    ("/action-configurations", {"actionCode": "x", "lastActionCreatedAt": "2026-01-01T00:00:00.000Z"}),
    ("/action-configurations", {"actionCode": 5}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "authenticatorId": "mine"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "verificationCodeLength": "6"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "sessionTtlInMinutes": 0}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "smsCountryCodes": ["NZL"]}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "pushProvider": "CARRIER_PIGEON"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "appAttestationFailureMode": "SHRUG"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "passkeyRegistrationHints": ["phone"]}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "authenticatorAttachment": "usb"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "relyingParty": "https://example.com"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "expectedOrigins": ["example.com"]}),
    ("/custom-data-points", {"name": "n", "dataType": "text", "modelType": "user", "id": "mine"}),
    ("/custom-data-points", {"name": "n", "dataType": "text", "modelType": "user", "isPublic": "yes"}),
    ("/value-lists", {"name": "n", "itemType": "number", "valueListItems": [True]}),
    ("/value-lists", {"name": "n", "itemType": "number", "valueListItems": ["1"]}),
    ("/value-lists", {"name": "n", "itemType": "string", "valueListItems": [1]}),
    ("/value-lists", {"name": "n", "itemType": "string", "valueListItems": [None]}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "conditions": HIGH, "priority": 0}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "conditions": HIGH, "priority": 100}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "conditions": {"nonsense": [1]}}),
    ("/action-configurations/signIn/rules", {"name": "n", "type": "BLOCK", "conditions": "always"}),
    (
        "/action-configurations/signIn/rules",
        {"name": "n", "type": "BLOCK", "conditions": HIGH, "verificationMethods": ["TELEPATHY"]},
    ),
    ("/authenticator-configurations", {"verificationMethod": "SMS"}),
    ("/authenticator-configurations", {"verificationMethod": "TELEPATHY"}),
    ("/authenticator-configurations", {"verificationMethod": "VERIFF", "verificationCodeLength": 99}),
    ("/custom-data-points", {"name": "n", "dataType": "date", "modelType": "user"}),
    ("/custom-data-points", {"name": "plan", "dataType": "text", "modelType": "user"}),
    ("/value-lists", {"name": "Trusted partners", "itemType": "string"}),
    ("/value-lists", {"name": "n", "itemType": "number", "valueListItems": ["text"]}),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_an_invalid_object_is_refused_and_changes_nothing(
    empty: RunningSandbox, path: str, body: dict[str, Any]
) -> None:
    before = empty.sandbox.tenant
    status, answer = manage(empty, "POST", path, body)
    assert (status, answer["errorCode"]) == (400, "invalid_request")
    assert empty.sandbox.tenant == before


def test_rules_of_an_unknown_action_are_not_found(empty: RunningSandbox) -> None:
    assert manage(empty, "GET", "/action-configurations/none/rules")[0] == 404
    assert manage(empty, "GET", "/action-configurations/none")[0] == 404
    rule = manage(empty, "GET", "/action-configurations/signIn/rules")[1][0]
    assert manage(empty, "GET", f"/action-configurations/payment/rules/{rule['ruleId']}")[0] == 404


def test_deleting_an_action_deletes_its_rules(empty: RunningSandbox) -> None:
    manage(empty, "DELETE", "/action-configurations/signIn")
    manage(empty, "POST", "/action-configurations", {"actionCode": "signIn"})
    assert manage(empty, "GET", "/action-configurations/signIn/rules")[1] == []


def test_the_tenant_shows_only_configured_settings(empty: RunningSandbox) -> None:
    tenant = manage(empty, "GET", "/tenant")[1]
    assert tenant == {
        "tenantId": empty.sandbox.config.tenant_id,
        "name": "Sandbox",
        "tokenDurationInMinutes": 10,
    }
    changed = manage(empty, "PATCH", "/tenant", {"disableRecoveryCodes": False, "tokenDurationInMinutes": 15})[1]
    assert (changed["disableRecoveryCodes"], changed["tokenDurationInMinutes"]) == (False, 15)
    assert manage(empty, "PATCH", "/tenant", changed) == (200, changed)
    cleared = {"disableRecoveryCodes": None, "tokenDurationInMinutes": None}
    assert manage(empty, "PATCH", "/tenant", cleared)[1] == tenant


@pytest.mark.parametrize(
    "change",
    [
        {"tokenDurationInMinutes": 0},
        {"tokenDurationInMinutes": "15"},
        {"hideSuccessScreenOnEnrollment": "true"},
        {"name": None},
        {"tenantId": "other"},
        {"customDomain": "mfa.example.com"},
        {"allowDisablingMfa": False},
        {"hideAuthsignalLogo": True},
        {"skipRecoveryCodesOnProgrammaticEnrollment": True},
    ],
    ids=str,
)
def test_a_setting_of_the_tenant_that_cannot_be_changed_like_this_is_refused(
    empty: RunningSandbox, change: dict[str, Any]
) -> None:
    before = empty.sandbox.tenant
    assert manage(empty, "PATCH", "/tenant", change)[0] == 400
    assert empty.sandbox.tenant == before


@pytest.mark.parametrize(("path", "key", "new", "change"), COLLECTIONS, ids=IDS)
def test_every_optional_field_can_be_null_or_missing(
    empty: RunningSandbox, path: str, key: str, new: dict[str, Any], change: dict[str, Any]
) -> None:
    """Null counts as missing on creation, and removes the value later. A default takes its place."""
    needed = {name: new[name] for name in REQUIRED[key] if name in new}
    plain = manage(empty, "POST", path, needed)[1]
    assert manage(empty, "DELETE", f"{path}/{plain[key]}")[0] == 200
    optional = OPTIONAL[key]
    status, created = manage(empty, "POST", path, {**dict.fromkeys(optional), **needed})
    assert status == 200
    one = f"{path}/{created[key]}"
    stable = {name: value for name, value in plain.items() if name != key}
    assert {name: value for name, value in created.items() if name != key} == stable
    assert manage(empty, "PATCH", one, change)[0] == 200
    for name in optional:
        status, changed = manage(empty, "PATCH", one, {name: None})
        assert status == 200
        assert changed.get(name) == plain.get(name)
    for name in KEPT[key]:
        assert manage(empty, "PATCH", one, {name: None})[0] == 400
    assert manage(empty, "PATCH", one, manage(empty, "GET", one)[1])[0] == 200


REQUIRED = {
    "actionCode": ["actionCode"],
    "ruleId": ["name", "type"],
    "authenticatorId": ["verificationMethod"],
    "id": ["name", "dataType", "modelType"],
    "alias": ["name", "itemType"],
}
KEPT: dict[str, list[str]] = {
    "actionCode": [],
    "ruleId": ["name", "type"],
    "authenticatorId": [],
    "id": [],
    "alias": ["name"],
}
OPTIONAL = {
    "actionCode": [
        "defaultUserActionResult", "messagingTemplates", "verificationMethods", "promptToEnrollVerificationMethods",
        "defaultVerificationMethod", "verificationWebhookUrl", "tenantId", "lastActionCreatedAt",
    ],
    "ruleId": [
        "description", "isActive", "priority", "verificationMethods", "promptToEnrollVerificationMethods",
        "defaultVerificationMethod", "conditions", "tenantId",
    ],
    "authenticatorId": [
        "authenticatorType", "isActive", "isEditableByUser", "isHiddenToUser", "oobChannel", "smsProvider",
        "smsChannel", "emailProvider", "pushProvider", "webhookUrl", "magicLinkMode", "messageTemplate", "sender",
        "providerType", "relyingParty", "expectedOrigins", "verificationCodeLength", "enrollmentPromptInterval",
        "hideTotpAppDownloadScreen", "issuerName", "sessionTtlInMinutes", "userVerificationRequirement",
        "authenticatorAttachment", "showEmailDeliveryTimeWarning", "smsCountryCodes",
        "allowMultipleUserAuthenticators", "rateLimitConfiguration", "sendingRateLimitConfiguration",
        "passkeyRegistrationHints", "whatsAppProvider", "redirectUrls", "dontSkipEnrollmentInputScreen",
        "documentTypes", "recoveryMethods", "disableEnrollmentPrompt", "requireAppAttestation",
        "appAttestationFailureMode", "twilioCredentials", "messageBirdV2Credentials",
    ],
    "id": ["description", "isPublic"],
    "alias": ["isActive", "valueListItems"],
}  # fmt: skip


UNCHANGEABLE = [
    ("/action-configurations/signIn", {"actionCode": "other"}),
    ("/value-lists/trusted-partners", {"alias": "other"}),
    ("/value-lists/trusted-partners", {"itemType": "number"}),
    ("/custom-data-points/ID", {"name": "other"}),
    ("/custom-data-points/ID", {"dataType": "number"}),
    ("/custom-data-points/ID", {"modelType": "action"}),
]


@pytest.mark.parametrize(("path", "change"), UNCHANGEABLE)
def test_a_field_that_identifies_an_object_cannot_be_changed(
    empty: RunningSandbox, path: str, change: dict[str, Any]
) -> None:
    path = path.replace("ID", next(iter(empty.sandbox.tenant.data_points)))
    before = manage(empty, "GET", path)[1]
    assert manage(empty, "PATCH", path, change)[0] == 400
    assert manage(empty, "GET", path)[1] == before


@pytest.mark.parametrize(
    "limit",
    [
        {"rateLimit": 0, "windowInMinutes": 1},
        {"rateLimit": 101, "windowInMinutes": 1},
        {"rateLimit": "5", "windowInMinutes": 1},
        {"rateLimit": 5, "windowInMinutes": 0.5},
        {"rateLimit": 5, "windowInMinutes": 1441},
        {"rateLimit": 5, "windowInMinutes": "10"},
        {"rateLimit": 5},
    ],
    ids=str,
)
def test_a_rate_limit_out_of_bounds_is_refused(empty: RunningSandbox, limit: dict[str, Any]) -> None:
    one = f"/authenticator-configurations/{next(iter(empty.sandbox.tenant.methods))}"
    assert manage(empty, "PATCH", one, {"rateLimitConfiguration": limit})[0] == 400
    allowed = {"rateLimit": 5, "windowInMinutes": 2.5}
    changed = manage(empty, "PATCH", one, {"rateLimitConfiguration": allowed})[1]
    assert changed["rateLimitConfiguration"] == allowed


@pytest.mark.parametrize("matches", [False, True])
def test_a_rule_without_conditions_matches_as_configured(empty: RunningSandbox, matches: bool) -> None:
    ask(empty, "POST", "/_sandbox/config", {"unconditional_rules_match": matches})
    path = "/action-configurations/payment/rules"
    created = manage(empty, "POST", path, {"name": "All", "type": "BLOCK"})[1]
    assert "conditions" not in created
    assert ask(empty, "POST", "/users/u/actions/payment")[1]["state"] == ("BLOCK" if matches else "ALLOW")
    manage(empty, "PATCH", f"{path}/{created['ruleId']}", {"conditions": {"==": [1, 1]}})
    assert ask(empty, "POST", "/users/u/actions/payment")[1]["state"] == "BLOCK"
    changed = manage(empty, "PATCH", f"{path}/{created['ruleId']}", {"conditions": None})[1]
    assert "conditions" not in changed
    assert ask(empty, "POST", "/users/u/actions/payment")[1]["state"] == ("BLOCK" if matches else "ALLOW")


def test_the_tenants_token_duration_is_the_lifetime_of_tokens(empty: RunningSandbox) -> None:
    manage(empty, "PATCH", "/tenant", {"tokenDurationInMinutes": 2})
    visitor = Visitor(empty).track()
    visitor.wait(seconds=121)
    assert visitor.post("/user-authenticators/totp")[1]["errorCode"] == "expired_token"


def test_a_disabled_verification_method_cannot_be_used_or_enrolled(empty: RunningSandbox) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(empty, "GET", "/authenticators")[1]}
    manage(empty, "PATCH", f"/authenticator-configurations/{methods['SMS']}", {"isActive": False})
    assert Visitor(empty).track().post("/user-authenticators/sms", {"phoneNumber": "+1"})[0] == 400
    assert "SMS" not in ask(empty, "POST", "/users/u/actions/signIn")[1]["allowedVerificationMethods"]


def test_passkey_settings_are_applied_to_the_registration_options(empty: RunningSandbox) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(empty, "GET", "/authenticators")[1]}
    change = {"relyingParty": "example.com", "userVerificationRequirement": "preferred"}
    manage(empty, "PATCH", f"/authenticator-configurations/{methods['PASSKEY']}", change)
    options = Visitor(empty).track().post("/user-authenticators/passkey/registration-options", {})[1]["options"]
    assert options["rp"]["id"] == "example.com"
    assert options["authenticatorSelection"]["userVerification"] == "preferred"


def test_code_length_and_rate_limits_are_those_of_the_tenant(empty: RunningSandbox) -> None:
    methods = {row["verificationMethod"]: row["authenticatorId"] for row in ask(empty, "GET", "/authenticators")[1]}
    change = {
        "verificationCodeLength": 8,
        "sendingRateLimitConfiguration": {"rateLimit": 1, "windowInMinutes": 5},
    }
    manage(empty, "PATCH", f"/authenticator-configurations/{methods['EMAIL_OTP']}", change)
    visitor = Visitor(empty).track()
    assert visitor.post("/user-authenticators/email-otp", {"email": "a@example.com"})[0] == 200
    assert len(visitor.last_code()) == 8
    assert visitor.post("/user-authenticators/email-otp", {"email": "a@example.com"})[0] == 429


@pytest.mark.parametrize("masked", [True, False])
def test_provider_credentials_are_masked_unless_configured_otherwise(masked: bool) -> None:
    with run_in_thread(SandboxConfig(seed=1, methods=("SMS",), masked_credentials=masked)) as running:
        (row,) = manage(running, "GET", "/authenticator-configurations")[1]
        one = f"/authenticator-configurations/{row['authenticatorId']}"
        changed = manage(running, "PATCH", one, {"twilioCredentials": {"authToken": "secret-token"}})[1]
        for answer in (changed, manage(running, "GET", one)[1], manage(running, "GET", one.rpartition("/")[0])[1]):
            assert ("secret-token" in str(answer)) is not masked


def test_message_overrides_are_replaced_and_themes_are_merged(empty: RunningSandbox) -> None:
    for locale in ("en", "de"):
        manage(empty, "PATCH", "/message-overrides", {"messageOverrides": {locale: {"title": "x"}}})
    assert manage(empty, "GET", "/message-overrides")[1] == {"messageOverrides": {"de": {"title": "x"}}}
    assert manage(empty, "PATCH", "/message-overrides", {"messageOverrides": None})[1] == {"messageOverrides": {}}
    assert manage(empty, "PATCH", "/message-overrides", {})[0] == 400
    manage(empty, "PATCH", "/theme", {"name": "dark", "colors": {"link": "#000", "hover": "#111"}})
    change = {"name": "light", "colors": {"hover": None}, "darkMode": {"borders": {"cardBorderWidth": None}}}
    expected = {"name": "light", "colors": {"link": "#000"}, "darkMode": {"borders": {}}}
    assert manage(empty, "PATCH", "/theme", change)[1] == expected
    catalogue = manage(empty, "GET", "/message-overrides/catalog")[1]
    assert type(catalogue["catalogVersion"]) is int  # as in Authsignal's Go client


@pytest.mark.parametrize(
    "change",
    [
        {"borders": {"buttonBorderRadius": "5"}},
        {"borders": {"buttonBorderRadius": 1.5}},
        {"container": {"logoHeight": True}},
        {"container": {"logoPosition": "above"}},
        {"darkMode": {"borders": {"cardBorderWidth": "1"}}},
        {"primaryColor": 5},
        {"colors": "red"},
    ],
    ids=str,
)
def test_a_theme_with_a_value_of_another_type_is_refused(empty: RunningSandbox, change: dict[str, Any]) -> None:
    assert manage(empty, "PATCH", "/theme", change)[0] == 400
    assert manage(empty, "GET", "/theme")[1] == {}


def test_an_action_is_configured_by_its_first_use_and_records_its_last_use(empty: RunningSandbox) -> None:
    ask(empty, "POST", "/users/u/actions/brandNew")
    configuration = manage(empty, "GET", "/action-configurations/brandNew")[1]
    assert configuration["defaultUserActionResult"] == "CHALLENGE"
    assert configuration["lastActionCreatedAt"] == ask(empty, "GET", "/users/u/actions")[1][0]["createdAt"]


@pytest.mark.parametrize("method", deep_except(["EMAIL_OTP", "PASSKEY"], VERIFICATION_METHODS))
def test_an_authenticator_configuration_is_found_by_the_slug_of_its_method(method: str) -> None:
    path = f"/authenticator-configurations/{method.lower().replace('_', '-')}"
    with run_in_thread(SandboxConfig(seed=1, methods=("PASSKEY",) if method != "PASSKEY" else ("SMS",))) as running:
        assert manage(running, "GET", path)[0] == manage(running, "DELETE", path)[0] == 404
        assert manage(running, "PATCH", path, {"isActive": False})[0] == 404
        status, created = manage(running, "POST", path, {"isActive": False})
        assert (status, created["verificationMethod"], created["isActive"]) == (200, method, False)
        by_id = f"/authenticator-configurations/{created['authenticatorId']}"
        assert manage(running, "GET", path) == manage(running, "GET", by_id) == (200, created)
        changed = manage(running, "PATCH", path, {"isActive": True})[1]
        assert changed == {**created, "isActive": True} == manage(running, "GET", by_id)[1]
        conflict, refusal = manage(running, "POST", path, {})
        assert (conflict, refusal["errorCode"]) == (409, "conflict")
        assert manage(running, "DELETE", path) == (200, {"success": True, "statusCode": 200})
        assert manage(running, "GET", path)[0] == manage(running, "GET", by_id)[0] == 404


def test_a_slug_that_no_method_has_or_that_contradicts_the_body_is_refused(empty: RunningSandbox) -> None:
    before = empty.sandbox.tenant
    for slug in ("telepathy", "EMAIL_OTP", "email_otp", "Sms"):
        assert manage(empty, "POST", f"/authenticator-configurations/{slug}", {})[0] == 404
        assert manage(empty, "GET", f"/authenticator-configurations/{slug}")[0] == 404
    body = {"verificationMethod": "IPROOV"}
    status, answer = manage(empty, "POST", "/authenticator-configurations/veriff", body)
    assert (status, answer["errorCode"]) == (400, "invalid_request")
    assert empty.sandbox.tenant == before
    assert manage(empty, "POST", "/authenticator-configurations/iproov", body)[0] == 200
