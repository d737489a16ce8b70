"""Loads Authsignal into DuckDB. Keys come from .dlt/secrets.toml; copy this file and change what you like."""

import dlt

from dlt_authsignal import authsignal_source, update_history


def load() -> None:
    pipeline = dlt.pipeline(
        pipeline_name="authsignal_pipeline",
        destination="duckdb",
        dataset_name="authsignal_data",
    )
    print(pipeline.run(authsignal_source()))
    update_history(pipeline)  # marks what is gone, keeps old versions


if __name__ == "__main__":
    load()
