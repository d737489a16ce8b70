"""DESTINATIONS: what loading into each database is like here, stated once. The source takes its hints from it, the
command its errors, the documentation its tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

Strategy = Literal["delete-insert", "upsert"]
FileFormat = Literal["parquet", "csv", "jsonl"]
TableFormat = Literal["delta", "iceberg"]
Evidence = Literal["run here", "on a stand-in", "compiled only", "not run"]

TABLE_FORMATS: Final[tuple[TableFormat, ...]] = ("delta", "iceberg")


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One of dlt's destinations.

    Attributes:
        name: dlt's name of it.
        title: Its name for people.
        extra: Extra of this package that brings its driver; None when none is needed.
        module: What that extra installs, to see whether it is there.
        file_format: Loader file format; None leaves the choice to dlt, which knows of a staging bucket.
        format_reason: Why that one.
        strategy: How dlt merges there.
        merge_means: What a merge does there, and when it is seen.
        evidence: How far loading into it is tested.
        tested_on: On what.
        credentials: Lines of `.dlt/secrets.toml`.
        table_format: Format of tables made of files; None where the destination is a database.
        lock: True where a sync holds a lock in the database.
        transactions: True where a merge is one transaction.
        arrow: True where rows are loaded as Arrow tables, which is many times faster than one by one.
    """

    name: str
    title: str
    extra: str | None
    module: str | None
    file_format: FileFormat | None
    format_reason: str
    strategy: Strategy = "delete-insert"
    merge_means: str
    evidence: Evidence
    tested_on: str
    credentials: str
    table_format: TableFormat | None = None
    lock: bool = False
    transactions: bool = False
    arrow: bool = False


_ONE_TRANSACTION: Final = "rows are deleted by key and inserted anew, each table in one transaction"
_TWO_STATEMENTS: Final = "rows are deleted by key and inserted anew, in two statements: a reader may see the gap"

