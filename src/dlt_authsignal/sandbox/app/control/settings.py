"""Settings that can change while the sandbox runs."""

from typing import Any, Final

from dlt_authsignal.sandbox.core.config import VALUE_LIST_VARIABLE, check_fixed_codes
from dlt_authsignal.sandbox.tenant.policy import ACTION_CODE

SWITCHES: Final[dict[str, Any]] = {
    "listing": ("allowed", "refused"),
    "fixed_codes": dict,
    "default_page_size": int,
    "max_page_size": int,
    "default_action_result": ("ALLOW", "BLOCK", "CHALLENGE", "REVIEW"),
    "token_minutes": int,
    "missing_scope_status": (401, 403),
    "passkey_action": ACTION_CODE,
    "failed_on_max_attempts": bool,
    "masked_credentials": bool,
    "unconditional_rules_match": bool,
    "value_list_variable": VALUE_LIST_VARIABLE,
}
"""Settings that can change while the sandbox runs: their values, their type, or a pattern."""

MAX_SWITCH: Final = 1_000_000


def check_switch(name: str, value: Any) -> None:
    """Check the value of a setting.

    Raises:
        ValueError: There is no such setting, or it cannot have this value.
    """
    if name not in SWITCHES:
        raise ValueError(f'Unknown setting "{name}". Known: {", ".join(SWITCHES)}.')
    allowed = SWITCHES[name]
    if isinstance(allowed, tuple) and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}.")
    if allowed is ACTION_CODE and not (isinstance(value, str) and ACTION_CODE.fullmatch(value)):
        raise ValueError(f"{name} must have 1 to 64 letters, digits, hyphens or underscores.")
    if allowed is VALUE_LIST_VARIABLE and not (isinstance(value, str) and VALUE_LIST_VARIABLE.fullmatch(value)):
        raise ValueError(f"{name} must be a name without dots other than ip, device, user and custom.")
    if allowed is dict:
        check_fixed_codes(value)
    if allowed is bool and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false.")
    if allowed is int and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SWITCH):
        raise ValueError(f"{name} must be a whole number from 1 to {MAX_SWITCH}.")
