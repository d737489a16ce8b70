"""User ids from a file: text, CSV, JSON lines, Parquet."""

import csv
import json
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.errors import UserIdsUnreadable
from dlt_authsignal.project.text_files import HEAD_BYTES, encoding_fault
from dlt_authsignal.source.user_ids.candidate import ID_COLUMNS, Candidate, NotAnId, as_id, id_column, no_column

READERS: Final = ("txt", "csv", "tsv", "jsonl", "ndjson", "parquet")


def from_file(path: str | Path, column: str | None = None) -> Generator[Candidate]:
    """Yield the ids in a file in their order and exactly as they stand, with duplicates, without blank ones.

    Args:
        path: `.txt` (one id per line), `.csv` or `.tsv` (with a header, or a single column), `.jsonl` or `.ndjson`
            (strings, or objects), `.parquet`.
        column: Column or field of the id; default `user_id`, `userId` or `id`.

    Raises:
        UserIdsUnreadable: The file is missing, has an unknown format, no id column or no ids, or is not UTF-8.
    """
    file = Path(path).expanduser()
    readers = {"txt": _txt, "csv": _csv, "tsv": _csv, "jsonl": _jsonl, "ndjson": _jsonl, "parquet": _parquet}
    reader = readers.get(file.suffix.lstrip(".").lower())
    if reader is None:
        raise UserIdsUnreadable(
            f'Cannot read user ids from "{file}". Pass a file that ends in {", ".join(READERS)}, or listing, known or'
            " DATABASE?query=SQL."
        )
    empty = True
    try:
        _check_encoding(file)
        for position, value in reader(file, column):
            if user_id := as_id(value):
                empty = False
                yield Candidate(user_id=user_id, id_source="file", position=position)
    except (csv.Error, RecursionError) as error:
        raise UserIdsUnreadable(f'"{file}" is malformed: {error}.') from None
    except NotAnId as kind:
        raise UserIdsUnreadable(
            f'"{file}" contains values of type {kind}. User ids must be text, whole numbers or UUIDs.'
        ) from None
    except UnicodeEncodeError:
        raise UserIdsUnreadable(f'"{file}" contains an id that is not valid Unicode.') from None
    except UnicodeDecodeError as error:
        raise UserIdsUnreadable(f'"{file}" is not UTF-8 text (byte {error.start}). Save it as UTF-8.') from None
    except OSError as error:
        raise UserIdsUnreadable(f'Cannot read user ids from "{file}": {error.strerror or error}.') from None
    if empty:
        raise UserIdsUnreadable(
            f'"{file}" contains no user ids. Check the file, or pass another one with --users-from.'
        )


def _check_encoding(file: Path) -> None:
    """Refuse UTF-16, whose ASCII text is valid UTF-8 with a NUL beside each character."""
    if file.suffix.lower() != ".parquet":
        with file.open("rb") as raw:
            fault = encoding_fault(raw.read(HEAD_BYTES), is_whole=False)
        if fault:
            raise UserIdsUnreadable(f'"{file}" {fault}')


_Positioned = Iterator[tuple[int, Any]]


def _txt(file: Path, _column: str | None) -> _Positioned:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if number > 1 or line.strip().lower() not in ID_COLUMNS:
                yield number, line.removesuffix("\n")  # Python has made one of every line end


def _csv(file: Path, column: str | None) -> _Positioned:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        delimiter = max("\t;,", key=first.count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        header = next(rows, [])
        index = id_column(header, column)
        if index is None and (len(header) != 1 or column):
            raise _no_column(file, header, column)
        if index is None:
            yield 1, header[0]
        for row in rows:
            if row and len(row) > (index or 0):
                yield rows.line_num, row[index or 0]


def _jsonl(file: Path, column: str | None) -> _Positioned:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError:
                raise UserIdsUnreadable(f'"{file}" line {number} is not JSON. Correct or remove the line.') from None
            if isinstance(value, dict):
                names = list(value)
                index = id_column(names, column)
                if index is None:
                    raise _no_column(file, names, column, f" line {number}")
                value = value[names[index]]
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise UserIdsUnreadable(f'"{file}" line {number} contains no id: expected text, a number or an object.')
            yield number, value


def _parquet(file: Path, column: str | None) -> _Positioned:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        raise UserIdsUnreadable(f'Cannot read user ids from "{file}": no such file.')
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        index = id_column(names, column)
        if index is None:
            raise _no_column(file, names, column)
        position = 0
        for batch in table.iter_batches(columns=[names[index]]):
            for value in batch.column(0).to_pylist():
                position += 1
                if value is not None:
                    yield position, value
    except pa.ArrowInvalid as error:
        raise UserIdsUnreadable(f'"{file}" is not a Parquet file: {error}.') from None


def _no_column(file: Path, names: Iterable[str], column: str | None, where: str = "") -> UserIdsUnreadable:
    return UserIdsUnreadable(f'"{file}"{where} {no_column(names, column)}')
