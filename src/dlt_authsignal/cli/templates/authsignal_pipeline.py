"""Load Authsignal into DuckDB. Keys come from .dlt/secrets.toml; copy this file and change what you like.

Run it again, and only users who are new, changed or stale are read. `help(dlt_authsignal.sync)` explains the settings.
"""

import sys

import dlt

from dlt_authsignal import AuthsignalError, sync


def load() -> None:
    pipeline = dlt.pipeline(
        pipeline_name="authsignal_pipeline",
        destination="duckdb",
        dataset_name="authsignal_data",
    )
    print(sync(pipeline))


if __name__ == "__main__":
    try:
        load()
    except AuthsignalError as error:  # says what to do; a traceback would not help
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
