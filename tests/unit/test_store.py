"""The store creates seeded users when they are read, which must not be visible to callers."""

import random
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from dlt_authsignal.sandbox import SandboxConfig
from dlt_authsignal.sandbox.core.config import SEEDED_NOW
from dlt_authsignal.sandbox.sandbox import Sandbox
from dlt_authsignal.sandbox.tenant.entities import Action, Authenticator, Device, User
from dlt_authsignal.sandbox.tenant.invented.people import belongings_of
from dlt_authsignal.sandbox.tenant.store import COUNTED_PEOPLE, Store

EVER = SEEDED_NOW - timedelta(days=3650)


def seeded(users: int = 40, seed: int = 7) -> Store:
    return Sandbox(SandboxConfig(users=users, seed=seed)).store


def evict() -> None:
    """What reading thousands of other people does."""
    belongings_of.cache_clear()


def belongings(store: Store, user_id: str) -> str:
    return repr((store.authenticators(user_id), store.devices(user_id), store.actions(user_id, EVER)))


def content(store: Store, ids: Iterable[str]) -> dict[str, str]:
    return {user_id: belongings(store, user_id) for user_id in ids}


def ids_of(store: Store) -> list[str]:
    return [user.user_id for user in store.users()]


def seeded_user(store: Store) -> str:
    """A user with authenticators, devices and actions."""
    return next(i for i in ids_of(store) if store.authenticators(i) and store.devices(i) and store.actions(i, EVER))


def attempt(user_id: str) -> Action:
    return Action(user_id=user_id, action_code="new", idempotency_key="k", created_at=SEEDED_NOW, state="ALLOW")


def authenticator(user_id: str) -> Authenticator:
    return Authenticator(user_authenticator_id="new", user_id=user_id, verification_method="SMS", created_at=SEEDED_NOW)


def test_the_order_of_reads_and_evictions_changes_nothing() -> None:
    store = seeded()
    straight = content(store, ids_of(store))
    shuffled = ids_of(other := seeded())
    random.Random(1).shuffle(shuffled)
    mixed: dict[str, str] = {}
    for user_id in shuffled:
        evict()
        mixed |= content(other, [user_id])
    assert mixed == straight
    assert list(store.users()) == list(other.users())


def test_a_larger_tenant_starts_with_the_users_of_a_smaller_one() -> None:
    small, large = seeded(20), seeded(40)
    assert list(large.users())[:20] == list(small.users())
    assert content(large, ids_of(small)) == content(small, ids_of(small))


def test_the_default_verification_method_matches_the_default_authenticator() -> None:
    store = seeded(200)
    for user in store.users():
        chosen = [a.verification_method for a in store.authenticators(user.user_id) if a.is_default and a.verified_at]
        assert chosen == ([user.default_verification_method] if user.default_verification_method else [])


def test_a_changed_user_keeps_their_authenticators_devices_and_actions() -> None:
    store = seeded()
    user_id = seeded_user(store)
    before, user = belongings(store, user_id), store.get_user(user_id)
    assert user is not None
    store.put_user(replace(user, email="new@example.com"))
    evict()
    assert belongings(store, user_id) == before
    assert [found.user_id for found in store.find(email="new@example.com")] == [user_id]


@pytest.mark.parametrize("actions", [True, False])
def test_a_deleted_user_stays_deleted(actions: bool) -> None:
    store = seeded()
    user_id = seeded_user(store)
    history = store.actions(user_id, EVER)
    evict()
    store.remove_user(user_id, actions=actions)
    evict()
    assert store.get_user(user_id) is None
    assert (store.authenticators(user_id), store.devices(user_id)) == ([], [])
    assert store.actions(user_id, EVER) == ([] if actions else history)
    store.put_user(User(user_id=user_id, created_at=SEEDED_NOW))
    evict()
    assert store.authenticators(user_id) == []


def test_a_removed_authenticator_stays_removed_and_nothing_else_is_removed() -> None:
    store = seeded()
    user_id = seeded_user(store)
    first, *others = store.authenticators(user_id)
    rest = (store.devices(user_id), store.actions(user_id, EVER))
    evict()
    assert store.remove_authenticator(user_id, first.user_authenticator_id)
    evict()
    assert store.authenticators(user_id) == others
    assert (store.devices(user_id), store.actions(user_id, EVER)) == rest
    assert not store.remove_authenticator(user_id, first.user_authenticator_id)


