"""The Management API: the tenant's configuration, read and written. Lists are whole: nothing is paged."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import msgspec

from dlt_authsignal.api import management_endpoints as endpoints
from dlt_authsignal.api.endpoints import Endpoint
from dlt_authsignal.sandbox import answers
from dlt_authsignal.sandbox.http import Call, Handler, Served
from dlt_authsignal.sandbox.policy import VERIFICATION_METHODS
from dlt_authsignal.sandbox.refusals import invalid, not_found
from dlt_authsignal.sandbox.routes.actions import check_code
from dlt_authsignal.sandbox.routes.management_bodies import (
    ActionChanges,
    Changes,
    DataPointChanges,
    MethodChanges,
    Overrides,
    RuleChanges,
    TenantChanges,
    ValueListChanges,
)
from dlt_authsignal.sandbox.rules import compiled
from dlt_authsignal.sandbox.state import Sandbox
from dlt_authsignal.sandbox.webhook_settings import check_url

Json = dict[str, Any]


class Deleted(answers.Answer, kw_only=True):
    """What deletes answer; the field names are those of the Go SDK's response type."""

    success: bool
    status_code: int


def _written(body: Changes) -> Json:
    """What a body names, nulls included."""
    value: Json = msgspec.to_builtins(body)
    return value


def _merged(old: Json, new: Json) -> Json:
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _required(body: Json, *names: str) -> None:
    for name in names:
        if body.get(name) in (None, "", []):
            raise invalid(f"{name} is required.")


def _check_methods(sandbox: Sandbox, body: Json) -> None:
    """Methods named in an action or a rule must be ones the tenant has enabled."""
    named = [*(body.get("verificationMethods") or ()), *(body.get("promptToEnrollVerificationMethods") or ())]
    if body.get("defaultVerificationMethod"):
        named.append(body["defaultVerificationMethod"])
    for method in named:
        if method not in sandbox.tenant.active_methods():
            raise invalid(f'"{method[:40]}" is not a verification method that is enabled for the tenant.')


def _check_url(body: Json, name: str) -> None:
    if body.get(name):
        try:
            check_url(name, body[name])
        except ValueError as error:
            raise invalid(str(error)) from None


def get_tenant(call: Call) -> Json:
    return {"tenantId": call.sandbox.config.tenant_id, **call.sandbox.tenant.details}


def update_tenant(call: Call, body: TenantChanges) -> Json:
    sandbox = call.sandbox
    sandbox.tenant = replace(sandbox.tenant, details=_merged(sandbox.tenant.details, _written(body)))
    return get_tenant(call)


def get_theme(call: Call) -> Json:
    return call.sandbox.tenant.theme


def update_theme(call: Call, body: Json) -> Json:
    sandbox = call.sandbox
    sandbox.tenant = replace(sandbox.tenant, theme=_merged(sandbox.tenant.theme, body))
    return sandbox.tenant.theme


def get_overrides(call: Call) -> Json:
    return {"messageOverrides": call.sandbox.tenant.overrides}


def update_overrides(call: Call, body: Overrides) -> Json:
    call.sandbox.tenant = replace(call.sandbox.tenant, overrides=body.message_overrides)
    return get_overrides(call)


def get_overrides_catalog(_call: Call) -> Json:
    """The catalogue's content is Authsignal's own: here it is empty."""
    return {"catalogVersion": "sandbox", "screens": [], "points": []}


def list_actions(call: Call) -> list[Json]:
    return list(call.sandbox.tenant.actions.values())


def _action(call: Call) -> Json:
    return _one(call, "actions", "actionCode", "action configuration")


def _one(call: Call, collection: str, key: str, what: str) -> Json:
    found: Json | None = getattr(call.sandbox.tenant, collection).get(call.path(key))
    if found is None:
        raise not_found(what)
    return found


