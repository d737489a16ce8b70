"""The invented tenant with stories: who is in them, and that everything else stays as it is without them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlt_authsignal.sandbox import Sandbox, SandboxConfig
from dlt_authsignal.sandbox.core.story_settings import Stories
from dlt_authsignal.sandbox.tenant.entities import Action
from dlt_authsignal.sandbox.tenant.stories.found import Story
from dlt_authsignal.sandbox.tenant.stories.incidents import SHARED_NUMBER
from dlt_authsignal.sandbox.webhooks.past_events import PastEvents

EVER = datetime(2000, 1, 1, tzinfo=UTC)
OF_ACTION = (
    "user_id",
    "action_code",
    "idempotency_key",
    "created_at",
    "state",
    "updated_at",
    "state_updated_at",
    "verification_method",
    "verified_by",
    "user_agent",
    "ip_address",
    "country_code",
    "rules",
)
WITHOUT_STORIES = [
    ({"users": 80, "seed": 7}, "5dd3e575e83de40e608dbb2502de5aecdb47183dbe17c38eed77579e6d80ff12"),
    ({"users": 40, "seed": 3, "days": 100}, "d4827f9b8778324c479e30f6a4fc0a855d95b7435ad76676ca117539cdb252e6"),
]
"""Digests of tenants of the version before stories existed."""


def actions(sandbox: Sandbox) -> Iterator[Action]:
    for user in sandbox.store.users():
        yield from sandbox.store.actions(user.user_id, EVER)


def digest(sandbox: Sandbox) -> str:
    """A hash of all that the APIs and the events show."""
    found = hashlib.sha256()
    for user in sandbox.store.users():
        shown = (user, *sandbox.store.authenticators(user.user_id), *sandbox.store.devices(user.user_id))
        found.update(repr(shown).encode())
        for action in sandbox.store.actions(user.user_id, EVER):
            found.update(repr(tuple(getattr(action, name) for name in OF_ACTION)).encode())
    for chunk in PastEvents(sandbox, 60):
        for event in chunk:
            found.update(json.dumps(event.envelope, sort_keys=True).encode())
    changes = [
        (each.at, each.table, each.key, each.change, each.description) for each in sandbox.configuration_changes()
    ]
    found.update(repr((sandbox.tenant, changes)).encode())
    return found.hexdigest()


@pytest.mark.parametrize(("config", "expected"), WITHOUT_STORIES)
def test_a_tenant_without_stories_is_the_same_as_ever(config: dict[str, Any], expected: str) -> None:
    assert digest(Sandbox(SandboxConfig(**config))) == expected


@pytest.fixture(scope="module")
def tenant() -> Sandbox:
    """A tenant with stories. Read it only."""
    return Sandbox(SandboxConfig(users=200, seed=7, stories=True))


def told(sandbox: Sandbox) -> dict[str, Story]:
    return {story.name: story for story in sandbox.told_stories()}


def test_the_same_seed_tells_the_same_stories(tenant: Sandbox) -> None:
    again = Sandbox(SandboxConfig(users=200, seed=7, stories=Stories()))
    assert (digest(again), told(again)) == (digest(tenant), told(tenant))


def test_stories_add_attempts_and_remove_none_but_those_of_the_accounts_of_the_attack(tenant: Sandbox) -> None:
    plain = Sandbox(SandboxConfig(users=200, seed=7))
    accounts = told(tenant)["sms_attack"].users
    before = {action.idempotency_key: action for action in actions(plain) if action.user_id not in accounts}
    after = {action.idempotency_key: action for action in actions(tenant)}
    assert len(accounts) == 5
    missing = {key for key in before.keys() - after.keys() if before[key].action_code != "withdraw"}
    assert missing == set()  # whether a withdrawal follows depends on whether the sign-in succeeded
    for key in before.keys() & after.keys():
        old, new = before[key], after[key]
        if old.action_code != "withdraw":
            assert (old.created_at, old.country_code, old.ip_address) == (
                new.created_at,
                new.country_code,
                new.ip_address,
            )
            if (old.state, old.verification_method) != (new.state, new.verification_method):
                assert new.stories or old.rules or new.rules
    assert {user.user_id for user in plain.store.users()} == {user.user_id for user in tenant.store.users()}


def test_the_configuration_changes_stay_and_one_is_added(tenant: Sandbox) -> None:
    plain = Sandbox(SandboxConfig(users=200, seed=7)).configuration_changes()
    first, *others = tenant.configuration_changes()
    assert [(each.at, each.description) for each in others] == [(each.at, each.description) for each in plain]
    assert first.after.actions["signIn"]["promptToEnrollVerificationMethods"] == ["PASSKEY"]
    assert tenant.stories is not None
    assert tenant.stories.rollout is not None
    assert first.at == tenant.stories.rollout.start
    assert "signUp" in tenant.tenant.actions


def test_every_story_hits_some_users_and_what_it_adds_lies_in_its_days(tenant: Sandbox) -> None:
    found = told(tenant)
    assert list(found) == [
        "passkey_rollout",
        "broken_release",
        "sms_attack",
        "shared_phone",
        "mfa_fatigue",
        "brute_force",
        "factor_after_recovery",
        "impossible_travel",
    ]
    now = tenant.clock.now()
    for action in actions(tenant):
        assert action.created_at <= now
        user = tenant.store.get_user(action.user_id)
        assert user is not None
        assert user.created_at <= action.created_at
        for name in action.stories:
            days = found[name].days
            assert days is not None
            assert name == "passkey_rollout" or action.created_at.date() in days
            assert action.user_id in found[name].users
    phones = {user.user_id for user in tenant.store.users() if user.phone_number == SHARED_NUMBER}
    assert found["shared_phone"].users == phones
    assert len(phones) == 5


def test_a_broken_passkey_ends_in_another_method_or_in_nothing(tenant: Sandbox) -> None:
    broken = [action for action in actions(tenant) if "broken_release" in action.stories]
    assert broken
    for action in broken:
        assert action.steps
        assert action.steps[0].method == "PASSKEY"
        assert "Android" in (action.user_agent or "")
        assert action.verification_method != "PASSKEY"
        assert action.state in ("CHALLENGE_SUCCEEDED", "CHALLENGE_FAILED", "CHALLENGE_REQUIRED")


def steps(sandbox: Sandbox) -> list[dict[str, Any]]:
    events = (event.envelope for chunk in PastEvents(sandbox, 60) for event in chunk)
    return [event["record"] for event in events if event and event["type"] == "challenge.log_created"]


def test_the_unpublished_types_of_steps_can_be_changed_and_left_out(tenant: Sandbox) -> None:
    kinds = {step["type"] for step in steps(tenant) if step["verificationMethod"] in ("PASSKEY", "PUSH")}
    assert kinds == {"PASSKEY_STARTED", "PUSH_SENT"}
    types = {"PASSKEY": "PASSKEY_X"}
    other = Sandbox(SandboxConfig(users=200, seed=7, stories=True, unpublished_steps=types))
    assert {step["type"] for step in steps(other) if step["verificationMethod"] == "PASSKEY"} == {"PASSKEY_X"}
    assert all(step["verificationMethod"] != "PUSH" for step in steps(other))


def test_every_event_of_the_past_has_its_own_id(tenant: Sandbox) -> None:
    ids = [event.envelope["id"] for chunk in PastEvents(tenant, 60) for event in chunk if event.envelope]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"users": 5}, {"passkey_rollout", "broken_release"}),
        ({"users": 200, "days": 5}, set()),
        ({"users": 200, "stories": Stories(release_week=None, incidents=False)}, {"passkey_rollout", "sms_attack"}),
        ({"users": 200, "stories": Stories(attack_week=40)}, None),
        ({"users": 200, "seed": None}, None),
        ({"users": 0}, set()),
    ],
)
def test_stories_without_room_are_left_out(config: dict[str, Any], expected: set[str] | None) -> None:
    sandbox = Sandbox(SandboxConfig(**{"seed": 7, "stories": True, **config}))
    found = set(told(sandbox))
    if expected is None:
        assert found >= {"passkey_rollout", "broken_release", "shared_phone"}
        assert ("sms_attack" in found) == (config.get("seed", 7) is None)
    else:
        assert found <= expected


def test_only_the_first_users_have_stories_and_a_snapshot_keeps_them() -> None:
    sandbox = Sandbox(SandboxConfig(users=200, seed=7, stories=True))
    before = told(sandbox)
    sandbox.snapshot("begin")
    sandbox.seed(100, 45, 8)
    for story in sandbox.told_stories():
        assert (story.users, story.attempts) == (before[story.name].users, before[story.name].attempts)
    sandbox.reset()
    assert told(sandbox) == {}
    sandbox.restore("begin")
    assert told(sandbox) == before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"release_week": 0}, "release_week must be a whole number"),
        ({"attack_week": 1.5}, "attack_week must be a whole number"),
        ({"release_system": "BeOS"}, "release_system must be one of Android"),
        ({"attack_country": "XX"}, "attack_country must be one of KM"),
    ],
)
def test_wrong_settings_of_stories_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stories(**wrong)


def test_no_step_is_later_than_the_moment_until_which_the_past_is_sent(tenant: Sandbox) -> None:
    for action in actions(tenant):
        for step in action.steps or ():
            assert action.created_at <= step.at < action.created_at + timedelta(days=1)
