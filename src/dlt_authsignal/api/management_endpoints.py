"""The endpoints of the Management API, below `/management`."""

from typing import Final

from dlt_authsignal.api.endpoints import Endpoint, reading, writing


def _get(name: str, path: str, evidence: str = "docs, sdk") -> Endpoint:
    return reading(name, f"/management{path}", auth="management", evidence=evidence)


def _write(name: str, method: str, path: str, evidence: str = "docs, sdk") -> Endpoint:
    return writing(name, method, f"/management{path}", auth="management", evidence=evidence)


GET_TENANT: Final = _get("get_tenant", "/tenant")
UPDATE_TENANT: Final = _write("update_tenant", "PATCH", "/tenant")
GET_THEME: Final = _get("get_theme", "/theme")
UPDATE_THEME: Final = _write("update_theme", "PATCH", "/theme")
GET_MESSAGE_OVERRIDES: Final = _get("get_message_overrides", "/message-overrides", "sdk")
UPDATE_MESSAGE_OVERRIDES: Final = _write("update_message_overrides", "PATCH", "/message-overrides", "sdk")
GET_MESSAGE_OVERRIDES_CATALOG: Final = _get("get_message_overrides_catalog", "/message-overrides/catalog", "sdk")

LIST_ACTION_CONFIGURATIONS: Final = _get("list_action_configurations", "/action-configurations", "cli")
GET_ACTION_CONFIGURATION: Final = _get("get_action_configuration", "/action-configurations/{actionCode}")
CREATE_ACTION_CONFIGURATION: Final = _write("create_action_configuration", "POST", "/action-configurations")
UPDATE_ACTION_CONFIGURATION: Final = _write(
    "update_action_configuration", "PATCH", "/action-configurations/{actionCode}"
)
DELETE_ACTION_CONFIGURATION: Final = _write(
    "delete_action_configuration", "DELETE", "/action-configurations/{actionCode}"
)

_RULES: Final = "/action-configurations/{actionCode}/rules"
LIST_RULES: Final = _get("list_rules", _RULES, "cli")
GET_RULE: Final = _get("get_rule", f"{_RULES}/{{ruleId}}")
CREATE_RULE: Final = _write("create_rule", "POST", _RULES)
UPDATE_RULE: Final = _write("update_rule", "PATCH", f"{_RULES}/{{ruleId}}")
DELETE_RULE: Final = _write("delete_rule", "DELETE", f"{_RULES}/{{ruleId}}")

LIST_AUTHENTICATOR_CONFIGURATIONS: Final = _get(
    "list_authenticator_configurations", "/authenticator-configurations", "cli"
)
GET_AUTHENTICATOR_CONFIGURATION: Final = _get(
    "get_authenticator_configuration", "/authenticator-configurations/{authenticatorId}"
)
CREATE_AUTHENTICATOR_CONFIGURATION: Final = _write(
    "create_authenticator_configuration", "POST", "/authenticator-configurations"
)
CREATE_AUTHENTICATOR_CONFIGURATION_BY_SLUG: Final = _write(
    "create_authenticator_configuration_by_slug", "POST", "/authenticator-configurations/{slug}", "sdk"
)
UPDATE_AUTHENTICATOR_CONFIGURATION: Final = _write(
    "update_authenticator_configuration", "PATCH", "/authenticator-configurations/{authenticatorId}"
)
DELETE_AUTHENTICATOR_CONFIGURATION: Final = _write(
    "delete_authenticator_configuration", "DELETE", "/authenticator-configurations/{authenticatorId}"
)

LIST_CUSTOM_DATA_POINTS: Final = _get("list_custom_data_points", "/custom-data-points", "cli")
GET_CUSTOM_DATA_POINT: Final = _get("get_custom_data_point", "/custom-data-points/{id}")
CREATE_CUSTOM_DATA_POINT: Final = _write("create_custom_data_point", "POST", "/custom-data-points")
UPDATE_CUSTOM_DATA_POINT: Final = _write("update_custom_data_point", "PATCH", "/custom-data-points/{id}")
DELETE_CUSTOM_DATA_POINT: Final = _write("delete_custom_data_point", "DELETE", "/custom-data-points/{id}")

LIST_VALUE_LISTS: Final = _get("list_value_lists", "/value-lists", "cli")
GET_VALUE_LIST: Final = _get("get_value_list", "/value-lists/{alias}")
CREATE_VALUE_LIST: Final = _write("create_value_list", "POST", "/value-lists")
UPDATE_VALUE_LIST: Final = _write("update_value_list", "PATCH", "/value-lists/{alias}")
DELETE_VALUE_LIST: Final = _write("delete_value_list", "DELETE", "/value-lists/{alias}")


def slug_of(verification_method: str) -> str:
    """Return the name of a verification method in paths, such as `email-otp`.

    Authsignal's Go client calls `/authenticator-configurations/{slug}` in place of an id, with the slugs `sms`,
    `email-otp`, `passkey` and `push`. That other methods are spelled in the same way is assumed.
    """
    return verification_method.lower().replace("_", "-")
