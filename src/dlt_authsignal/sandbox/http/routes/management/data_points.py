"""Custom data points and value lists of the Management API."""

from typing import Any, Final

from dlt_authsignal.api import management_endpoints as endpoints
from dlt_authsignal.sandbox.core.refusals import invalid
from dlt_authsignal.sandbox.http.dispatch import Call, Served
from dlt_authsignal.sandbox.http.routes.management.bodies import DataPointChanges, ValueListChanges
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
from dlt_authsignal.sandbox.sandbox import Sandbox

Json = dict[str, Any]


def list_data_points(call: Call) -> list[Json]:
    return list(call.sandbox.shown_tenant.data_points.values())


def get_data_point(call: Call) -> Json:
    return one(call, "data_points", "id", "custom data point")


def create_data_point(call: Call, body: DataPointChanges) -> Json:
    sandbox, new = call.sandbox, unchangeable({}, written(body), "id")
    required(new, "name", "dataType", "modelType")
    _check_data_point_name(sandbox, new)
    value = merged({"id": sandbox.new_id()}, new, {"isPublic": False})
    sandbox.tenant = sandbox.tenant.put("data_points", value["id"], value)
    return value


def _check_data_point_name(sandbox: Sandbox, value: Json) -> None:
    for other in sandbox.tenant.data_points.values():
        if (other["name"], other["modelType"]) == (value["name"], value["modelType"]):
            raise invalid("That name is taken by another data point of the same model.")


LIST_DEFAULTS: Final[Json] = {"isActive": True, "valueListItems": []}


def update_data_point(call: Call, body: DataPointChanges) -> Json:
    """Assumed: only description and visibility change. Authsignal's Terraform provider changes nothing else."""
    sandbox, old = call.sandbox, get_data_point(call)
    new = unchangeable(old, written(body), "id", "name", "dataType", "modelType")
    value = merged(old, new, {"isPublic": False})
    sandbox.tenant = sandbox.tenant.put("data_points", old["id"], value)
    return value


def delete_data_point(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("data_points", get_data_point(call)["id"])
    return DELETED


def list_value_lists(call: Call) -> list[Json]:
    return list(call.sandbox.shown_tenant.value_lists.values())


def get_value_list(call: Call) -> Json:
    return one(call, "value_lists", "alias", "value list")


def create_value_list(call: Call, body: ValueListChanges) -> Json:
    sandbox, new = call.sandbox, written(body)
    required(new, "name", "itemType")
    alias = new.get("alias") or "-".join(new["name"].lower().split())
    if alias in sandbox.tenant.value_lists:
        raise invalid("That alias is taken.")
    value = merged({}, {**new, "alias": alias}, LIST_DEFAULTS)
    return _keep_value_list(sandbox, value)


def update_value_list(call: Call, body: ValueListChanges) -> Json:
    old = get_value_list(call)
    new = unchangeable(old, written(body), "alias", "itemType")
    kept_required(new, "name")
    return _keep_value_list(call.sandbox, merged(old, new, LIST_DEFAULTS))


def _keep_value_list(sandbox: Sandbox, value: Json) -> Json:
    kind: Any = str if value["itemType"] == "string" else (int, float)
    if not all(isinstance(item, kind) for item in value["valueListItems"]):
        raise invalid(f"Every item must be a {value['itemType']}.")
    sandbox.tenant = sandbox.tenant.put("value_lists", value["alias"], value)
    return value


def delete_value_list(call: Call) -> Deleted:
    call.sandbox.tenant = call.sandbox.tenant.without("value_lists", get_value_list(call)["alias"])
    return DELETED


ROUTES: tuple[Served, ...] = (
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
