"""Recovery codes. No documented route takes one: the pre-built pages do, which the sandbox stands in for here."""

from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions import tokens
from dlt_authsignal.sandbox.verification.challenge_flow import met

METHOD = "RECOVERY_CODE"


async def use_recovery_code(sandbox: Sandbox, token: str, code: str) -> str:
    """Meets the challenge of a token with one of its user's recovery codes, which then no longer works.

    Returns:
        The new token.

    Raises:
        ValueError: The token is not valid, or the code is not one of the user's unused ones.
        Refusal: The action's webhook did not agree.
    """
    known = tokens.read(sandbox.config, token)
    if known is None or known.expires_at <= sandbox.clock.now().timestamp():
        raise ValueError("The token is not valid, or has expired. Track an action to get one.")
    left = sandbox.recovery_codes.get(known.user_id, frozenset())
    if code not in left:
        raise ValueError("The code is not one of the user's unused recovery codes.")
    sandbox.recovery_codes[known.user_id] = left - {code}
    return await met(sandbox, known, METHOD, None)
