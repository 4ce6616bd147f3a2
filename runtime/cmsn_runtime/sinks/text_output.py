"""Text output that is flushed at once."""

from __future__ import annotations

import os
from pathlib import Path

from cmsn_runtime.closing import Closing
from cmsn_runtime.files import STDOUT, is_stream, open_stream, require_writable, written_to
from cmsn_runtime.text import encoded


class TextOutput(Closing):
    """A file, pipe or standard output ("-") that takes text. Raises OutputError; BrokenPipeError where its reader left.

    name: for messages. append: what is in the file stays, and `began` is whether something is; where the last line of
    it is unfinished, since the machine lost its power, the next begins in a new one.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        self.name = "standard output" if path == STDOUT else str(path)
        self._path = path
        self.began = False
        with written_to(path):
            if is_stream(path):
                self._file = open_stream(path)
            else:
                require_writable(path)
                self._file = path.open("ab+" if append else "wb")
                self._continue()

    def _continue(self) -> None:
        self.began = self._file.tell() > 0
        if self.began:
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    def write(self, text: str) -> None:
        """Write text, and flush it."""
        with written_to(self._path):
            self._file.write(encoded(text))
            self._file.flush()

    def close(self) -> None:
        """Close the file; standard output stays open."""
        with written_to(self._path):
            self._file.close()
