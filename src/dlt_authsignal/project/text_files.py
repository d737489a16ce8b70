"""Text files that users write: perhaps with a byte-order mark, Windows line ends, or in UTF-16."""

import codecs
from pathlib import Path
from typing import Final

from dlt_authsignal.errors import ConfigurationError

MARK: Final = codecs.BOM_UTF8
"""Begins the UTF-8 files of Windows Notepad and of PowerShell."""

HEAD_BYTES: Final = 1024
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAVE: Final = "Save it as UTF-8 (in Notepad: File, Save as, Encoding: UTF-8), then run again."


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte-order mark and with `\\n` as line end.

    Raises:
        ConfigurationError: The file has another encoding.
        OSError: The file cannot be read.
    """
    raw = path.read_bytes()
    if fault := encoding_fault(raw):
        raise ConfigurationError(f"{path} {fault}")
    return raw.decode("utf-8-sig").replace("\r\n", "\n")


def encoding_fault(raw: bytes, *, is_whole: bool = True) -> str | None:
    """Return what is wrong with the encoding of a file, and what to do; None for UTF-8.

    Args:
        raw: The file's bytes, or its first ones.
        is_whole: Whether these are all bytes; the first ones may end within a character.
    """
    if raw.startswith(_UTF_16) or b"\0" in raw[:2]:
        return f"is UTF-16 text, as some Windows programs write it. {_SAVE}"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(raw, final=is_whole)
    except UnicodeDecodeError as error:
        return f"is not UTF-8 text (byte {error.start}). {_SAVE}"
    return None


def is_marked(path: Path) -> bool:
    """Whether a file begins with the byte-order mark of UTF-8 or UTF-16."""
    with path.open("rb") as file:
        return file.read(len(MARK)).startswith((MARK, *_UTF_16))


def with_line_ends_of(path: Path, text: str) -> str:
    """Return the text with the line ends of a file that exists, so that its other lines stay unchanged."""
    is_windows = path.exists() and b"\r\n" in path.read_bytes()
    return text.replace("\n", "\r\n") if is_windows else text
