"""Values that may not turn up, and a search for them in every byte that a run has left behind."""

import base64
import io
import json
import pickle
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

MAX_DEPTH = 4

MAX_HEADER = 100
"""Bytes of a Parquet page's header that follow its sizes, at most."""

PAGE_HEADER = re.compile(rb"\x15[\x00\x04\x06]\x15([\x80-\xff]{0,4}[\x00-\x7f])\x15([\x80-\xff]{0,4}[\x00-\x7f])")
"""The kind of a page, its size and its packed size, in Thrift's compact form."""

SNAPPY = pa.Codec("snappy")


@dataclass(frozen=True)
class Hit:
    """A value that was found, and where."""

    name: str
    where: str


@lru_cache(maxsize=1000)
def spellings(value: str) -> frozenset[bytes]:
    """How a value may be written; ASCII letters in lower case."""
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    quoted = {quote(value), quote(value, safe=""), quote_plus(value)}
    plain = {value, value.lower(), value.upper(), value.encode().hex(), *escaped, *quoted}
    return frozenset(text.encode().lower() for text in plain)


@lru_cache(maxsize=1000)
def packings(value: str) -> frozenset[bytes]:
    """What is sure to stand in base64 of anything that holds the value: its middle, at each of three positions."""
    found = set()
    for text in {value, json.dumps(value)[1:-1]}:
        for position in range(3):
            whole = b"\0" * position + text.encode()
            start, end = -(-8 * position // 6), 8 * len(whole) // 6
            found |= {encode(whole)[start:end] for encode in (base64.b64encode, base64.urlsafe_b64encode)}
    return frozenset(found)


def found_in(content: bytes, canaries: Mapping[str, str], where: str) -> list[Hit]:
    """Which of the values stand in some bytes."""
    lower = content.lower()
    return [
        Hit(name, where)
        for name, value in canaries.items()
        if any(form in lower for form in spellings(value)) or any(form in content for form in packings(value))
    ]


def search(
    folder: Path,
    canaries: Mapping[str, str],
    *,
    leave_out: tuple[str, ...] = (),
    leave_out_folders: tuple[str, ...] = (),
) -> list[Hit]:
    """Which of the values stand in the files below a folder, unpacked wherever they are packed.

    Args:
        folder: Where to look.
        canaries: Values by name.
        leave_out: Ends of the names of files that are not looked at.
        leave_out_folders: Folders below it that are not looked at.
    """
    closed = [folder / name for name in leave_out_folders]
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(leave_out) and not any(map(path.is_relative_to, closed))
    ]
    return [
        hit
        for path in files
        for where, content in readings(str(path.relative_to(folder)), _bytes(path))
        for hit in found_in(content, canaries, where)
    ]


def _bytes(path: Path) -> bytes:
    """None of a file that a database server has just removed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def readings(name: str, content: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """A file's name and bytes, and the same of everything that is packed in it.

    Whatever can be read of a file that a killed process left unfinished is read as well.
    """
    yield name, content
    if depth == MAX_DEPTH:
        return
    for inner, unpacked in _unpacked(name, content):
        yield from readings(f"{name} > {inner}", unpacked, depth + 1)


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:2] == b"\x1f\x8b":
        yield "gzip", _gunzip(content)
    elif content[:4] == b"PAR1":
        yield "rows", _parquet_rows(content)
    elif content[:4] == b"PK\x03\x04" and zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((member, archive.read(member)) for member in archive.namelist())
    elif content[:4] == b"Obj\x01":
        yield "blocks", b"\n".join(_avro_blocks(content))
    elif name.endswith(".pickle"):
        with suppress(EOFError, pickle.UnpicklingError):
            yield "objects", repr(pickle.loads(content)).encode()  # noqa: S301 - the run's own
    elif content[:2] in (b"eJ", b"eN"):  # base64 of zlib, as dlt keeps its state in a table; or a word
        with suppress(ValueError, zlib.error):
            yield "state", zlib.decompress(base64.b64decode(content))


def _gunzip(content: bytes) -> bytes:
    """All members of the file; of an unfinished one, what was written."""
    found = b""
    while content:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        found += member.decompress(content)
        content = member.unused_data
    return found


def _parquet_rows(content: bytes) -> bytes:
    """The rows as text; of a file without its footer, which no reader accepts, the pages that were written."""
    if content[-4:] == b"PAR1" and len(content) > 8:
        return "\n".join(map(str, pq.read_table(io.BytesIO(content)).to_pylist())).encode()
    return b"\n".join(page for header in PAGE_HEADER.finditer(content) for page in _page_after(header, content))


def _page_after(header: re.Match[bytes], content: bytes) -> Iterator[bytes]:
    """What Snappy packed in a page. The rest of the header, of unknown length, stands before it."""
    unpacked, packed = map(_unsigned, header.groups())
    for start in range(header.end(), header.end() + MAX_HEADER):
        with suppress(OSError, ValueError):
            page: bytes = SNAPPY.decompress(content[start : start + packed], unpacked, asbytes=True)
            yield page
            return


def _unsigned(zigzag_varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(zigzag_varint)) >> 1


def _avro_blocks(content: bytes) -> Iterator[bytes]:
    """Each is two numbers, then packed; the marker that ends the file stands between them."""
    for block in content.split(content[-16:])[1:-1]:
        start = 0
        for _ in range(2):
            while block[start] & 0x80:
                start += 1
            start += 1
        yield zlib.decompress(block[start:], wbits=-zlib.MAX_WBITS)


def database_rows(path: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every table of a DuckDB file, by schema and name: its pages are packed in ways of its own."""
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        tables = connection.execute("select table_schema, table_name from information_schema.tables").fetchall()
        for schema, table in tables:
            cursor = connection.execute(f'select * from "{schema}"."{table}"')
            names = [column[0] for column in cursor.description]
            yield f"{schema}.{table}", [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def search_database(path: Path, canaries: Mapping[str, str], *, only: str = "") -> list[Hit]:
    """Which of the values stand in the rows of a DuckDB file, in tables whose name begins with `only`."""
    return [
        hit
        for table, rows in database_rows(path)
        if table.split(".")[1].startswith(only)
        for where, content in _cells(table, rows)
        for hit in found_in(content, canaries, where)
    ]


def _cells(table: str, rows: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """All values of a table at once, then those that are packed, unpacked."""
    values = [str(value).encode() for row in rows for value in row.values() if value is not None]
    yield table, b"\n".join(values)
    for value in values:
        yield from readings(table, value, depth=1) if value[:2] in (b"eJ", b"eN") else ()


def told_by(error: BaseException | None) -> Iterator[str]:
    """Everything an exception can be made to say, and the ones it came from, shown or not."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield f"{current} {current!r} {current.args!r} {vars(current)!r}"
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
