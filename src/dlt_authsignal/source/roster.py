"""Who to read: everybody the tenant lists, or the ids in a file."""

import csv
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dlt_authsignal.api.endpoints import QUERY_USERS
from dlt_authsignal.errors import ListingRefused, PagingLoop, RequestRefused, RosterUnreadable, UnexpectedAnswer
from dlt_authsignal.source.http import Api

ID_COLUMNS: Final = ("user_id", "userid", "id")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z _]{0,30}")
READERS: Final = ("txt", "csv", "tsv", "jsonl", "ndjson", "parquet")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A user id, and where it came from.

    Attributes:
        user_id: The id.
        roster: `listing` or `file`.
        position: Line (text formats) or row (parquet) of the file, from 1; None for the listing.
        listed: What the listing said of the user; empty for a file.
    """

    user_id: str
    roster: str
    position: int | None = None
    listed: Mapping[str, Any] = field(default_factory=dict)


async def listing(api: Api, page_size: int) -> AsyncIterator[list[Candidate]]:
    """Pages of everybody the tenant lists. A page may be short or empty while a cursor still follows.

    Raises:
        ListingRefused: The tenant does not list users without a filter.
        PagingLoop: A cursor came back a second time.
    """
    cursors: set[str] = set()
    query = {"limit": str(page_size)}
    while True:
        page = await _page(api, query)
        if "limit" not in page.asked:
            query.pop("limit", None)
        yield [Candidate(user_id=_id(user), roster="listing", listed=user) for user in page.users]
        if page.cursor is None:
            return
        if page.cursor in cursors:
            raise PagingLoop(
                f"{QUERY_USERS} handed out the same lastEvaluatedUserId twice, after {len(cursors)} pages;"
                " going on would never end. Nothing was loaded. If it happens again, report it to Authsignal and"
                " give the user ids by users_from (--users-from FILE).",
                request=str(QUERY_USERS),
            )
        cursors.add(page.cursor)
        query["lastEvaluatedUserId"] = page.cursor


@dataclass(frozen=True)
class _Page:
    asked: Mapping[str, str]
    users: list[Any]
    cursor: str | None


async def _page(api: Api, query: Mapping[str, str]) -> _Page:
    try:
        answer = await api.get(QUERY_USERS, dict, query)
    except RequestRefused as refused:
        if refused.status != 400 or "lastEvaluatedUserId" in query:
            raise
        if "limit" in query:  # the largest limit is not published: ask again without one
            return await _page(api, {name: value for name, value in query.items() if name != "limit"})
        raise ListingRefused(
            f"Authsignal answered 400 ({refused.error_code}) to {QUERY_USERS} without a filter: this tenant does not"
            " list its users. Give the user ids from your own records instead: --users-from FILE, or users_from under"
            f" [sources.authsignal_source] ({', '.join(READERS)}).",
            request=refused.request,
            status=refused.status,
            error_code=refused.error_code,
        ) from None
    users, cursor = answer.get("users"), answer.get("lastEvaluatedUserId")
    if not isinstance(users, list) or not (cursor is None or isinstance(cursor, str)):
        raise UnexpectedAnswer(
            f"{QUERY_USERS} answered without a list of users, or with a cursor that is not text.",
            request=str(QUERY_USERS),
            status=200,
        )
    return _Page(query, users, cursor or None)


def _id(user: Any) -> str:
    user_id = user.get("userId") if isinstance(user, dict) else None
    if not isinstance(user_id, str) or not user_id:
        raise UnexpectedAnswer(
            f"{QUERY_USERS} listed a user whose userId is missing or not text.", request=str(QUERY_USERS), status=200
        )
    return user_id


def from_file(path: str | Path, column: str | None = None) -> Iterator[Candidate]:
    """Ids in a file, in its order, each once; blank ones skipped.

    Args:
        path: `.txt` (one id a line), `.csv` or `.tsv` (with a header, or a single column), `.jsonl` or `.ndjson`
            (strings, or objects), `.parquet`.
        column: Column or field that holds the id; default `user_id`, `userId` or `id`.

    Raises:
        RosterUnreadable: No such file, an unknown format, no id column, not UTF-8, or no ids in it.
    """
    file = Path(path).expanduser()
    readers = {"txt": _txt, "csv": _csv, "tsv": _csv, "jsonl": _jsonl, "ndjson": _jsonl, "parquet": _parquet}
    reader = readers.get(file.suffix.lstrip(".").lower())
    if reader is None:
        raise RosterUnreadable(f'Cannot read user ids from "{file}": the ending must be one of {", ".join(READERS)}.')
    seen: set[str] = set()
    try:
        for position, value in reader(file, column):
            user_id = _as_text(value).strip()
            if user_id and user_id not in seen:
                seen.add(user_id)
                yield Candidate(user_id=user_id, roster="file", position=position)
    except (csv.Error, RecursionError) as error:
        raise RosterUnreadable(f'"{file}" is malformed: {error}.') from None
    except UnicodeEncodeError:
        raise RosterUnreadable(f'"{file}" holds an id that is not valid Unicode.') from None
    except UnicodeDecodeError as error:
        raise RosterUnreadable(f'"{file}" is not UTF-8 text (byte {error.start}). Save it as UTF-8.') from None
    except OSError as error:
        raise RosterUnreadable(f'Cannot read user ids from "{file}": {error.strerror or error}.') from None
    if not seen:
        raise RosterUnreadable(f'"{file}" holds no user ids.')


def _as_text(value: Any) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    text.encode()
    return text


_Positioned = Iterator[tuple[int, Any]]


def _txt(file: Path, _column: str | None) -> _Positioned:
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if number > 1 or line.strip().lower() not in ID_COLUMNS:
                yield number, line


def _csv(file: Path, column: str | None) -> _Positioned:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        first = lines.readline()
        delimiter = max("\t;,", key=first.count)
        lines.seek(0)
        rows = csv.reader(lines, delimiter=delimiter, strict=True)
        header = next(rows, [])
        index = _find(header, column)
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
                raise RosterUnreadable(f'"{file}" line {number} is not JSON.') from None
            if isinstance(value, dict):
                names = list(value)
                index = _find(names, column)
                if index is None:
                    raise _no_column(file, names, column, f" line {number}")
                value = value[names[index]]
            if not isinstance(value, str | int) or isinstance(value, bool):
                raise RosterUnreadable(f'"{file}" line {number} holds no id: expected text, a number or an object.')
            yield number, value


def _parquet(file: Path, column: str | None) -> _Positioned:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        raise RosterUnreadable(f'Cannot read user ids from "{file}": no such file.')
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        index = _find(names, column)
        if index is None:
            raise _no_column(file, names, column)
        position = 0
        for batch in table.iter_batches(columns=[names[index]]):
            for value in batch.column(0).to_pylist():
                position += 1
                if value is not None:
                    yield position, value
    except pa.ArrowInvalid as error:
        raise RosterUnreadable(f'"{file}" is not a Parquet file: {error}.') from None


def _find(names: Iterable[str], column: str | None) -> int | None:
    plain = [name.strip() for name in names]
    if column:
        return plain.index(column) if column in plain else None
    lower = [name.lower() for name in plain]
    return next((lower.index(name) for name in ID_COLUMNS if name in lower), None)


def _no_column(file: Path, names: Iterable[str], column: str | None, where: str = "") -> RosterUnreadable:
    wanted = f'a column "{column}"' if column else f"a column called {', '.join(ID_COLUMNS)}"
    plain = [name for name in names if _HEADER.fullmatch(name)]  # anything else may be an id or an address
    found = ", ".join(plain[:10]) or "no names"
    return RosterUnreadable(
        f'"{file}"{where} has no {wanted[2:]} (found: {found}). Name it with users_column (--users-column).'
    )
