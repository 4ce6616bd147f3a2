"""Final proposals as a table, for spreadsheets."""

from __future__ import annotations

import csv
from pathlib import Path

from cmsn_runtime.events import StreamEvent
from cmsn_runtime.files import written_to
from cmsn_runtime.sinks.base import Sink

COLUMNS = ("source", "action", "rank", "start", "end", "score", "at", "delay")


class CsvSink(Sink):
    """Writes one row for each final proposal, in the order they become final; `rank` is that within the action.

    Times are seconds with six decimals. `at` is the source time at which it became final, delay = at - end.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with written_to(path):
            # A file's name need not be valid UTF-8 on Linux; its bytes go through unchanged.
            self._file = path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            self._writer = csv.writer(self._file, lineterminator="\n")
            self._write(COLUMNS)

    def event(self, source: str, event: StreamEvent) -> None:
        """Write a row, all the way through, if it is a final proposal."""
        if event.kind != "final":
            return
        proposal = event.proposal
        numbers = (proposal.start, proposal.end, proposal.score, event.seconds, event.seconds - proposal.end)
        row = (source, str(event.action), str(event.rank), *(f"{float(number):.6f}" for number in numbers))
        with written_to(self._path):
            self._write(row)

    def close(self) -> None:
        """Close the file."""
        with written_to(self._path):
            self._file.close()

    def _write(self, row: tuple[str, ...]) -> None:
        self._writer.writerow(row)
        self._file.flush()
