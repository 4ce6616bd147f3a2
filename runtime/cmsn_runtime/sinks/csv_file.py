"""Final proposals as a table, for spreadsheets."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.events import Notice, StreamEvent
from cmsn_runtime.sinks.base import Sink
from cmsn_runtime.sinks.continued import LineFormat, TextWriter, continued_output
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind, one_path
from cmsn_runtime.sinks.tables import file_table
from cmsn_runtime.sinks.text_output import TextOutput

COLUMNS = ("source", "action", "rank", "start", "end", "score", "at", "delay")


class CsvSink(Sink):
    """Writes one row for each final proposal, in the order they become final; `rank` is that within the action.

    path: "-" for standard output. Times are seconds with six decimals. `at` is the source time at which it became
    final, delay = at - end. output: an opened one that has its columns, for live runs; otherwise a file is replaced.
    """

    def __init__(self, path: Path, *, output: TextWriter | None = None) -> None:
        self._output = output or TextOutput(path)
        self._writer = csv.writer(self._output, lineterminator="\n")
        self._headed = output is not None

    @property
    def name(self) -> str:
        return self._output.name

    def begin(self, source: str, duration: Fraction | None) -> None:
        """Write the names of the columns, once."""
        self._head()

    def event(self, source: str, event: StreamEvent) -> None:
        """Write and flush a row if it is a final proposal."""
        if isinstance(event, Notice) or event.kind != "final":
            return
        proposal = event.proposal
        numbers = (proposal.start, proposal.end, proposal.score, event.seconds, event.seconds - proposal.end)
        self._writer.writerow(
            (source, str(event.action), str(event.rank), *(f"{float(number):.6f}" for number in numbers))
        )

    def close(self) -> None:
        """Close the file, which has its columns even where no source could be opened."""
        with closing(self._output):
            self._head()

    def _head(self) -> None:
        if not self._headed:
            self._headed = True
            self._writer.writerow(COLUMNS)


_HEADING = ",".join(COLUMNS) + "\n"
_ROW_END = re.compile(rb"(,-?\d+\.\d{6}){5}$")  # all numbers of a row, the last with all of its digits


def _is_row(line: bytes) -> bool:
    return _ROW_END.search(line) is not None and line.count(b'"') % 2 == 0


_LINES = LineFormat(begin=_HEADING, is_whole=_is_row, heading=_HEADING)


def _opened(path: Path, context: SinkContext) -> Sink:
    return CsvSink(path, output=continued_output(path, _LINES, context.report) if context.live else None)


def _from_table(table: Mapping[str, object], context: SinkContext) -> Sink:
    return _opened(file_table(table, context).within(context), context)


CSV = SinkKind(
    open=lambda value, context: _opened(Path(value), context),
    paths=one_path,
    open_table=_from_table,
    check_table=file_table,
)