def create_action(call: Call, body: ActionChanges) -> Json:
    sandbox, new = call.sandbox, _written(body)
    _required(new, "actionCode")
    _check_url(new, "verificationWebhookUrl")
    check_code(new["actionCode"])
    _check_methods(sandbox, new)
    if new["actionCode"] in sandbox.tenant.actions:
        raise invalid("That action code is taken.")
    value = _merged(
        {
            "tenantId": sandbox.config.tenant_id,
            "defaultUserActionResult": sandbox.config.default_action_result,
        },
        new,
    )
    sandbox.tenant = sandbox.tenant.put("actions", value["actionCode"], value)
    return value


def update_action(call: Call, body: ActionChanges) -> Json:
    sandbox, old, new = call.sandbox, _action(call), _written(body)
    _check_url(new, "verificationWebhookUrl")
    _check_methods(sandbox, new)
    value = {**_merged(old, new), "actionCode": old["actionCode"]}
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

DELETED: Final = Deleted(success=True, status_code=200)


def list_rules(call: Call) -> list[Json]:
    return call.sandbox.tenant.rules_of(_action(call)["actionCode"])


def get_rule(call: Call) -> Json:
    rule = _one(call, "rules", "ruleId", "rule")
    if rule["actionCode"] != call.path("actionCode"):
        raise not_found("rule")
    return rule


def create_rule(call: Call, body: RuleChanges) -> Json:
    sandbox, action, new = call.sandbox, _action(call), _written(body)
    _required(new, "name", "type", "conditions")
    base = {
        "ruleId": sandbox.new_id(),
        "actionCode": action["actionCode"],
        "tenantId": sandbox.config.tenant_id,
        "isActive": True,
        "priority": _next_priority(sandbox, action["actionCode"]),
    }
    return _keep_rule(sandbox, _merged(base, new), new)


def _next_priority(sandbox: Sandbox, action_code: str) -> int:
    taken = {rule["priority"] for rule in sandbox.tenant.rules_of(action_code)}
    free = next((priority for priority in range(100) if priority not in taken), None)
    if free is None:
        raise invalid("The action has a rule of every priority.")
    return free


def update_rule(call: Call, body: RuleChanges) -> Json:
    old, new = get_rule(call), _written(body)
    return _keep_rule(call.sandbox, _merged(old, new), new)


def _keep_rule(sandbox: Sandbox, rule: Json, new: Json) -> Json:
    _check_methods(sandbox, new)
    for other in sandbox.tenant.rules_of(rule["actionCode"]):
        if other["ruleId"] != rule["ruleId"] and other["priority"] == rule["priority"]:
            raise invalid(f"Priority {rule['priority']} is taken by another rule of the action.")
    if "conditions" in new:
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
    return [_masked(call.sandbox, value) for value in call.sandbox.tenant.methods.values()]


def _masked(sandbox: Sandbox, value: Json) -> Json:
    """Without providers' secrets, as the types of Authsignal's Go client suggest; what the API does is not known."""
    if not sandbox.config.masked_credentials:
        return value
    return {
        name: {field: kept for field, kept in inner.items() if field not in PROVIDER_SECRETS}
        if name.endswith("Credentials") and isinstance(inner, dict)
        else inner
        for name, inner in value.items()
    }


def _method(call: Call) -> Json:
    return _one(call, "methods", "authenticatorId", "authenticator configuration")


def get_method(call: Call) -> Json:
    return _masked(call.sandbox, _method(call))


def create_method(call: Call, body: MethodChanges) -> Json:
    sandbox, new = call.sandbox, _written(body)
    _required(new, "verificationMethod")
    _check_url(new, "webhookUrl")
    method = new["verificationMethod"]
    if method not in VERIFICATION_METHODS:
        raise invalid(f"verificationMethod is one of {', '.join(VERIFICATION_METHODS)}.")
    if any(value["verificationMethod"] == method for value in sandbox.tenant.methods.values()):
        raise invalid(f"{method} is set up already.")
    value = _merged({"authenticatorId": sandbox.new_id(), "isActive": True}, new)
    sandbox.tenant = sandbox.tenant.put("methods", value["authenticatorId"], value)
    return _masked(sandbox, value)


def update_method(call: Call, body: MethodChanges) -> Json:
    sandbox, old, new = call.sandbox, _method(call), _written(body)
    _check_url(new, "webhookUrl")
    value = {**_merged(old, new), "verificationMethod": old["verificationMethod"]}
    sandbox.tenant = sandbox.tenant.put("methods", value["authenticatorId"], value)
    return _masked(sandbox, value)


