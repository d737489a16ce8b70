"""A tenant whose attempts reach the tables by the API, by events, or by both: plain dictionaries, drawn from a seed."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dlt_authsignal.api.webhooks import ACTION_LOG, CHALLENGE_LOG, envelope
from dlt_authsignal.sandbox import RunningSandbox
from dlt_authsignal.sandbox.tenant.entities import Action
from tests.event_spools import deliver

Json = dict[str, Any]

CODES = ("signIn", "signIn", "logIn", "payment")
COUNTRIES = ("US", "DE", "BR", None)
METHODS = ("PASSKEY", "SMS", "EMAIL_OTP", "AUTHENTICATOR_APP", "RECOVERY_CODE")
STATES = ("CHALLENGE_SUCCEEDED", "CHALLENGE_SUCCEEDED", "CHALLENGE_REQUIRED", "CHALLENGE_FAILED", "ALLOW", "BLOCK")
STEPS = (
    "SMS_SENT",
    "SMS_DELIVERED",
    "SMS_NOT_DELIVERED",
    "SMS_CODE_VALID",
    "SMS_CODE_INVALID_OR_EXPIRED",
    "EMAIL_OTP_SENT",
    "EMAIL_OTP_CODE_VALID",
    "WHATSAPP_SENT",
    "PASSKEY_CEREMONY_STARTED",
    "PASSKEY_CEREMONY_ENDED",
)
"""The last two are not published, so their kind is unknown."""

AGENT = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile"
TOKEN = timedelta(minutes=10)
LATER = timedelta(minutes=12)
"""How long after it began the event of an attempt is received."""


@dataclass
class Tenant:
    """What was made: the attempts and the steps of their challenges, and how many copies of events."""

    attempts: list[Json] = field(default_factory=list)
    steps: list[Json] = field(default_factory=list)
    unknown: int = 0
    copies: int = 0
    received_last: datetime | None = None


def make(running: RunningSandbox, rules: list[Json], *, seed: int, count: int = 500) -> Tenant:
    """Add attempts to a sandbox, and put events about them and about its own attempts into the folder `spool`."""
    rng, now, store = random.Random(seed), running.sandbox.clock.now(), running.sandbox.store
    users = [user.user_id for user in store.users()]
    tenant = Tenant()
    for number in range(count):
        created = now - timedelta(seconds=rng.randrange(60, 50 * 86_400), milliseconds=rng.randrange(1000))
        tenant.attempts.append(_attempt(rng, rng.choice(users), number, created, now, rules))
    for attempt in tenant.attempts:
        if attempt["api"]:
            store.put_action(_action(attempt))
    _send(tenant, rng, now)
    return tenant


def _attempt(rng: random.Random, user: str, number: int, created: datetime, now: datetime, rules: list[Json]) -> Json:
    code, state = rng.choice(CODES), rng.choice(STATES)
    is_recent = now - created < timedelta(days=29)
    lane = rng.choice(("both", "both", "api", "event")) if is_recent else "event"
    took = timedelta(milliseconds=rng.randrange(1_000, 90_000))
    method = rng.choice(METHODS) if state == "CHALLENGE_SUCCEEDED" else None
    of_code = [rule for rule in rules if rule["action_code"] == code]
    fired = rng.sample(of_code, k=min(len(of_code), rng.randrange(3)))
    final = {"state": state, "updated": created + took, "method": method}
    waiting = {"state": "CHALLENGE_REQUIRED", "updated": created, "method": None}
    is_changed_later = lane == "both" and state.startswith("CHALLENGE") and rng.random() < 0.2
    return {
        "user": user,
        "code": code,
        "key": f"key-{number}",
        "created": created,
        "country": rng.choice(COUNTRIES),
        "agent": rng.choice((("Android", "Chrome"), None)),
        "api": final if lane != "event" else None,
        "event": (waiting if is_changed_later else final) if lane != "api" else None,
        "outcome": "CHALLENGE" if state.startswith("CHALLENGE") else rng.choice((state, "CHALLENGE")),
        "allowed": rng.choice((["PASSKEY", "SMS"], ["SMS", "EMAIL_OTP"], None)),
        "enrolled": rng.choice((["PASSKEY", "SMS"], ["SMS"], None)),
        "fired": [rule["rule_id"] for rule in fired],
    }


def _action(attempt: Json) -> Action:
    seen = attempt["api"]
    return Action(
        user_id=attempt["user"],
        action_code=attempt["code"],
        idempotency_key=attempt["key"],
        created_at=attempt["created"],
        state=seen["state"],
        state_updated_at=seen["updated"],
        verification_method=seen["method"],
        country_code=attempt["country"],
        user_agent=AGENT if attempt["agent"] else None,
    )


def _send(tenant: Tenant, rng: random.Random, now: datetime) -> None:
    """Deliver the events in an order of their own, in deliveries of up to 50, some of them twice."""
    sent = [(attempt["created"] + LATER, _reported(attempt)) for attempt in tenant.attempts if attempt["event"]]
    for attempt in tenant.attempts:
        if attempt["event"] and attempt["outcome"] == "CHALLENGE":
            for place, step in enumerate(rng.sample(STEPS, k=rng.randrange(6))):
                made = _step(attempt, step, place, rng)
                tenant.steps.append(made)
                sent.append((attempt["created"] + LATER, _reported_step(made)))
    for number in range(7):
        future = envelope("session.revoked", {"userId": "u"}, id=f"unknown-{number}", time=_iso(now), tenant_id="t1")
        sent.append((now, future))
        tenant.unknown += 1
    sent = [(at, event) for at, event in sent if at <= now]
    known = {event["id"] for _, event in sent}
    tenant.steps = [step for step in tenant.steps if step["id"] in known]
    for attempt in tenant.attempts:
        if f"event-{attempt['key']}" not in known:
            attempt["event"] = None
    sent.sort(key=lambda each: each[0])
    tenant.received_last = sent[-1][0]
    parcels = [sent[start : start + 50] for start in range(0, len(sent), 50)]
    rng.shuffle(parcels)
    for parcel in parcels:
        again = rng.sample(parcel, k=min(3, len(parcel)))
        tenant.copies += len(again)
        deliver([event for _, event in parcel + again], max(at for at, _ in parcel))


def _reported(attempt: Json) -> Json:
    seen = attempt["event"]
    record = {
        "userId": attempt["user"],
        "actionCode": attempt["code"],
        "idempotencyKey": attempt["key"],
        "createdAt": _iso(attempt["created"]),
        "state": seen["state"],
        "stateUpdatedAt": _iso(seen["updated"]),
        "verificationMethod": seen["method"],
        "countryCode": attempt["country"],
        "outcome": attempt["outcome"],
        "allowedVerificationMethods": attempt["allowed"],
        "enrolledVerificationMethods": attempt["enrolled"],
        "rules": [{"ruleId": rule, "name": "a rule"} for rule in attempt["fired"]] or None,
        "priorityRuleId": attempt["fired"][0] if attempt["fired"] else None,
    }
    known = {name: value for name, value in record.items() if value is not None}
    time = _iso(attempt["created"] + TOKEN)
    return envelope(ACTION_LOG, known, id=f"event-{attempt['key']}", time=time, tenant_id="t1")


def _step(attempt: Json, step: str, place: int, rng: random.Random) -> Json:
    method = next(name for name in ("SMS", "EMAIL_OTP", "WHATSAPP", "PASSKEY") if step.startswith(name))
    return {
        "id": f"step-{attempt['key']}-{place}",
        "attempt": attempt,
        "type": step,
        "method": method,
        "at": attempt["created"] + timedelta(seconds=place),
        "phone": rng.choice(("+41791234567", "+12125550123", None)) if method in ("SMS", "WHATSAPP") else None,
        "error": "The message was refused." if rng.random() < 0.05 else None,
    }


def _reported_step(step: Json) -> Json:
    attempt = step["attempt"]
    record = {
        "userId": attempt["user"],
        "actionCode": attempt["code"],
        "idempotencyKey": attempt["key"],
        "createdAt": _iso(step["at"]),
        "type": step["type"],
        "verificationMethod": step["method"],
        "phoneNumber": step["phone"],
        "errorDescription": step["error"],
    }
    known = {name: value for name, value in record.items() if value is not None}
    time = _iso(step["at"] + TOKEN)
    return envelope(CHALLENGE_LOG, known, id=step["id"], time=time, tenant_id="t1")


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"
