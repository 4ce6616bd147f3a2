"""Text files that live runs append to: after a restart they go on, and after a rotation they begin anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import OutputError
from cmsn_runtime.files import STDOUT, is_stream, require_writable, written_to
from cmsn_runtime.sinks.text_output import TextOutput
from cmsn_runtime.text import encoded, printable

_TAIL_BYTES = 2**20  # of which the last line is a part


@dataclass(frozen=True, slots=True)
class LineFormat:
    """What is known about the lines of a file. begin: how such a file begins; heading: its first line, if it has one.

    is_whole: whether a last line without its line break is complete.
    """

    begin: str
    is_whole: Callable[[bytes], bool]
    heading: str = ""


class TextWriter(Protocol):
    """What a sink writes lines to."""

    name: str

    def write(self, text: str, /) -> object: ...
    def close(self) -> None: ...


def continued_output(path: Path, lines: LineFormat, report: Callable[[str], None]) -> TextWriter:
    """The output of a live run: a file is continued; a device, a pipe or "-" is written to as it is.

    report: gets a line where the end of a file had to be removed. Raises OutputError.
    """
    with written_to(path):
        stream = is_stream(path)
    return LateStream(path, lines.heading) if stream else ContinuedFile(path, lines, report)


class ContinuedFile(Closing):
    """A file that each `write` appends to. One that was moved or removed since the last is created again.

    A last line that a crash cut short is removed, so that it does not spoil the next. Raises OutputError, also where
    the file does not begin like one of this kind.
    """

    def __init__(self, path: Path, lines: LineFormat, report: Callable[[str], None]) -> None:
        self.name = str(path)
        self._path, self._lines = path, lines
        with written_to(path):
            require_writable(path)
            if path.exists() and _mend(path, lines):
                report(f"{printable(self.name)}: its last line was incomplete, and was removed")
            self._open()

    def write(self, text: str) -> None:
        """Append text, and flush it."""
        with written_to(self._path):
            if self._is_empty():
                text = self._lines.heading + text
            self._file.write(encoded(text))
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        with written_to(self._path):
            self._file.close()

    def _is_empty(self) -> bool:
        """Whether the file is empty; one that is no longer at its path is opened again before."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._identity:
            self._file.close()
            self._open()
        return os.fstat(self._file.fileno()).st_size == 0

    def _open(self) -> None:
        self._file = cast("BinaryIO", self._path.open("ab"))
        opened = os.fstat(self._file.fileno())
        self._identity = opened.st_dev, opened.st_ino
        if not opened.st_size and self._lines.heading:
            self._file.write(encoded(self._lines.heading))
            self._file.flush()


class LateStream(Closing):
    """A device, a pipe or standard output, opened by the first `write`: opening a pipe waits for its reader."""

    def __init__(self, path: Path, heading: str = "") -> None:
        self.name = "standard output" if path == STDOUT else str(path)
        self._path, self._heading = path, heading
        self._output: TextOutput | None = None

    def write(self, text: str) -> None:
        """Write text, and flush it."""
        if self._output is None:
            self._output = TextOutput(self._path)
            text = self._heading + text
        self._output.write(text)

    def close(self) -> None:
        """Close it; standard output stays open."""
        if self._output is not None:
            self._output.close()


def _mend(path: Path, lines: LineFormat) -> bool:
    """End the last line, or remove it if it is not whole -> whether it was removed."""
    with path.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return False
        begin = encoded(lines.begin)
        if file.read(len(begin)) != begin[:size]:
            raise OutputError(
                f"{printable(str(path))}: holds something else already, and live runs append; give another path"
            )
        file.seek(max(size - _TAIL_BYTES, 0))
        tail = file.read()
        last = tail[tail.rfind(b"\n") + 1 :]
        if last and lines.is_whole(last):
            file.write(b"\n")
        elif last:
            file.truncate(size - len(last))
            return True
    return False
