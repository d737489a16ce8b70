"""What a tracked action becomes: the tenant's rules, then the action's default result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlt_authsignal.sandbox.entities import Rule, User
from dlt_authsignal.sandbox.state import Sandbox

if TYPE_CHECKING:
    from dlt_authsignal.sandbox.routes.actions import Track


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the rules say.

    Attributes:
        result: ALLOW, BLOCK, CHALLENGE or REVIEW.
        rules: Rules that fired, the decisive one first.
        methods: Verification methods that may meet the challenge; empty for all the tenant has.
        country_code: Where the IP address is.
        output: What the action's detail shows of it.
    """

    result: str
    rules: tuple[Rule, ...] = ()
    methods: tuple[str, ...] = ()
    country_code: str | None = None
    output: Mapping[str, Any] | None = None


def decide(sandbox: Sandbox, _user: User, action_code: str, _body: "Track") -> Decision:
    """The decision on one attempt."""
    config = sandbox.config
    return Decision(result=config.action_results.get(action_code, config.default_action_result))