def delete_method(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("methods", _method(call)["authenticatorId"])
    return DELETED


def list_data_points(call: Call) -> list[Json]:
    return list(call.sandbox.tenant.data_points.values())


def get_data_point(call: Call) -> Json:
    return _one(call, "data_points", "id", "custom data point")


def create_data_point(call: Call, body: DataPointChanges) -> Json:
    sandbox, new = call.sandbox, _written(body)
    _required(new, "name", "dataType", "modelType")
    _check_data_point_name(sandbox, new, None)
    value = _merged({"id": sandbox.new_id(), "isPublic": False}, new)
    sandbox.tenant = sandbox.tenant.put("data_points", value["id"], value)
    return value


def _check_data_point_name(sandbox: Sandbox, value: Json, own_id: str | None) -> None:
    for other in sandbox.tenant.data_points.values():
        same = (other["name"], other["modelType"]) == (value["name"], value["modelType"])
        if same and other["id"] != own_id:
            raise invalid("That name is taken by another data point of the same model.")


def update_data_point(call: Call, body: DataPointChanges) -> Json:
    sandbox, old = call.sandbox, get_data_point(call)
    value = _merged(old, _written(body))
    _check_data_point_name(sandbox, value, old["id"])
    sandbox.tenant = sandbox.tenant.put("data_points", old["id"], value)
    return value


def delete_data_point(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("data_points", get_data_point(call)["id"])
    return DELETED


def list_value_lists(call: Call) -> list[Json]:
    return list(call.sandbox.tenant.value_lists.values())


def get_value_list(call: Call) -> Json:
    return _one(call, "value_lists", "alias", "value list")


def create_value_list(call: Call, body: ValueListChanges) -> Json:
    sandbox, new = call.sandbox, _written(body)
    _required(new, "name", "itemType")
    alias = new.get("alias") or "-".join(new["name"].lower().split())
    if alias in sandbox.tenant.value_lists:
        raise invalid("That alias is taken.")
    value = _merged({"isActive": True, "valueListItems": []}, {**new, "alias": alias})
    return _keep_value_list(sandbox, value)


def update_value_list(call: Call, body: ValueListChanges) -> Json:
    old = get_value_list(call)
    return _keep_value_list(call.sandbox, {**_merged(old, _written(body)), "alias": old["alias"]})


def _keep_value_list(sandbox: Sandbox, value: Json) -> Json:
    kind: Any = str if value["itemType"] == "string" else (int, float)
    if not all(isinstance(item, kind) for item in value["valueListItems"]):
        raise invalid(f"Every item must be a {value['itemType']}.")
    sandbox.tenant = sandbox.tenant.put("value_lists", value["alias"], value)
    return value


def delete_value_list(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("value_lists", get_value_list(call)["alias"])
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
    (endpoints.UPDATE_AUTHENTICATOR_CONFIGURATION, update_method),
    (endpoints.DELETE_AUTHENTICATOR_CONFIGURATION, delete_method),
    (endpoints.LIST_CUSTOM_DATA_POINTS, list_data_points),
    (endpoints.GET_CUSTOM_DATA_POINT, get_data_point),
    (endpoints.CREATE_CUSTOM_DATA_POINT, create_data_point),
    (endpoints.UPDATE_CUSTOM_DATA_POINT, update_data_point),
    (endpoints.DELETE_CUSTOM_DATA_POINT, delete_data_point),
    (endpoints.LIST_VALUE_LISTS, list_value_lists),
    (endpoints.GET_VALUE_LIST, get_value_list),
    (endpoints.CREATE_VALUE_LIST, create_value_list),
    (endpoints.UPDATE_VALUE_LIST, update_value_list),
    (endpoints.DELETE_VALUE_LIST, delete_value_list),
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
"""The documentation prints the paths of rules with an underscore, the SDK sends a hyphen."""

ROUTES: tuple[Served, ...] = (*_HANDLERS, *_UNDERSCORED)
