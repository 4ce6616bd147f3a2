"""Runs a child process, and collects the figures that it writes."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from cmsn_benchmarks.device.child_settings import ChildSettings
from cmsn_benchmarks.device.figures import BackendFigures
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.structuring import structure

CHILD: Sequence[str] = (sys.executable, "-m", "cmsn_benchmarks.device.child")
SILENCE_SECONDS = 900.0  # for which a child may measure without a result: libraries may build engines for minutes


class Measured:
    """The figures of one backend so far."""

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._fields: dict[str, object] = {}
        self._notes: list[str] = []

    def take(self, line: str) -> None:
        """A line of the child. Raises SettingsError for any other."""
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SettingsError(
                f"its process wrote {line[:80]!r} instead of figures; look at the lines before this one"
            )
        self._notes += found.pop("notes", [])
        self._fields.update(found)

    def note(self, text: str) -> None:
        """Add a note."""
        self._notes.append(text)

    def figures(self) -> BackendFigures:
        """Raises SettingsError where the child wrote other fields."""
        content = {"backend": "none", **self._fields, "asked": self._asked, "notes": self._notes}
        return structure(content, BackendFigures, path=self._asked)


def measure_in_child(
    settings: ChildSettings, measured: Measured, *, command: Sequence[str] = CHILD, silence: float = SILENCE_SECONDS
) -> None:
    """Run a child to its end; what it says goes into `measured` at once. A child that fails or hangs becomes a note."""
    with _running(command, settings) as (process, lines):
        try:
            while (line := lines.get(timeout=silence)) is not None:
                measured.take(line)
        except queue.Empty:
            measured.note(f"its process was silent for {silence:.0f} s and was ended; the other figures are complete")
            return
        except SettingsError as error:
            measured.note(str(error))
            return
        code = process.wait()
    if code:
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        measured.note(f"its process ended {how}; its last lines are on standard error")


@contextmanager
def _running(
    command: Sequence[str], settings: ChildSettings
) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """The process, and the lines of its standard output; None is their end. It is killed at the end of the block."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdin is not None and process.stdout is not None
    reader = threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True)
    try:
        try:
            process.stdin.write(json.dumps(asdict(settings)))
            process.stdin.close()
        except BrokenPipeError:  # it ended at once: its status says so
            pass
        reader.start()
        yield process, lines
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def _read(stream: Iterator[str], put: Callable[[str | None], None]) -> None:
    for line in stream:
        put(line)
    put(None)
