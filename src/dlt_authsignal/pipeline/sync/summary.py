"""Write the report of a sync as text, for a terminal, or as HTML, for a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Final

from dlt_authsignal.pipeline.wording import counted, place, runnable
from dlt_authsignal.project.names import DATASET_NAME
from dlt_authsignal.schema.sql_text import quoted
from dlt_authsignal.source.metrics.schema_drift import sentences
from dlt_authsignal.source.privacy.settings import LEFT_OUT

if TYPE_CHECKING:
    from dlt_authsignal.pipeline.sync.report import SyncReport

_HEADINGS: Final = ("table", "rows", "new", "changed", "deleted")


def as_text(report: SyncReport) -> str:
    """Return the report as a table, sentences on the run, and a command that shows the data."""
    return "\n".join([*_table(report), "", *_sentences(report), "", "Look at it:", next_query(report)])


def as_html(report: SyncReport) -> str:
    """Return the report's table and sentences as HTML for a notebook."""
    rows = [f"<tr>{''.join(f'<th>{heading}</th>' for heading in _HEADINGS)}</tr>"]
    for name, *counts in _rows(report):
        cells = "".join(f'<td style="text-align: right">{count}</td>' for count in counts)
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in _sentences(report))
    return f"<table>{''.join(rows)}</table>{paragraphs}"


def _rows(report: SyncReport) -> Iterator[tuple[str, ...]]:
    for name, counts in report.tables.items():
        yield name, *(f"{count:,}" for count in (counts.total, counts.new, counts.changed, counts.deleted))


def _table(report: SyncReport) -> list[str]:
    rows = [_HEADINGS, *_rows(report)]
    first, *others = (max(map(len, column)) for column in zip(*rows, strict=True))
    return [
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    ]


def _sentences(report: SyncReport) -> list[str]:
    where = place(report.destination, report.location)
    return [
        _effort(report),
        *_notes(report),
        *sentences(report.drift),
        f"The data is in {where}, dataset {report.dataset}.",
    ]


def _effort(report: SyncReport) -> str:
    users = f"{_users(report)} in " if report.users_found else "Done in "
    effort = f"{users}{report.seconds:,.1f} s with {counted(report.requests, 'request')}"
    if not report.retries:
        return f"{effort}."
    retries = "a retry" if report.retries == 1 else "retries"
    throttled = f" ({report.throttled:,} after a 429)" if report.throttled else ""
    return f"{effort}, {report.retries:,} of them {retries}{throttled}."


def _users(report: SyncReport) -> str:
    if report.users_read == report.users_found:
        return f"{counted(report.users_read, 'user')} read"
    due = "" if report.users_remaining else "were due and "
    return f"{report.users_read:,} of {counted(report.users_found, 'user')} {due}read"


def _notes(report: SyncReport) -> list[str]:
    notes = []
    if report.users_remaining:
        notes.append(
            f"{counted(report.users_remaining, 'due user')} {'is' if report.users_remaining == 1 else 'are'} left for"
            " the next sync, because this run reached its limit. Users who have waited longest are read first."
        )
        if not report.users_read:
            notes.append("Reading the user list reached the limit, so no user was read. Raise --max-requests.")
    if report.finished_pending:
        notes.append("First completed the unfinished load of an earlier run.")
    if report.dropped_pending:
        notes.append(
            "Dropped the unfinished load of an earlier run on this machine:"
            " another machine has loaded newer rows since."
        )
    if report.recreated:
        notes.append(
            f"Recreated tables that were missing or incomplete in the database: {', '.join(report.recreated)}."
        )
    notes += report.notes
    if report.users_with_old_privacy:
        them = counted(report.users_with_old_privacy, "user")
        notes.append(f"Privacy settings changed: {them} due, so that their rows are stored under the new settings.")
    notes += [f"{table} could not be read, and is unchanged: {why}" for table, why in report.refused.items()]
    if report.identifiers_left_out:
        notes.append(LEFT_OUT)
    if report.ids_with_blanks:
        notes.append(
            f"{counted(report.ids_with_blanks, 'user id')} with white space at an end, read exactly as they stand. If"
            " your ids at Authsignal have none, correct the source of the ids."
        )
    if report.unknown_users:
        places = ", ".join(map(str, report.unknown_positions))
        more = ", …" if len(report.unknown_positions) < report.unknown_users else ""
        where = f" (line or row {places}{more})" if places else ""
        listed = ": see unknown_user_ids" if "unknown_user_ids" in report.tables else ""
        notes.append(
            f"{counted(report.unknown_users, 'user id')} unknown to Authsignal{where}, not loaded as users{listed}."
        )
    return notes


def next_query(report: SyncReport) -> str:
    """Return a command that shows the data."""
    python = runnable("python")
    table = "user_authenticators" if "user_authenticators" in report.tables else next(iter(report.tables))
    if report.destination == "duckdb":
        where = place(report.destination, report.location)
        wanted = "user_id, verification_method, last_verified_at" if table == "user_authenticators" else "*"
        query = f"select {wanted} from {_in_shell(report.dataset)}.{table} limit 5"
        return f"""{python} -c "import duckdb; duckdb.connect('{where}').sql('{query}').show()" """.strip()
    return f"""{python} -c "{_frame(report, table)}" """.strip()


def _in_shell(name: str) -> str:
    """Return a name for SQL inside double quotes of a shell. The default name needs no quotes."""
    return name if name == DATASET_NAME else quoted(name).replace('"', '\\"')


def _frame(report: SyncReport, table: str) -> str:
    """Return Python that prints a table. DuckDB would download an extension for Delta or Iceberg, so it is not used."""
    pipeline = f"dlt.pipeline('{report.pipeline}', dataset_name='{report.dataset}')"
    if report.table_format == "delta":
        opened = f"get_delta_tables({pipeline}, '{table}')['{table}'].to_pandas()"
        return f"import dlt; from dlt.common.libs.deltalake import get_delta_tables; print({opened}.head())"
    if report.table_format == "iceberg":
        opened = f"get_iceberg_tables({pipeline}, '{table}')['{table}'].scan().to_pandas()"
        return f"import dlt; from dlt.common.libs.pyiceberg import get_iceberg_tables; print({opened}.head())"
    return f"import dlt; print({pipeline}.dataset().{table}.df().head())"
