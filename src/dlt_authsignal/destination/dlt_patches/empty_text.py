"""Load empty text into PostgreSQL as empty text, where dlt loads null.

dlt writes Arrow tables as CSV in which a null is nothing and an empty text is `""`. It then copies the file with
`FORCE_NULL`, which turns both into null. For rows it needs that: Python's CSV writer quotes nulls too.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from dlt_authsignal.destination.dlt_patches.replaced import replace


def keep_empty_text(is_ours: Callable[[], bool]) -> None:
    """Copy CSV files of Arrow tables without `FORCE_NULL`, in this package's pipelines."""
    from dlt.destinations.impl.postgres.postgres import PostgresCsvCopyJob as Job

    def exactly(original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def run(self: Any) -> None:
            (_copy if is_ours() and _is_exact(self) else original)(self)

        return run

    replace(Job, "run", ("self",), exactly)


def _is_exact(job: Any) -> bool:
    """Return whether the file distinguishes null from empty text. dlt gives rows the column `_dlt_id`."""
    settings = _settings(job)
    is_quoted = settings.include_header and settings.quoting in ("quote_needed", "quote_all")
    return is_quoted and "_dlt_id" not in job._job_client.schema.get_table_columns(job.load_table_name)


def _settings(job: Any) -> Any:
    from dlt.common.destination.configuration import CsvFormatConfiguration

    return job._job_client.config.csv_format or CsvFormatConfiguration()


def _copy(job: Any) -> None:
    from dlt.common.storages.file_storage import FileStorage

    settings, sql = _settings(job), job._job_client.sql_client
    with FileStorage.open_zipsafe_ro(job._file_path, "rb") as file:
        header = file.readline().decode(settings.encoding).strip().split(settings.delimiter)
        columns = ", ".join(sql.escape_column_name(name.strip('"'), quote=True) for name in header)
        statement = (
            f"COPY {sql.make_qualified_table_name(job.load_table_name)} ({columns}) FROM STDIN"
            f" WITH (FORMAT CSV, DELIMITER '{settings.delimiter}', NULL '', ENCODING '{settings.encoding}')"
        )
        with sql.begin_transaction(), sql.native_connection.cursor() as cursor:
            cursor.copy_expert(statement, file, size=8192)
