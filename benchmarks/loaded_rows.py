"""What a DuckDB file holds, as JSON: by table the number of rows, of keys, and a digest of the set of keys.

A process of its own, so that DuckDB weighs on no measurement: python loaded_rows.py DATABASE SCHEMA
"""

import json
import sys

import duckdb

USER = "user_id"
KEYS = {
    "users": (USER,),
    "user_authenticators": ("user_authenticator_id",),
    "user_actions": (USER, "action_code", "idempotency_key"),
}


def holdings(file: str, schema: str) -> dict[str, list[str]]:
    with duckdb.connect(file, read_only=True) as connection:
        found = {}
        for table, key in KEYS.items():
            columns = {row[0] for row in connection.execute(f"DESCRIBE {schema}.{table}").fetchall()}
            names = [name if name in columns else f"_listing_{name}" for name in key]  # rest_api's, from the parent
            row = f"({', '.join(names)})"
            query = f"SELECT count(*), count(DISTINCT {row}), bit_xor(hash({row})) FROM {schema}.{table}"  # noqa: S608
            found[table] = [str(value) for value in connection.execute(query).fetchone() or ()]
        return found


if __name__ == "__main__":
    print(json.dumps(holdings(*sys.argv[1:])))
