"""Text as editors, spreadsheets and shells write it: UTF-8, or UTF-16 and UTF-32 with a byte order mark."""

from __future__ import annotations

import codecs
from pathlib import Path

# UTF-32's little-endian mark begins with UTF-16's: the longer one is looked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(path: Path) -> str:
    """Python's name of a text file's encoding, from its byte order mark; UTF-8 without one. Raises OSError."""
    with path.open("rb") as file:
        begin = file.read(4)
    return next((name for mark, name in _MARKS if begin.startswith(mark)), "utf-8")


def read_text(path: Path) -> str:
    """The whole file, without its byte order mark. Raises OSError and UnicodeDecodeError."""
    return path.read_text(encoding=encoding_of(path))
