"""A pipeline that has nothing to do with Authsignal, in a process that may have used this package before.

`python another_team.py MODE URL` prints one JSON object: what that pipeline made, found and logged.
"""

import gc
import io
import json
import logging
import os
import re
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import RuntimeConfiguration
from dlt.common.configuration.specs.config_section_context import ConfigSectionContext
from dlt.common.storages.configuration import LoadStorageConfiguration
from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials
from dlt.normalize.configuration import ItemsNormalizerConfiguration

PIPELINE = "another_team"
OURS: dict[str, Any] = {"api_secret_key": "sandbox-server-secret", "rate": "max", "privacy": "keep"}


def prepare(mode: str, url: str) -> None:
    """Use this package as far as the mode says."""
    if mode == "alone":
        return
    import dlt_authsignal

    if mode == "imported":
        from dlt_authsignal import authsignal_source, known_reads, sync, update_history  # noqa: F401
    if mode == "built":
        dlt.pipeline(PIPELINE, destination="duckdb", dataset_name="theirs")  # and is the active one
        dlt_authsignal.authsignal_source(base_url=url, **OURS)
    if mode == "composed":
        pipeline = dlt.pipeline("composed", destination="duckdb", dataset_name="ours")
        pipeline.run(dlt_authsignal.authsignal_source(base_url=url, **OURS))
    if mode in ("synced", "synced to files"):
        if mode == "synced to files":
            os.environ["DESTINATION__FILESYSTEM__BUCKET_URL"] = "ours"
        destination = "filesystem" if mode == "synced to files" else "duckdb"
        pipeline = dlt.pipeline("synced", destination=destination, dataset_name="ours")
        dlt_authsignal.sync(pipeline, base_url=url, **OURS)
        os.environ.pop("DESTINATION__FILESYSTEM__BUCKET_URL", None)


def load() -> dict[str, Any]:
    """Load rows and Arrow tables, into DuckDB and, if it is installed, into a Delta table."""
    pipeline = dlt.pipeline(PIPELINE, destination="duckdb", dataset_name="theirs")
    table = pa.table({"id": [1, 2], "what": ["{}", "{}"]})
    arrow = dlt.resource([table], name="tables", columns={"what": {"data_type": "json"}})
    pipeline.run([dlt.resource([{"id": 1, "users_from": {"a": 1}}], name="rows"), arrow])
    with pipeline.sql_client() as client:
        limit = client.execute_sql("SELECT current_setting('memory_limit')")
        columns = client.execute_sql(
            "SELECT table_name, column_name, data_type FROM information_schema.columns ORDER BY ALL"
        )
    left = [path.name.partition(".")[0] for path in Path(pipeline.working_dir).glob("load/loaded/*/completed_jobs/*")]
    found = {
        "schema": shape(pipeline),
        "memory limit": limit,
        "columns": columns,
        "settings": settings(),
        "left on disk": sorted(left),
    }
    return found | {"delta": load_delta() if find_spec("deltalake") else None}


def load_delta() -> list[str]:
    """Two files of one load, of which the second has another column: plain dlt looks at the first one only."""
    files = dlt.destinations.filesystem("theirs")
    pipeline = dlt.pipeline(f"{PIPELINE}_delta", destination=files, dataset_name="theirs")
    os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = "1"
    rows = [pa.table({"id": [1]}), pa.table({"id": [2], "late": [2]})]
    resource = dlt.resource(rows, name="files", table_format="delta", file_format="parquet")
    pipeline.run(resource, write_disposition="append")
    from deltalake import DeltaTable

    return sorted(field.name for field in DeltaTable("theirs/theirs/files").schema().fields)


def shape(pipeline: Any) -> Any:
    """Its schema, without what differs from run to run."""
    held = pipeline.default_schema.to_dict()
    return {name: value for name, value in held.items() if name not in ("version_hash", "previous_hashes")}


def settings() -> dict[str, Any]:
    """What dlt resolves for that pipeline, and what it does not find."""
    container = Container()
    with container.injectable_context(ConfigSectionContext(pipeline_name=PIPELINE)):
        normalizer = resolve_configuration(ItemsNormalizerConfiguration(), sections=("normalize", "parquet_normalizer"))
        storage = resolve_configuration(LoadStorageConfiguration("x"), sections=("load",))
        runtime = resolve_configuration(RuntimeConfiguration())
        duckdb = resolve_configuration(DuckDbCredentials("x.duckdb"), sections=("destination", "duckdb"))
        try:
            dlt.secrets["nowhere.at_all"]
        except KeyError as missing:
            tried = [line for line in str(missing).splitlines() if line.startswith("  (")]
    return {
        "normalizer": dict(normalizer),
        "storage": dict(storage),
        "runtime": {name: repr(value) for name, value in dict(runtime).items()},
        "duckdb": repr(duckdb.global_config),
        "tried": tried,
    }


def main(mode: str, url: str) -> None:
    """Prepare, load and print."""
    process = {"environment": dict(os.environ), "gc": gc.get_threshold(), "frozen": gc.get_freeze_count()}
    handlers = {name: repr(signal.getsignal(getattr(signal, name))) for name in ("SIGINT", "SIGTERM")}
    prepare(mode, url)
    assert process == {
        "environment": dict(os.environ),
        "gc": gc.get_threshold(),
        "frozen": gc.get_freeze_count(),
    }
    assert handlers == {name: repr(signal.getsignal(getattr(signal, name))) for name in ("SIGINT", "SIGTERM")}
    logged = io.StringIO()
    logging.getLogger("dlt").addHandler(logging.StreamHandler(logged))
    found = load()
    found["log"] = [re.sub(r"^.*?(?=In resource)", "", line) for line in logged.getvalue().splitlines()]
    print(json.dumps(found, default=str, sort_keys=True))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
