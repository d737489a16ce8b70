"""Facts about each destination: how rows are loaded, which extra it needs, and how far it is tested.

Hints, error messages and the documentation's tables are made from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal

from dlt_authsignal.errors import ConfigurationError, ExtraMissing

Strategy = Literal["delete-insert", "upsert"]
FileFormat = Literal["parquet", "csv", "jsonl", "insert_values"]
TableFormat = Literal["delta", "iceberg"]
Evidence = Literal["tested", "emulated", "not run"]

TABLE_FORMATS: Final[tuple[TableFormat, ...]] = ("delta", "iceberg")

OBJECT_STORES: Final[Mapping[str, tuple[str, str]]] = {
    "s3": ("s3fs", "s3"),
    **dict.fromkeys(("gs", "gcs"), ("gcsfs", "gcs")),
    **dict.fromkeys(("az", "abfs", "abfss", "azure", "adl"), ("adlfs", "azure")),
}
"""Module and extra that a bucket needs, by the scheme of its URL."""


@dataclass(frozen=True, kw_only=True)
class Destination:
    """One of dlt's destinations.

    Attributes:
        name: dlt's name of the destination.
        title: Its name in texts.
        extra: Extra of this package that installs the driver; None if no extra is needed.
        module: Module that the extra installs, to check whether it is installed.
        file_format: Loader file format; None leaves the choice to dlt, which considers a staging bucket.
        format_reason: Reason for the file format.
        row_format: Loader file format of tables that are loaded as single rows, where it differs.
        strategy: dlt's merge strategy.
        merge_means: What a merge does, and what readers see meanwhile.
        evidence: How far loading is tested.
        tested_on: What it is tested on.
        credentials: Lines of `.dlt/secrets.toml`.
        required: Parts of the settings that a connection needs, each with its alternatives.
        other_ways: Sentence on ways to connect without a password in the settings; empty if there is none.
        table_format: Format of tables made of files; None if the destination is a database.
        lock: True if a sync holds a lock in the database.
        transactions: True if a merge is one transaction.
        arrow: True if rows are loaded as Arrow tables, which is many times faster than single rows.
    """

    name: str
    title: str
    extra: str | None
    module: str | None
    file_format: FileFormat | None
    format_reason: str
    row_format: FileFormat | None = None
    strategy: Strategy = "delete-insert"
    merge_means: str
    evidence: Evidence
    tested_on: str
    credentials: str
    required: tuple[tuple[str, ...], ...] = ()
    other_ways: str = ""
    table_format: TableFormat | None = None
    lock: bool = False
    transactions: bool = False
    arrow: bool = False


_ONE_TRANSACTION: Final = "rows are deleted by key and inserted again, each table in one transaction"
_TWO_STATEMENTS: Final = "rows are deleted by key, then inserted again in a second statement: readers may see the gap"

_ALL: Final = (
    Destination(
        name="duckdb",
        title="DuckDB",
        extra=None,
        module=None,
        file_format="parquet",
        format_reason="four times as fast as INSERT",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="tested",
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
        format_reason="COPY; JSON is stored as jsonb",
        row_format="insert_values",  # dlt's CSV of rows does not distinguish null from empty text
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="tested",
        tested_on="PostgreSQL 15",
        credentials=(
            '[destination.postgres.credentials]\nhost = "db.example.com"\nport = 5432\n'
            'database = "warehouse"\nusername = "loader"\npassword = "…"   # or in PGPASSWORD or ~/.pgpass'
        ),
        required=(("host",), ("database",)),
        other_ways="A password is optional: libpq reads PGPASSWORD, ~/.pgpass and PGSERVICE.",
        lock=True,
        arrow=True,
    ),
    Destination(
        name="filesystem",
        title="files (a folder, S3)",
        extra="delta",
        module="deltalake",
        file_format="parquet",
        format_reason="the file format of Delta and Iceberg",
        strategy="upsert",
        merge_means="rows are updated by key or inserted, each table in one commit",
        evidence="tested",
        tested_on="a local folder, and S3 emulated by moto",
        credentials=(
            '[destination.filesystem]\nbucket_url = "s3://my-bucket/authsignal"   # or a folder: "/data/authsignal"\n\n'
            "[destination.filesystem.credentials]                 # for S3\n"
            'aws_access_key_id = "…"\naws_secret_access_key = "…"\nregion_name = "eu-central-1"'
        ),
        required=(("bucket_url",),),
        table_format="delta",
        arrow=True,
    ),
    Destination(
        name="snowflake",
        title="Snowflake",
        extra="snowflake",
        module="snowflake.connector",
        file_format="jsonl",
        format_reason="JSON is stored as VARIANT objects; from Parquet it would be text",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="emulated",
        tested_on="fakesnow, with this project's own COPY INTO",
        credentials=(
            '[destination.snowflake.credentials]\nhost = "myorg-myaccount"\ndatabase = "WAREHOUSE"\n'
            'username = "LOADER"\nprivate_key_path = "loader.p8"   # or password = "…"\n'
            'warehouse = "LOADING"\nrole = "LOADER_ROLE"'
        ),
        required=(
            ("host",),
            ("database",),
            ("username", "authenticator"),
            ("password", "private_key_path", "private_key", "authenticator"),
        ),
    ),
    Destination(
        name="bigquery",
        title="BigQuery",
        extra="bigquery",
        module="google.cloud.bigquery",
        file_format="jsonl",
        format_reason="BigQuery loads JSON columns from JSON lines, not from Parquet",
        merge_means=_TWO_STATEMENTS,
        evidence="emulated",
        tested_on="bqemulator",
        credentials=(
            '[destination.bigquery]\nlocation = "EU"\n\n[destination.bigquery.credentials]\nproject_id = "my-project"\n'
            'client_email = "loader@my-project.iam.gserviceaccount.com"\n'
            'private_key = "-----BEGIN PRIVATE KEY-----\\n…"'
        ),
        required=(("project_id",), ("client_email", "client_id"), ("private_key", "refresh_token")),
        other_ways=(
            "Without a key, Google's default credentials are used: run gcloud auth application-default login, or set"
            " GOOGLE_APPLICATION_CREDENTIALS."
        ),
    ),
    Destination(
        name="redshift",
        title="Redshift",
        extra="redshift",
        module="psycopg2",
        file_format=None,
        format_reason="INSERT; with `--staging filesystem` JSON lines through a bucket, which was not run",
        merge_means=_ONE_TRANSACTION,
        transactions=True,
        evidence="emulated",
        tested_on="PostgreSQL with Redshift's types; KPI views were not run",
        credentials=(
            '[destination.redshift.credentials]\nhost = "….redshift.amazonaws.com"\nport = 5439\n'
            'database = "warehouse"\nusername = "loader"\npassword = "…"   # or in PGPASSWORD or ~/.pgpass'
        ),
        required=(("host",), ("database",)),
        other_ways=(
            "A password is optional: libpq reads PGPASSWORD and ~/.pgpass. For IAM, put the temporary password of aws"
            " redshift get-cluster-credentials into PGPASSWORD."
        ),
    ),
    Destination(
        name="databricks",
        title="Databricks",
        extra="databricks",
        module="databricks.sql",
        file_format="parquet",
        format_reason="COPY INTO from a volume; JSON is always text there",
        merge_means=_TWO_STATEMENTS,
        evidence="not run",
        tested_on="every statement is parsed, none is sent",
        credentials=(
            '[destination.databricks.credentials]\nserver_hostname = "….cloud.databricks.com"\n'
            'http_path = "/sql/1.0/warehouses/…"\naccess_token = "…"   # or client_id and client_secret\n'
            'catalog = "main"'
        ),
        required=(("server_hostname",), ("http_path",), ("catalog",), ("access_token", "client_id")),
        other_ways="For OAuth, set client_id and client_secret instead of access_token.",
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
        required=(("password",),),
        other_ways="The token can also be in the environment variable MOTHERDUCK_TOKEN.",
        arrow=True,
    ),
)

DESTINATIONS: Final[Mapping[str, Destination]] = {destination.name: destination for destination in _ALL}

_OTHER: Final = Destination(
    name="other",
    title="any other dlt destination",
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
    """Return the facts about a destination by dlt's type name (`postgres`, `dlt.destinations.postgres`)."""
    return DESTINATIONS.get(destination_type.rsplit(".", maxsplit=1)[-1], _OTHER)


def check_installed(destination: Destination, *, table_format: str | None = None, bucket_url: str = "") -> None:
    """Raise ExtraMissing unless the destination's packages are installed."""
    needed = [(destination.module, destination.extra)]
    if destination.table_format:
        needed = [("pyiceberg", "iceberg") if table_format == "iceberg" else ("deltalake", "delta")]
        store = OBJECT_STORES.get(bucket_url.partition("://")[0])
        needed += [store] if store else []
    for module, extra in needed:
        if module and extra and not _is_there(module):
            raise ExtraMissing(f"Loading into {destination.title}", extra)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False


def checked_table_format(wanted: str) -> TableFormat:
    """Return the table format with this name.

    Raises:
        ConfigurationError: The format is unknown, or rows cannot be merged into it.
    """
    for known in TABLE_FORMATS:
        if wanted == known:
            return known
    why = " Rows cannot be merged into plain Parquet files: syncs would add duplicates." if wanted == "parquet" else ""
    raise ConfigurationError(
        f'table_format under [destination.filesystem] must be one of {", ".join(TABLE_FORMATS)}, not "{wanted}".{why}'
        " Both store rows in Parquet files. Nothing was loaded."
    )