_ALL: Final = (
    Destination(
        name="duckdb",
        title="DuckDB",
        extra=None,
        module=None,
        file_format="parquet",
        format_reason="a quarter of the time that INSERT takes",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="run here",
        tested_on="DuckDB",
        credentials='[destination.duckdb]\ncredentials = "authsignal.duckdb"   # optional',
        arrow=True,
    ),
    Destination(
        name="postgres",
        title="PostgreSQL",
        extra="postgres",
        module="psycopg2",
        file_format="csv",
        format_reason="COPY, and JSON arrives as jsonb; empty text arrives as null",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="run here",
        tested_on="PostgreSQL 15",
        credentials=(
            '[destination.postgres.credentials]\nhost = "db.example.com"\nport = 5432\n'
            'database = "warehouse"\nusername = "loader"\npassword = "…"'
        ),
        lock=True,
        arrow=True,
    ),
    Destination(
        name="filesystem",
        title="files (a folder, S3)",
        extra="delta",
        module="deltalake",
        file_format="parquet",
        format_reason="what Delta and Iceberg are made of",
        strategy="upsert",
        merge_means="rows are updated by key or inserted, each table in one commit",
        evidence="run here",
        tested_on="a local folder, and S3 as moto speaks it",
        credentials=(
            '[destination.filesystem]\nbucket_url = "s3://my-bucket/authsignal"   # or a folder: "/data/authsignal"\n\n'
            "[destination.filesystem.credentials]                 # for S3\n"
            'aws_access_key_id = "…"\naws_secret_access_key = "…"\nregion_name = "eu-central-1"'
        ),
        table_format="delta",
        arrow=True,
    ),
    Destination(
        name="snowflake",
        title="Snowflake",
        extra="snowflake",
        module="snowflake.connector",
        file_format="jsonl",
        format_reason="JSON arrives as VARIANT objects; from Parquet it would be text",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="on a stand-in",
        tested_on="fakesnow; its COPY INTO is ours",
        credentials=(
            '[destination.snowflake.credentials]\nhost = "myorg-myaccount"\ndatabase = "WAREHOUSE"\n'
            'username = "LOADER"\nprivate_key_path = "loader.p8"   # or password = "…"\n'
            'warehouse = "LOADING"\nrole = "LOADER_ROLE"'
        ),
    ),
    Destination(
        name="bigquery",
        title="BigQuery",
        extra="bigquery",
        module="google.cloud.bigquery",
        file_format="jsonl",
        format_reason="BigQuery takes JSON columns from it, and not from Parquet",
        merge_means=_TWO_STATEMENTS,
        evidence="on a stand-in",
        tested_on="bqemulator",
        credentials=(
            '[destination.bigquery]\nlocation = "EU"\n\n[destination.bigquery.credentials]\nproject_id = "my-project"\n'
            'client_email = "loader@my-project.iam.gserviceaccount.com"\n'
            'private_key = "-----BEGIN PRIVATE KEY-----\\n…"'
        ),
    ),
    Destination(
        name="redshift",
        title="Redshift",
        extra="redshift",
        module="psycopg2",
        file_format=None,
        format_reason="INSERT; JSON lines by way of a bucket with `--staging filesystem`, which nobody ran here",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="on a stand-in",
        tested_on="PostgreSQL with Redshift's types; KPI views compiled only",
        credentials=(
            '[destination.redshift.credentials]\nhost = "….redshift.amazonaws.com"\nport = 5439\n'
            'database = "warehouse"\nusername = "loader"\npassword = "…"'
        ),
    ),
    Destination(
        name="databricks",
        title="Databricks",
        extra="databricks",
        module="databricks.sql",
        file_format="parquet",
        format_reason="COPY INTO from a volume; JSON is text there in any case",
        merge_means=_TWO_STATEMENTS,
        evidence="compiled only",
        tested_on="every statement parsed, none sent",
        credentials=(
            '[destination.databricks.credentials]\nserver_hostname = "….cloud.databricks.com"\n'
            'http_path = "/sql/1.0/warehouses/…"\naccess_token = "…"\ncatalog = "main"'
        ),
    ),
    Destination(
        name="motherduck",
        title="MotherDuck",
        extra=None,
        module=None,
        file_format="parquet",
        format_reason="as for DuckDB",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="not run",
        tested_on="",
        credentials='[destination.motherduck.credentials]\ndatabase = "authsignal"\npassword = "…"   # the token',
        arrow=True,
    ),
)

DESTINATIONS: Final[Mapping[str, Destination]] = {destination.name: destination for destination in _ALL}

_OTHER: Final = Destination(
    name="other",
    title="any other of dlt's",
    extra=None,
    module=None,
    file_format=None,
    format_reason="dlt's choice",
    merge_means="as dlt does it",
    evidence="not run",
    tested_on="",
    credentials="",
)


def destination_of_type(destination_type: str) -> Destination:
    """What is known of a destination, by dlt's type of it (`postgres`, `dlt.destinations.postgres`)."""
    return DESTINATIONS.get(destination_type.rsplit(".", maxsplit=1)[-1], _OTHER)


def check_installed(destination: Destination, *, table_format: str | None = None, bucket_url: str = "") -> None:
    """Raises ExtraMissing unless what the destination needs is installed."""
    needed = [(destination.module, destination.extra)]
    if destination.table_format:
        needed = [("pyiceberg", "iceberg") if table_format == "iceberg" else ("deltalake", "delta")]
        needed += [("s3fs", "s3")] if bucket_url.startswith("s3:") else []
    for module, extra in needed:
        if module and extra and not _is_there(module):
            raise ExtraMissing(f"Loading into {destination.title}", extra)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a parent package
        return False


def checked_table_format(wanted: str) -> TableFormat:
    """The table format by that name.

    Raises:
        ConfigurationError: There is none, or it is one that cannot be merged into.
    """
    for known in TABLE_FORMATS:
        if wanted == known:
            return known
    why = " Files alone cannot be merged into: a second sync would double every row." if wanted == "parquet" else ""
    raise ConfigurationError(
        f'table_format under [destination.filesystem] is one of {", ".join(TABLE_FORMATS)}, not "{wanted}".{why}'
        " Both keep their rows in Parquet files."
    )
