"""The configuration of a tenant: methods, actions, rules, data points, lists. Values are replaced, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dlt_authsignal.sandbox.core.clock import IdMaker
from dlt_authsignal.sandbox.core.config import SandboxConfig
from dlt_authsignal.sandbox.tenant.stories.plan import SIGN_UP

Json = dict[str, Any]

BLOCK_RULE: Final = "0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a01"
REVIEW_RULE: Final = "0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a02"
UPLIFT_RULE: Final = "0b6f1c9e-5d0f-4b6e-9a57-6d0a4f0f7a03"


@dataclass(frozen=True, kw_only=True)
class IpFacts:
    """What rules see of an IP address."""

    country_code: str | None = None
    is_anonymous: bool = False


@dataclass(frozen=True)
class Tenant:
    """One tenant's configuration, as the Management API shows it: camelCase objects without nulls.

    Attributes:
        details: `GET /tenant` without the id.
        methods: Authenticator configurations by id.
        actions: Action configurations by code.
        rules: Rules by id.
        data_points: Custom data points by id.
        value_lists: Value lists by alias.
        theme: `GET /theme`.
        overrides: Message overrides by locale.
    """

    details: Json = field(default_factory=dict)
    methods: Mapping[str, Json] = field(default_factory=dict)
    actions: Mapping[str, Json] = field(default_factory=dict)
    rules: Mapping[str, Json] = field(default_factory=dict)
    data_points: Mapping[str, Json] = field(default_factory=dict)
    value_lists: Mapping[str, Json] = field(default_factory=dict)
    theme: Json = field(default_factory=dict)
    overrides: Json = field(default_factory=dict)

    def put(self, collection: str, key: str, value: Json) -> "Tenant":
        """Return the tenant with one object of a collection added or replaced."""
        return replace(self, **{collection: {**getattr(self, collection), key: value}})

    def without(self, collection: str, key: str) -> "Tenant":
        """Return the tenant without one object of a collection."""
        kept = {name: value for name, value in getattr(self, collection).items() if name != key}
        return replace(self, **{collection: kept})

    def method(self, verification_method: str) -> Json | None:
        """Return the authenticator configuration of an active method."""
        for value in self.methods.values():
            if value["verificationMethod"] == verification_method and value.get("isActive", True):
                return value
        return None

    def active_methods(self) -> list[str]:
        """Return the active methods, in the order in which they were configured."""
        return [value["verificationMethod"] for value in self.methods.values() if value.get("isActive", True)]

    def rules_of(self, action_code: str) -> list[Json]:
        """Return the rules of an action, by priority."""
        mine = [value for value in self.rules.values() if value["actionCode"] == action_code]
        return sorted(mine, key=lambda value: value["priority"])

    @property
    def token_minutes(self) -> int:
        """Lifetime of tokens and challenges."""
        minutes: int = self.details["tokenDurationInMinutes"]
        return minutes


def new_tenant(config: SandboxConfig, new_id: IdMaker) -> Tenant:
    """Create the tenant from the configuration, with the actions and rules of the invented users."""
    methods = (_method(config, name, new_id()) for name in config.methods)
    actions = {
        code: {"actionCode": code, "tenantId": config.tenant_id, **default_result(config, code)} for code in ACTIONS
    }
    actions |= {
        code: {"actionCode": code, "tenantId": config.tenant_id, **default_result(config, code)}
        for code in config.action_results
        if code not in actions
    }
    return Tenant(
        details={"name": "Sandbox", "tokenDurationInMinutes": config.token_minutes},
        methods={value["authenticatorId"]: value for value in methods},
        actions=actions,
        rules={rule["ruleId"]: {**rule, "tenantId": config.tenant_id} for rule in RULES},
        data_points={value["id"]: value for value in (_data_point(new_id(), *row) for row in DATA_POINTS)},
        value_lists={"trusted-partners": dict(VALUE_LIST)},
    )


def with_sign_up(tenant: Tenant, config: SandboxConfig) -> Tenant:
    """Return the tenant with the action code of the stories' sign-ups."""
    if SIGN_UP in tenant.actions:
        return tenant
    action = {"actionCode": SIGN_UP, "tenantId": config.tenant_id, **default_result(config, SIGN_UP)}
    return tenant.put("actions", SIGN_UP, action)


def default_result(config: SandboxConfig, code: str) -> Json:
    """Return the result that an action has without rules."""
    return {"defaultUserActionResult": config.action_results.get(code, config.default_action_result)}


def _method(config: SandboxConfig, name: str, authenticator_id: str) -> Json:
    value: Json = {
        "authenticatorId": authenticator_id,
        "verificationMethod": name,
        "isActive": True,
        "isEditableByUser": True,
        "isHiddenToUser": name == "RECOVERY_CODE",
    }
    if name == "SMS":
        value["smsChannel"] = "DEFAULT"
    if name == "PASSKEY":
        value |= {
            "relyingParty": config.relying_party,
            "expectedOrigins": list(config.expected_origins),
            "userVerificationRequirement": "required",
        }
    return value


def _data_point(data_point_id: str, name: str, data_type: str, model: str, description: str) -> Json:
    return {
        "id": data_point_id,
        "name": name,
        "dataType": data_type,
        "modelType": model,
        "description": description,
        "isPublic": False,
    }


ACTIONS: Final = ("signIn", "payment", "addPayee", "updateProfile")

DATA_POINTS: Final = (
    ("plan", "text", "user", "The plan the person pays for."),
    ("loyaltyPoints", "number", "user", "Points collected so far."),
    ("betaTester", "boolean", "user", "Whether the person tries new features."),
    ("interests", "multiselect", "user", "What the person said they like."),
    ("amount", "number", "action", "Value of a payment."),
)

VALUE_LIST: Final[Json] = {
    "name": "Trusted partners",
    "alias": "trusted-partners",
    "itemType": "string",
    "isActive": True,
    "valueListItems": ["partner-a.example", "partner-b.example"],
}


def make_rule(
    rule_id: str, name: str, description: str, priority: int, outcome: str, conditions: Json, **more: Any
) -> Json:
    """Return a rule that is switched on, of signIn unless `more` has another action code."""
    return {
        "ruleId": rule_id,
        "name": name,
        "description": description,
        "isActive": True,
        "priority": priority,
        "actionCode": "signIn",
        "type": outcome,
        "conditions": conditions,
        **more,
    }


RULES: Final = (
    make_rule(
        BLOCK_RULE,
        "Block anonymous networks",
        "Blocks sign-ins from anonymous IP addresses.",
        0,
        "BLOCK",
        {"==": [{"var": "ip.isAnonymous"}, True]},
    ),
    make_rule(
        REVIEW_RULE,
        "Review impossible travel",
        "Sends attempts that imply impossible travel to review.",
        1,
        "REVIEW",
        {"==": [{"var": "ip.impossibleTravel"}, True]},
    ),
    make_rule(
        UPLIFT_RULE,
        "Offer a passkey",
        "Prompts people who have proved themselves to add a passkey. Switched off.",
        2,
        "CHALLENGE",
        {"==": [{"var": "user.hasPreviouslyVerified"}, True]},
        isActive=False,
        promptToEnrollVerificationMethods=["PASSKEY"],
    ),
)
