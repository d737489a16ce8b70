"""The tenant of kpi_tenant.py, loaded, with what its KPIs are computed from in Python."""

import pickle
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dlt_authsignal.api.endpoints import ACTION_WINDOW_DAYS
from dlt_authsignal.pipeline.attach import attach
from dlt_authsignal.sandbox import RunningSandbox, run_in_thread
from dlt_authsignal.sandbox.core.clock import to_the_millisecond
from dlt_authsignal.sandbox.tenant.expected.attempts import dimensions
from dlt_authsignal.sandbox.tenant.store import window_start
from tests import kpi_tenant
from tests.event_spools import load
from tests.helpers import MANAGEMENT_SECRET, sync_from
from tests.kpi_oracle import Oracle
from tests.loaded import SEEDED, made_once, project

NOTE = "tenant.pickle"


@dataclass
class Made:
    """What was loaded.

    Attributes:
        own: The sandbox's own attempts.
        tenant: The attempts that were added, and the events about them.
        rules: The tenant's rules.
        passkeys: For each user, when each passkey was created.
        now: The sandbox's time.
    """

    own: list[dict[str, Any]]
    tenant: kpi_tenant.Tenant
    rules: list[dict[str, Any]]
    passkeys: dict[str, list[datetime]]
    now: datetime

    def oracle(self) -> Oracle:
        assert self.tenant.received_last
        until = (self.tenant.received_last - timedelta(minutes=15)).date()
        attempts, end = self.own + self.tenant.attempts, self.now + timedelta(days=1)
        return Oracle(attempts, self.tenant.steps, self.rules, self.passkeys, end, until)


def made_of_seed_1(factory: pytest.TempPathFactory) -> Path:
    """A project with the tenant of seed 1 in DuckDB, to be copied; `remembered` reads what it was made of."""
    return made_once(factory, "kpis", _make)


def remembered(folder: Path) -> Made:
    made: Made = pickle.loads((folder / NOTE).read_bytes())  # noqa: S301
    return made


def _make(folder: Path) -> None:
    with project(folder), run_in_thread(SEEDED) as running:
        made = load_tenant(running, 1)
        (folder / NOTE).write_bytes(pickle.dumps(made))


def load_tenant(running: RunningSandbox, seed: int, **into: Any) -> Made:
    """Load a tenant whose attempts reach the tables by the API, by events, or by both."""
    settings = {"apis": ["server", "management"], "management_secret_key": MANAGEMENT_SECRET, **into}
    sync_from(running, **settings)
    pipeline = attach(**into)
    with pipeline.sql_client() as client:
        names = ("rule_id", "action_code", "name")
        found = client.execute_sql(
            f"select {', '.join(names)} from {client.make_qualified_table_name('rules')} order by rule_id"
        )
        rules = [dict(zip(names, row, strict=True)) for row in found or ()]
    own = _existing_attempts(running)
    tenant = kpi_tenant.make(running, rules, seed=seed)
    sync_from(running, full=True, **settings)
    load(**into)
    store = running.sandbox.store
    passkeys = {
        user.user_id: [
            to_the_millisecond(value.created_at)
            for value in store.authenticators(user.user_id)
            if value.verification_method == "PASSKEY" and value.verified_at
        ]
        for user in store.users()
    }
    return Made(own, tenant, rules, passkeys, running.sandbox.clock.now())


def _existing_attempts(running: RunningSandbox) -> list[dict[str, Any]]:
    """The sandbox's own attempts of the last 30 days, which only the API returns."""
    running.sandbox.clock.freeze()
    store, now = running.sandbox.store, running.sandbox.clock.now()
    return [
        {
            "user": user.user_id,
            "code": action.action_code,
            "key": action.idempotency_key,
            "created": to_the_millisecond(action.created_at),
            "country": action.country_code,
            "agent": (dimensions(action)["os"], dimensions(action)["browser"]),
            "api": {
                "state": action.state,
                "updated": to_the_millisecond(action.state_updated_at or action.created_at),
                "method": action.verification_method,
            },
            "event": None,
            "outcome": None,
            "allowed": None,
            "enrolled": None,
            "fired": [],
        }
        for user in store.users()
        for action in store.actions(user.user_id, window_start(now, ACTION_WINDOW_DAYS))
    ]
