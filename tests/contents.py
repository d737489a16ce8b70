"""What databases hold, to compare the ways to fill them, and changes of a tenant between two syncs."""

from typing import Any

from dlt_authsignal.sandbox import RunningSandbox
from tests.helpers import opened

TABLES = ("users", "user_authenticators", "user_actions", "user_devices", "unknown_user_ids", "action_details")
HISTORIES = ("users_history", "user_authenticators_history")
OF_RUNS = ("_read_at", "_dlt_load_id", "_dlt_id", "valid_from", "valid_to", "deleted_at")
READS = "user_id, is_known, listed_hash, privacy_hash, newest_action_at, users_read_at is null"


def loaded(database: str) -> dict[str, list[tuple[Any, ...]]]:
    """What a database holds, without what differs from run to run."""
    with opened(database) as connection:

        def rows(query: str) -> list[tuple[Any, ...]]:
            return connection.execute(query).fetchall()

        there = {name for (name,) in rows("select table_name from information_schema.tables")}
        found = {}
        for name in (*TABLES, *HISTORIES):
            if name in there:
                columns = {column for column, *_ in rows(f"describe {name}")}
                wanted = ", ".join(f'"{column}"' for column in sorted(columns - set(OF_RUNS)))
                found[name] = rows(f"select {wanted} from {name} order by all")
        found["user_reads"] = rows(f"select {READS} from user_reads order by all")
        return found


def change(running: RunningSandbox) -> None:
    """Delete a user, and change and add authenticators of others."""
    store = running.sandbox.store
    users = sorted(store.users(), key=lambda user: user.user_id)
    store.remove_user(users[0].user_id, actions=True)
    for user in users[1:4]:
        for authenticator in list(store.authenticators(user.user_id))[:1]:
            store.remove_authenticator(user.user_id, authenticator.user_authenticator_id)
