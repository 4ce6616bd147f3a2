"""Text output that is flushed at once."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, cast

from cmsn_runtime.closing import Closing
from cmsn_runtime.files import STDOUT, is_stream, open_stream, require_writable, written_to
from cmsn_runtime.text import encoded


class TextOutput(Closing):
    """A file, pipe or standard output ("-") that takes text. Raises OutputError; BrokenPipeError where its reader left.

    name: for messages. A file is replaced; see continued.py for one that is not.
    """

    def __init__(self, path: Path) -> None:
        self.name = "standard output" if path == STDOUT else str(path)
        self._path = path
        with written_to(path):
            if is_stream(path):
                self._file = open_stream(path)
            else:
                require_writable(path)
                self._file = cast("BinaryIO", path.open("wb"))

    def write(self, text: str) -> None:
        """Write text, and flush it."""
        with written_to(self._path):
            self._file.write(encoded(text))
            self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        with written_to(self._path):
            self._file.close()
