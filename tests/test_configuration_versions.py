"""The histories equal those of an oracle, whatever is changed, and whether syncs are refused, fail or are killed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dlt_authsignal.errors import AuthsignalError
from dlt_authsignal.sandbox import Fault, RunningSandbox, SandboxConfig, run_in_thread
from tests.configuration import configured
from tests.crash.points import IN_DUCKDB
from tests.crash.syncs import SETTINGS, SMALL_FILES, Zygote
from tests.helpers import MANAGEMENT_SECRET, at, rows

RULES, LISTS = "rules", "value_lists"
ROUTES = {RULES: "GET /management/action-configurations/{actionCode}/rules", LISTS: "GET /management/value-lists"}
names, flags = st.sampled_from(["a", "b", "c"]), st.booleans()
steps = st.lists(
    st.one_of(
        st.tuples(st.just("rule"), names, flags, st.integers(0, 2)),
        st.tuples(st.just("no_rule"), names),
        st.tuples(st.just("list"), names, flags, st.lists(st.sampled_from(["x", "y", "z"]), unique=True)),
        st.tuples(st.just("no_list"), names),
        st.tuples(st.just("sync")),
        st.tuples(st.just("refused"), st.sampled_from([RULES, LISTS])),
        st.tuples(st.just("failed"), st.sampled_from([RULES, LISTS])),
        st.tuples(
            st.just("killed"),
            st.one_of(
                st.sampled_from([{"point": list(point)} for point in IN_DUCKDB.values()]),
                st.builds(lambda nth: {"fatal": {"statement": nth}}, st.integers(1, 120)),
                st.builds(lambda nth: {"fatal": {"file operation": nth}}, st.integers(1, 250)),
            ),
        ),
    ),
    min_size=4,
    max_size=10,
)

Versions = list[tuple[Any, bool]]


@dataclass
class Oracle:
    """What the histories have to say: by table and key, each version's value, and whether it is the valid one."""

    known: dict[str, dict[str, Versions]] = field(default_factory=lambda: {RULES: {}, LISTS: {}})

    def read(self, table: str, shown: dict[str, Any]) -> None:
        """After a complete read of a table."""
        known = self.known[table]
        for key in known.keys() | shown.keys():
            versions = known.setdefault(key, [])
            is_valid = bool(versions) and versions[-1][1]
            if key in shown and is_valid and versions[-1][0] == shown[key]:
                continue
            if is_valid:
                versions[-1] = (versions[-1][0], False)
            if key in shown:
                versions.append((shown[key], True))


def shown(running: RunningSandbox) -> dict[str, dict[str, Any]]:
    """What Authsignal would answer now."""
    tenant = running.sandbox.tenant
    return {
        RULES: {key: (value["isActive"], value["priority"]) for key, value in tenant.rules.items()},
        LISTS: {key: (value["isActive"], len(value["valueListItems"])) for key, value in tenant.value_lists.items()},
    }


def stored(query: str, value: Callable[..., Any] = lambda *found: found) -> dict[str, Versions]:
    found: dict[str, Versions] = {}
    for key, is_valid, *values in rows(query):
        found.setdefault(key, []).append((value(*values), is_valid))
    return found


def act(running: RunningSandbox, step: tuple[Any, ...]) -> None:
    kind, *about = step
    sandbox = running.sandbox
    if kind == "rule":
        name, is_active, priority = about
        base = next(iter(sandbox.tenant.rules.values()), {"conditions": {}, "actionCode": "signIn", "type": "BLOCK"})
        value = {**base, "ruleId": name, "name": name, "isActive": is_active, "priority": priority}
        sandbox.tenant = sandbox.tenant.put("rules", name, value)
    elif kind == "list":
        name, is_active, items = about
        value = {"alias": name, "name": name, "itemType": "string", "isActive": is_active, "valueListItems": items}
        sandbox.tenant = sandbox.tenant.put("value_lists", name, value)
    elif kind in ("no_rule", "no_list"):
        sandbox.tenant = sandbox.tenant.without("rules" if kind == "no_rule" else "value_lists", about[0])


def sync(running: RunningSandbox, oracle: Oracle, step: tuple[Any, ...]) -> None:
    kind, *about = step
    if kind != "sync":
        status = 403 if kind == "refused" else 500
        running.faults.add(Fault(route=ROUTES[about[0]], kind="status", status=status, times=None))
    try:
        report = configured(running, accept_deletes=True, attempts=1)
    except AuthsignalError:
        assert kind == "failed"
        return
    finally:
        running.faults.clear()
    assert set(report.refused) == ({about[0]} if kind == "refused" else set())
    for table, values in shown(running).items():
        if table not in report.refused:
            oracle.read(table, values)


def killed_sync(running: RunningSandbox, zygote: Zygote, how: dict[str, Any]) -> None:
    """One sync that is killed, if it comes by the moment. The sync that follows it reads the same configuration."""
    folder = Path.cwd()
    settings = {**SETTINGS, "MANAGEMENT_SECRET_KEY": MANAGEMENT_SECRET, "ACCEPT_DELETES": "true"}
    env = {
        **at(running, **settings),
        **SMALL_FILES,
        "DESTINATION__DUCKDB__CREDENTIALS": str(folder / "authsignal_pipeline.duckdb"),
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    code = zygote.run(folder, env, ["sync", "--apis", "management"], **how)
    assert code in (0, -9), (folder / "err.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    yield process
    process.close()


def check(oracle: Oracle) -> None:
    by_key = "order by valid_from"
    assert stored(f"select rule_id, valid_to is null, is_active, priority from rules_history {by_key}") == {
        key: versions for key, versions in oracle.known[RULES].items() if versions
    }
    assert stored(f"select alias, valid_to is null, is_active, item_count from value_lists_history {by_key}") == {
        key: versions for key, versions in oracle.known[LISTS].items() if versions
    }
    alive = {(alias, item) for alias, item in rows("select alias, item from value_list_items where deleted_at is null")}
    counted = {key: versions[-1][0][1] for key, versions in oracle.known[LISTS].items() if versions[-1][1]}
    assert {key: sum(alias == key for alias, _ in alive) for key in counted} == counted
    orphans = (
        "select path, rule_id from rule_conditions where deleted_at is null and rule_id not in (select rule_id from"
    )
    assert rows(f"{orphans} rules where deleted_at is null)") == []


@pytest.mark.deep
@pytest.mark.parametrize("part", [0, pytest.param(1, marks=pytest.mark.crash)])
@settings(
    max_examples=2,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(walk=steps)
def test_histories_of_the_configuration_equal_those_of_the_oracle(
    part: int, walk: list[tuple[Any, ...]], tmp_path_factory: pytest.TempPathFactory, zygote: Zygote
) -> None:
    folder = tmp_path_factory.mktemp("walk")
    with pytest.MonkeyPatch.context() as patch, run_in_thread(SandboxConfig(users=0)) as running:
        patch.chdir(folder)
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        oracle = Oracle()
        sync(running, oracle, ("sync",))
        for step in walk:
            if step[0] == "killed":
                killed_sync(running, zygote, step[1])
                sync(running, oracle, ("sync",))
            elif step[0] in ("sync", "refused", "failed"):
                sync(running, oracle, step)
            else:
                act(running, step)
        sync(running, oracle, ("sync",))
        check(oracle)
