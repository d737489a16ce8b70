"""The Management API: read and write the tenant's configuration. Lists are not paged."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from msgspec import UNSET, structs

from dlt_authsignal.api import management_endpoints as endpoints
from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.api.values import VERIFICATION_METHODS
from dlt_authsignal.sandbox.core.config import DOMAIN, ORIGIN
from dlt_authsignal.sandbox.core.refusals import Refusal, invalid, not_found
from dlt_authsignal.sandbox.http.dispatch import Call, Handler, Served
from dlt_authsignal.sandbox.http.routes.management import data_points as management_data
from dlt_authsignal.sandbox.http.routes.management import theme
from dlt_authsignal.sandbox.http.routes.management.bodies import (
    ActionChanges,
    MethodChanges,
    Overrides,
    RuleChanges,
    TenantChanges,
)
from dlt_authsignal.sandbox.http.routes.management.common import (
    DELETED,
    Deleted,
    kept_required,
    merged,
    one,
    required,
    unchangeable,
    written,
)
from dlt_authsignal.sandbox.http.routes.server.actions import check_code
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.verification.rules import compiled
from dlt_authsignal.sandbox.webhooks.settings import check_target, check_url

Json = dict[str, Any]


def _check_methods(sandbox: Sandbox, body: Json) -> None:
    """Check that the methods of an action or a rule are enabled for the tenant."""
    named = [*(body.get("verificationMethods") or ()), *(body.get("promptToEnrollVerificationMethods") or ())]
    if body.get("defaultVerificationMethod"):
        named.append(body["defaultVerificationMethod"])
    for method in named:
        if method == "RECOVERY_CODE" or method not in sandbox.tenant.active_methods():
            raise invalid(f'"{method[:40]}" is not a verification method that is enabled for the tenant.')


def _check_url(sandbox: Sandbox, body: Json, name: str) -> None:
    """Check the URL of a webhook that the sandbox will call."""
    if body.get(name) is not None:
        try:
            check_url(name, body[name])
            check_target(name, body[name], sandbox.config.known_webhook_hosts)
        except ValueError as error:
            raise invalid(str(error)) from None


def get_tenant(call: Call) -> Json:
    return {"tenantId": call.sandbox.config.tenant_id, **call.sandbox.shown_tenant.details}


READ_ONLY_SETTINGS: Final = (
    "tenantId",
    "allowDisablingMfa",
    "hideAuthsignalLogo",
    "customDomain",
    "redirectOnSessionExpiry",
    "allowDeletingUserAuthenticators",
    "skipRecoveryCodesOnProgrammaticEnrollment",
    "hideRecoveryCodesOnEnrollment",
)


def update_tenant(call: Call, body: TenantChanges) -> Json:
    sandbox, old = call.sandbox, get_tenant(call)
    new = unchangeable(old, written(body), *READ_ONLY_SETTINGS)
    kept_required(new, "name")
    defaults = {"tokenDurationInMinutes": sandbox.config.token_minutes}
    sandbox.tenant = replace(sandbox.tenant, details=merged(sandbox.tenant.details, new, defaults))
    return get_tenant(call)


def get_theme(call: Call) -> Json:
    return call.sandbox.shown_tenant.theme


def update_theme(call: Call, body: Json) -> Json:
    sandbox = call.sandbox
    sandbox.tenant = replace(sandbox.tenant, theme=theme.changed(sandbox.tenant.theme, body))
    return sandbox.tenant.theme


def get_overrides(call: Call) -> Json:
    return {"messageOverrides": call.sandbox.shown_tenant.overrides}


def update_overrides(call: Call, body: Overrides) -> Json:
    call.sandbox.tenant = replace(call.sandbox.tenant, overrides=body.message_overrides or {})
    return get_overrides(call)


def get_overrides_catalog(_call: Call) -> Json:
    """Return an empty catalogue: its content is not published."""
    return {"catalogVersion": 1, "screens": [], "points": []}


def list_actions(call: Call) -> list[Json]:
    return list(call.sandbox.shown_tenant.actions.values())


def _action(call: Call) -> Json:
    return one(call, "actions", "actionCode", "action configuration")


def create_action(call: Call, body: ActionChanges) -> Json:
    sandbox, new = call.sandbox, unchangeable({}, written(body), "lastActionCreatedAt", "tenantId")
    required(new, "actionCode")
    _check_url(sandbox, new, "verificationWebhookUrl")
    check_code(new["actionCode"])
    _check_methods(sandbox, new)
    if new["actionCode"] in sandbox.tenant.actions:
        raise invalid("That action code is taken.")
    value = merged(
        {"tenantId": sandbox.config.tenant_id},
        new,
        {"defaultUserActionResult": sandbox.config.default_action_result},
    )
    sandbox.tenant = sandbox.tenant.put("actions", value["actionCode"], value)
    return value


def update_action(call: Call, body: ActionChanges) -> Json:
    sandbox, old = call.sandbox, _action(call)
    new = unchangeable(old, written(body), "actionCode", "tenantId", "lastActionCreatedAt")
    _check_url(sandbox, new, "verificationWebhookUrl")
    _check_methods(sandbox, new)
    value = merged(old, new, {"defaultUserActionResult": sandbox.config.default_action_result})
    sandbox.tenant = sandbox.tenant.put("actions", value["actionCode"], value)
    return value


def delete_action(call: Call) -> Deleted:
    sandbox, old = call.sandbox, _action(call)
    for rule in sandbox.tenant.rules_of(old["actionCode"]):
        sandbox.tenant = sandbox.tenant.without("rules", rule["ruleId"])
    sandbox.tenant = sandbox.tenant.without("actions", old["actionCode"])
    return DELETED


PROVIDER_SECRETS: Final = frozenset(
    {"authToken", "accessKey", "apiKey", "apiSecret", "password", "privateKey", "serviceAccountKey"}
)


def list_rules(call: Call) -> list[Json]:
    return call.sandbox.shown_tenant.rules_of(_action(call)["actionCode"])


def get_rule(call: Call) -> Json:
    rule = one(call, "rules", "ruleId", "rule")
    if rule["actionCode"] != call.path("actionCode"):
        raise not_found("rule")
    return rule


READ_ONLY_OF_RULES: Final = ("ruleId", "actionCode", "tenantId")


def create_rule(call: Call, body: RuleChanges) -> Json:
    sandbox, action = call.sandbox, _action(call)
    base = {"actionCode": action["actionCode"], "tenantId": sandbox.config.tenant_id}
    new = unchangeable(base, written(body), *READ_ONLY_OF_RULES)
    required(new, "name", "type")
    return _keep_rule(sandbox, {"ruleId": sandbox.new_id(), **base}, new)


def _next_priority(sandbox: Sandbox, rule: Json) -> int:
    others = (other for other in sandbox.tenant.rules_of(rule["actionCode"]) if other["ruleId"] != rule["ruleId"])
    taken = {other["priority"] for other in others}
    free = next((priority for priority in range(100) if priority not in taken), None)
    if free is None:
        raise invalid("The action already has a rule for each priority.")
    return free


def update_rule(call: Call, body: RuleChanges) -> Json:
    old = get_rule(call)
    new = unchangeable(old, written(body), *READ_ONLY_OF_RULES)
    kept_required(new, "name", "type")
    return _keep_rule(call.sandbox, old, new)


def _keep_rule(sandbox: Sandbox, old: Json, new: Json) -> Json:
    _check_methods(sandbox, new)
    rule = merged(old, new, {"isActive": True})
    if "priority" not in rule:
        rule["priority"] = _next_priority(sandbox, rule)
    for other in sandbox.tenant.rules_of(rule["actionCode"]):
        if other["ruleId"] != rule["ruleId"] and other["priority"] == rule["priority"]:
            raise invalid(f"Priority {rule['priority']} is taken by another rule of the action.")
    if new.get("conditions") is not None:
        _check_conditions(new["conditions"])
    sandbox.tenant = sandbox.tenant.put("rules", rule["ruleId"], rule)
    return rule


def _check_conditions(conditions: Json) -> None:
    from datalogic_py import DataLogicError

    try:
        compiled(json.dumps(conditions, sort_keys=True))
    except DataLogicError as error:
        raise invalid(f"conditions is not JsonLogic: {str(error)[:120]}.") from None


def delete_rule(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("rules", get_rule(call)["ruleId"])
    return DELETED


def list_methods(call: Call) -> list[Json]:
    return [_masked(call.sandbox, value) for value in call.sandbox.shown_tenant.methods.values()]


def _masked(sandbox: Sandbox, value: Json) -> Json:
    """Leave out providers' secrets. Assumed from the types of Authsignal's Go client."""
    if not sandbox.config.masked_credentials:
        return value
    return {
        name: {field: kept for field, kept in inner.items() if field not in PROVIDER_SECRETS}
        if name.endswith("Credentials") and isinstance(inner, dict)
        else inner
        for name, inner in value.items()
    }


def _method(call: Call) -> Json:
    """Return the configuration with the id of the path, or that of the method with that slug."""
    given = call.path("authenticatorId")
    for value in call.sandbox.shown_tenant.methods.values():
        if given in (value["authenticatorId"], endpoints.slug_of(value["verificationMethod"])):
            return value
    raise not_found("authenticator configuration")


def get_method(call: Call) -> Json:
    return _masked(call.sandbox, _method(call))


def create_method(call: Call, body: MethodChanges) -> Json:
    sandbox, new = call.sandbox, unchangeable({}, written(body), "authenticatorId")
    required(new, "verificationMethod")
    _check_passkeys(new)
    _check_url(sandbox, new, "webhookUrl")
    method = new["verificationMethod"]
    if method not in VERIFICATION_METHODS:
        raise invalid(f"verificationMethod is one of {', '.join(VERIFICATION_METHODS)}.")
    if any(value["verificationMethod"] == method for value in sandbox.tenant.methods.values()):
        raise invalid(f"{method} is set up already.")
    value = merged({"authenticatorId": sandbox.new_id()}, new, {"isActive": True})
    sandbox.tenant = sandbox.tenant.put("methods", value["authenticatorId"], value)
    return _masked(sandbox, value)


def _check_passkeys(new: Json) -> None:
    """Check the relying party and the origins, in the forms that Authsignal's Terraform provider documents."""
    if new.get("relyingParty") is not None and not DOMAIN.fullmatch(new["relyingParty"]):
        raise invalid("relyingParty must be a domain without https:// and port.")
    for origin in new.get("expectedOrigins") or ():
        if not ORIGIN.fullmatch(origin):
            raise invalid("expectedOrigins must begin with http://, https://, android: or ios:.")


