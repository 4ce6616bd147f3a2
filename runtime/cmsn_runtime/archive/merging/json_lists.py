"""JSON files with one long list or object, written item by item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from cmsn_runtime.files import Replacement, written_to


class JsonItems:
    """A file of `head`, items with commas between, and `tail`; whole or not there. Raises OutputError."""

    def __init__(self, path: Path, *, head: str, tail: str) -> None:
        self._path = path
        self._tail = tail
        with written_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._replacement = Replacement(path)
            self._file: TextIO = self._replacement.unfinished.open("w", encoding="utf-8")
            self._file.write(head)
        self._empty = True

    def add(self, item: object, *, key: str | None = None) -> None:
        """Write one item; with a key, one of an object."""
        text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        with written_to(self._path):
            self._file.write("\n" if self._empty else ",\n")
            self._file.write(text if key is None else f"{json.dumps(key, ensure_ascii=False)}: {text}")
        self._empty = False

    def close(self) -> None:
        """Complete the file."""
        with written_to(self._path), self._replacement:
            self._file.write(self._tail)
            self._file.close()
            self._replacement.commit()

    def abandon(self) -> None:
        """Leave no file."""
        self._file.close()
        self._replacement.close()
