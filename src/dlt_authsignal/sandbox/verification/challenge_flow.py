"""Start challenges, and update authenticator, action, device and token when one is met."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.sessions import tokens
from dlt_authsignal.sandbox.sessions.challenges import Challenge
from dlt_authsignal.sandbox.sessions.tokens import Token
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Device

RECOVERY_CODE: Final = "RECOVERY_CODE"


def new_challenge(sandbox: Sandbox, method: str, **about: Any) -> Challenge:
    """Create and store a challenge that lives as long as a token."""
    now = sandbox.clock.now()
    return sandbox.challenges.put(
        Challenge(
            challenge_id=sandbox.new_id(),
            method=method,
            created_at=now,
            expires_at=now + timedelta(minutes=sandbox.token_minutes),
            **about,
        )
    )


def mark_verified(sandbox: Sandbox, authenticator: Authenticator) -> Authenticator:
    """Mark the authenticator as verified now. The first time enrols it. A deleted one stays deleted."""
    now = sandbox.clock.now()
    first = authenticator.verified_at is None
    held = sandbox.store.authenticators(authenticator.user_id)
    if not first and all(value.user_authenticator_id != authenticator.user_authenticator_id for value in held):
        return authenticator
    is_default = authenticator.is_default or (first and not _others(sandbox, authenticator))
    changed = replace(
        authenticator,
        verified_at=authenticator.verified_at or now,
        last_verified_at=authenticator.last_verified_at if first else now,
        is_default=is_default,
    )
    sandbox.store.put_authenticator(changed)
    if first:
        sandbox.events.authenticator(now, "created", changed)
    return changed


def _others(sandbox: Sandbox, authenticator: Authenticator) -> bool:
    return any(
        value.verified_at and value.user_authenticator_id != authenticator.user_authenticator_id
        for value in sandbox.store.authenticators(authenticator.user_id)
    )


def settle(sandbox: Sandbox, action: Action, state: str, authenticator: Authenticator | None = None) -> Action:
    """Set the state of an action, and the authenticator that met it if there is one."""
    now = sandbox.clock.now()
    changed = replace(action, state=state, state_updated_at=now, updated_at=now)
    if authenticator:
        changed = replace(
            changed,
            verification_method=authenticator.verification_method,
            verified_by=authenticator.user_authenticator_id,
        )
    sandbox.store.put_action(changed)
    return changed


def sign_in_action(sandbox: Sandbox, user_id: str, action_code: str, idempotency_key: str | None = None) -> Action:
    """Create the attempt of a challenge without a tracked action: a sign-in that started without a known user."""
    now = sandbox.clock.now()
    action = Action(
        user_id=user_id,
        action_code=action_code,
        idempotency_key=idempotency_key or sandbox.new_id(),
        created_at=now,
        updated_at=now,
        state="CHALLENGE_REQUIRED",
        state_updated_at=now,
        result="CHALLENGE",
    )
    sandbox.store.put_action(action)
    sandbox.events.action(now, action)
    return action


async def met(
    sandbox: Sandbox, token: Token, method: str, authenticator: Authenticator | None, device_id: str | None = None
) -> str:
    """Let the action of a token succeed, and return a token that may manage authenticators."""
    action = sandbox.store.get_action(token.user_id, token.action_code, token.idempotency_key)
    if action:
        action = await succeed(sandbox, action, method, authenticator, device_id)
    is_met = action is not None and action.state == "CHALLENGE_SUCCEEDED"
    scope = tokens.MANAGE if is_met else " ".join(sorted(token.scopes))
    return token_for(sandbox, token.user_id, token.action_code, token.idempotency_key, scope)


async def succeed(
    sandbox: Sandbox, action: Action, method: str, authenticator: Authenticator | None, device_id: str | None = None
) -> Action:
    """Request approval from the action's webhook, then let the action succeed and update the device.

    An action that must not succeed does not change. This includes one that was blocked or deleted while the webhook
    was called.

    Raises:
        Refusal: The webhook of the action configuration did not approve.
    """
    if not may_succeed(action):
        return action
    await sandbox.events.confirm(action, method, authenticator)
    now = sandbox.clock.now()
    current = sandbox.store.get_action(action.user_id, action.action_code, action.idempotency_key)
    if current is None or not may_succeed(current):
        return current or action
    changed = replace(
        current,
        state="CHALLENGE_SUCCEEDED",
        state_updated_at=now,
        updated_at=now,
        verification_method=method,
        verified_by=authenticator.user_authenticator_id if authenticator else None,
    )
    sandbox.store.put_action(changed)
    device_id = device_id or action.device_id
    if device_id:
        _seen_on(sandbox, action.user_id, device_id, method, now)
    return changed


def _seen_on(sandbox: Sandbox, user_id: str, device_id: str, method: str, now: datetime) -> None:
    known = next((value for value in sandbox.store.devices(user_id) if value.device_id == device_id), None)
    device = known or Device(user_id=user_id, device_id=device_id, created_at=now)
    sandbox.store.put_device(replace(device, authenticated_at=now, last_verification_method=method))


def may_succeed(action: Action) -> bool:
    """Return whether verification can change the action. It cannot if the action is blocked or under review."""
    return action.state in ("CHALLENGE_REQUIRED", "CHALLENGE_SUCCEEDED", "ALLOW", "CHALLENGE_FAILED")


def token_for(sandbox: Sandbox, user_id: str, action_code: str, idempotency_key: str, scope: str) -> str:
    """Create a token for that attempt."""
    return tokens.mint(
        sandbox.config,
        sandbox.clock.now(),
        user_id=user_id,
        action_code=action_code,
        idempotency_key=idempotency_key,
        scope=scope,
        minutes=sandbox.token_minutes,
        version=sandbox.token_versions.get(user_id, 0),
    )


async def use_recovery_code(sandbox: Sandbox, token: str, code: str) -> str:
    """Meet the challenge of a token with one of its user's recovery codes, which is used up.

    No documented API route accepts recovery codes: Authsignal's pre-built pages do, which the sandbox does not emulate.

    Returns:
        The new token.

    Raises:
        ValueError: The token is not valid, or the code is not one of the user's unused ones.
        Refusal: The action's webhook did not approve.
    """
    known = sandbox.token(token)
    if known is None or known.expires_at <= sandbox.clock.now().timestamp():
        raise ValueError("The token is invalid or has expired. Track an action to get a new one.")
    left = sandbox.recovery_codes.get(known.user_id, frozenset())
    if code not in left:
        raise ValueError("The code is not one of the user's unused recovery codes.")
    sandbox.recovery_codes[known.user_id] = left - {code}
    return await met(sandbox, known, RECOVERY_CODE, None)