def create_method_by_slug(call: Call, body: MethodChanges) -> Json:
    """Create the configuration of the method in the path: 409 if there is one, as Authsignal's clients expect."""
    slug = call.path("slug")
    method = next((name for name in VERIFICATION_METHODS if endpoints.slug_of(name) == slug), None)
    if method is None:
        raise not_found("verification method")
    if body.verification_method not in (UNSET, method):
        raise invalid(f"verificationMethod must be {method} or absent: the path has its slug.")
    if any(value["verificationMethod"] == method for value in call.sandbox.tenant.methods.values()):
        raise Refusal(409, "conflict", f"{method} is set up already. Change its configuration with PATCH.")
    return create_method(call, structs.replace(body, verification_method=method))


def update_method(call: Call, body: MethodChanges) -> Json:
    sandbox, old = call.sandbox, _method(call)
    new = unchangeable(old, written(body), "authenticatorId", "verificationMethod")
    _check_passkeys(new)
    _check_url(sandbox, new, "webhookUrl")
    value = merged(old, new, {"isActive": True})
    sandbox.tenant = sandbox.tenant.put("methods", value["authenticatorId"], value)
    return _masked(sandbox, value)


def delete_method(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("methods", _method(call)["authenticatorId"])
    return DELETED


_HANDLERS: Final[tuple[tuple[Endpoint, Callable[..., Any]], ...]] = (
    (endpoints.GET_TENANT, get_tenant),
    (endpoints.UPDATE_TENANT, update_tenant),
    (endpoints.GET_THEME, get_theme),
    (endpoints.UPDATE_THEME, update_theme),
    (endpoints.GET_MESSAGE_OVERRIDES, get_overrides),
    (endpoints.UPDATE_MESSAGE_OVERRIDES, update_overrides),
    (endpoints.GET_MESSAGE_OVERRIDES_CATALOG, get_overrides_catalog),
    (endpoints.LIST_ACTION_CONFIGURATIONS, list_actions),
    (endpoints.GET_ACTION_CONFIGURATION, _action),
    (endpoints.CREATE_ACTION_CONFIGURATION, create_action),
    (endpoints.UPDATE_ACTION_CONFIGURATION, update_action),
    (endpoints.DELETE_ACTION_CONFIGURATION, delete_action),
    (endpoints.LIST_RULES, list_rules),
    (endpoints.GET_RULE, get_rule),
    (endpoints.CREATE_RULE, create_rule),
    (endpoints.UPDATE_RULE, update_rule),
    (endpoints.DELETE_RULE, delete_rule),
    (endpoints.LIST_AUTHENTICATOR_CONFIGURATIONS, list_methods),
    (endpoints.GET_AUTHENTICATOR_CONFIGURATION, get_method),
    (endpoints.CREATE_AUTHENTICATOR_CONFIGURATION, create_method),
    (endpoints.CREATE_AUTHENTICATOR_CONFIGURATION_BY_SLUG, create_method_by_slug),
    (endpoints.UPDATE_AUTHENTICATOR_CONFIGURATION, update_method),
    (endpoints.DELETE_AUTHENTICATOR_CONFIGURATION, delete_method),
    *management_data.ROUTES,
)

_UNDERSCORED: Final[tuple[tuple[Endpoint, Handler], ...]] = tuple(
    (
        replace(
            described,
            name=f"{described.name}_underscored",
            path=described.path.replace("action-configurations", "action_configurations"),
        ),
        handler,
    )
    for described, handler in _HANDLERS
    if "action-configurations" in described.path
)
"""The documentation has an underscore in the paths of rules, the SDK a hyphen."""

ROUTES: tuple[Served, ...] = (*_HANDLERS, *_UNDERSCORED)
