"""One JSON object per line, for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from cmsn_runtime.errors import OutputError
from cmsn_runtime.events import StreamEvent
from cmsn_runtime.files import STDOUT
from cmsn_runtime.sinks.base import EventChoice, Sink, is_chosen
from cmsn_runtime.sinks.continued import LineFormat, TextWriter, continued_output
from cmsn_runtime.sinks.fields import event_fields
from cmsn_runtime.sinks.kinds import SinkContext, SinkKind, one_path
from cmsn_runtime.sinks.tables import events_file_table
from cmsn_runtime.sinks.text_output import TextOutput


class JsonLinesSink(Sink):
    """Writes each event as it comes, to a file or, for "-", to standard output.

    See `event_fields` for what is in a line. output: an opened one, for live runs; otherwise a file is replaced.
    """

    def __init__(self, path: Path = STDOUT, *, events: EventChoice = "all", output: TextWriter | None = None) -> None:
        if path == STDOUT and sys.stdout is None:  # the shell closed it
            raise OutputError("JSON lines go to standard output, which is closed; give --json PATH, or --quiet")
        self._output = output or TextOutput(path)
        self._events = events

    @property
    def name(self) -> str:
        return self._output.name

    def event(self, source: str, event: StreamEvent) -> None:
        """Write one line, and flush it."""
        if is_chosen(event, self._events):
            self._output.write(json.dumps(event_fields(source, event)) + "\n")

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._output.close()


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


_LINES = LineFormat(begin='{"kind": ', is_whole=_is_object)


def _opened(path: Path, context: SinkContext, events: EventChoice) -> Sink:
    output = continued_output(path, _LINES, context.report) if context.live else None
    return JsonLinesSink(path, events=events, output=output)


def _from_table(table: Mapping[str, object], context: SinkContext) -> Sink:
    found = events_file_table(table, context)
    return _opened(found.within(context), context, found.events)


JSON = SinkKind(
    open=lambda value, context: _opened(Path(value), context, context.events),
    paths=one_path,
    open_table=_from_table,
    check_table=events_file_table,
)
