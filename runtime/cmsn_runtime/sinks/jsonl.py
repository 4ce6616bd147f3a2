"""One JSON object per line, for programs."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path

from cmsn_runtime.errors import OutputError
from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.files import STDOUT
from cmsn_runtime.sinks.base import EventChoice, Sink, is_chosen
from cmsn_runtime.sinks.kinds import SinkKind, one_path
from cmsn_runtime.sinks.text_output import TextOutput

_DECIMALS = 6


class JsonLinesSink(Sink):
    """Writes each event as it comes, to a file or, for "-", to standard output.

    Fields: kind, source, action, rank as in `Event`; start, end, score of its proposal; `at`, the source time of the
    report, and delay = at - end; note, the reason of a reset; wall, the POSIX time of the report. Times are seconds.
    A reset has null, or 0 as its action and rank, where a field does not apply.
    """

    def __init__(self, path: Path = STDOUT, *, events: EventChoice = "all") -> None:
        if path == STDOUT and sys.stdout is None:  # the shell closed it
            raise OutputError("JSON lines go to standard output, which is closed; give --json PATH, or --quiet")
        self._output = TextOutput(path)
        self._events = events

    @property
    def name(self) -> str:
        return self._output.name

    def event(self, source: str, event: StreamEvent) -> None:
        """Write one line, and flush it."""
        if is_chosen(event, self._events):
            self._output.write(json.dumps(_fields(source, event)) + "\n")

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._output.close()


JSON = SinkKind(open=lambda value, context: JsonLinesSink(Path(value), events=context.events), paths=one_path)


def _fields(source: str, event: StreamEvent) -> dict[str, object]:
    seen, wall = _number(event.seconds), _number(event.wall)
    if isinstance(event, Reset):
        nothing = dict.fromkeys(("start", "end", "score"))
        fields = {"kind": event.kind, "source": source, "action": 0, "rank": 0, **nothing}
        return {**fields, "at": seen, "delay": None, "note": event.reason, "wall": wall}
    proposal = event.proposal
    return {
        "kind": event.kind,
        "source": source,
        "action": event.action,
        "rank": event.rank,
        "start": _number(proposal.start),
        "end": _number(proposal.end),
        "score": _number(proposal.score),
        "at": seen,
        "delay": _number(event.seconds - proposal.end),
        "note": "",
        "wall": wall,
    }


def _number(value: Fraction | float) -> float:
    return round(float(value), _DECIMALS)