def test_added_rows_are_kept_beside_seeded_rows() -> None:
    store = seeded()
    user_id = seeded_user(store)
    before = (store.authenticators(user_id), store.devices(user_id), store.actions(user_id, EVER))
    evict()
    device = Device(user_id=user_id, device_id="new", created_at=SEEDED_NOW)
    store.put_action(attempt(user_id))
    evict()
    store.put_authenticator(authenticator(user_id))
    store.put_device(device)
    evict()
    assert store.authenticators(user_id) == [*before[0], authenticator(user_id)]
    assert store.devices(user_id) == [*before[1], device]
    assert store.actions(user_id, EVER) == [*before[2], attempt(user_id)]
    assert store.get_action(user_id, "new", "k") == attempt(user_id)


def test_an_updated_seeded_action_keeps_its_position() -> None:
    store = seeded()
    user_id = seeded_user(store)
    first, *others = store.actions(user_id, EVER)
    changed = replace(first, state="REVIEW_FAILED")
    store.put_action(changed)
    evict()
    assert store.actions(user_id, EVER) == [changed, *others]


def test_a_change_of_one_user_changes_no_other_user() -> None:
    store, untouched = seeded(), seeded()
    user_id = seeded_user(store)
    store.put_action(attempt(user_id))
    others = [other for other in ids_of(store) if other != user_id]
    assert content(store, others) == content(untouched, others)


def test_seeding_again_keeps_existing_users_and_restores_deleted_ones() -> None:
    sandbox = Sandbox(SandboxConfig(users=40, seed=7))
    store = sandbox.store
    before, page = content(store, ids_of(store)), store.page(None, 1000)
    deleted = seeded_user(store)
    changed = next(i for i in ids_of(store) if i != deleted)
    store.remove_user(deleted, actions=True)
    store.put_action(attempt(deleted))
    store.put_action(attempt(changed))
    sandbox.seed(40, 45, 7)
    evict()
    assert store.page(None, 1000) == page
    assert attempt(changed) in store.actions(changed, EVER)
    assert attempt(deleted) in store.actions(deleted, EVER)
    others = set(before) - {deleted, changed}
    assert content(store, others) == {user_id: before[user_id] for user_id in others}


def test_users_of_two_seeds_can_be_in_one_tenant() -> None:
    sandbox = Sandbox(SandboxConfig(users=20, seed=7))
    sandbox.seed(20, 10, 8)
    assert ids_of(sandbox.store)[:20] == ids_of(seeded(20))
    assert set(ids_of(seeded(20, seed=8))) <= set(ids_of(sandbox.store))


def test_a_copy_and_its_original_are_independent() -> None:
    store = seeded()
    user_id = seeded_user(store)
    before, page = content(store, ids_of(store)), store.page(None, 1000)
    copied = store.copy()
    store.remove_user(user_id, actions=True)
    store.put_user(User(user_id="later", created_at=SEEDED_NOW))
    store.put_authenticator(authenticator(user_id))
    evict()
    assert copied.page(None, 1000) == page
    assert content(copied, before) == before
    copied.put_deleted("another user")
    assert store.get_user("later") is not None
    assert store.page("later", 10) == ([], None)


def test_a_small_tenant_counts_users_authenticators_actions_and_devices() -> None:
    store = seeded(COUNTED_PEOPLE)
    ids = ids_of(store)
    assert store.counts() == {
        "users": COUNTED_PEOPLE,
        "authenticators": sum(len(store.authenticators(user_id)) for user_id in ids),
        "actions": sum(len(store.actions(user_id, EVER)) for user_id in ids),
        "devices": sum(len(store.devices(user_id)) for user_id in ids),
    }


def test_a_large_tenant_counts_only_users_and_generates_none() -> None:
    store = seeded(COUNTED_PEOPLE + 1)
    evict()
    assert store.counts() == {"users": COUNTED_PEOPLE + 1}
    assert belongings_of.cache_info().currsize == 0


def test_a_search_matches_all_given_attributes() -> None:
    store = seeded()
    user = next(user for user in store.users() if user.email and user.phone_number and user.username)
    assert user.email is not None
    assert user.phone_number is not None
    assert store.find(email=user.email) == [user]
    assert store.find(email=user.email, phone_number=user.phone_number) == [user]
    assert store.find(email=user.email, phone_number="none") == []
    store.remove_user(user.user_id, actions=True)
    assert store.find(email=user.email) == []


@pytest.mark.deep
def test_ten_thousand_users_are_generated_quickly_and_few_stay_in_memory() -> None:
    started = time.perf_counter()
    store = seeded(10_000)
    for user_id in ids_of(store):
        store.authenticators(user_id)
    assert time.perf_counter() - started < 20  # about 2 s; catches a mistake, not a slow machine
    assert belongings_of.cache_info().currsize <= 2_048
