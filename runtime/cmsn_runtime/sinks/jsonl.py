"""One JSON object a line, for programs."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from pathlib import Path
from typing import TextIO

from cmsn_runtime.errors import SettingsError
from cmsn_runtime.events import Reset, StreamEvent
from cmsn_runtime.files import written_to
from cmsn_runtime.sinks.base import EventChoice, Sink, is_chosen

_DECIMALS = 6


class JsonLinesSink(Sink):
    """Writes each event as it comes, to a file or, for None, to stdout.

    Fields: kind, source, action, rank, note as in `Event`; start, end, score of its proposal, `at` the source time at
    which this was said, delay = at - end. Times are seconds. A reset has null where a field does not apply.
    """

    def __init__(self, path: Path | None, *, events: EventChoice = "all") -> None:
        self._name = str(path or "standard output")
        self._events = events
        self._owned = path is not None
        with written_to(self._name):
            file: TextIO | None = path.open("w", encoding="utf-8") if path else sys.stdout
        if file is None:  # the shell closed it
            raise SettingsError("JSON lines go to standard output, which is closed; give --json PATH, or --quiet")
        self._file = file

    def event(self, source: str, event: StreamEvent) -> None:
        """Write one line, all the way through to the reader."""
        if is_chosen(event, self._events):
            with written_to(self._name):
                self._file.write(json.dumps(_fields(source, event)) + "\n")
                self._file.flush()

    def close(self) -> None:
        """Close the file; stdout stays open."""
        if self._owned:
            with written_to(self._name):
                self._file.close()


def _fields(source: str, event: StreamEvent) -> dict[str, object]:
    if isinstance(event, Reset):
        nothing = dict.fromkeys(("start", "end", "score"))
        fields = {"kind": event.kind, "source": source, "action": 0, "rank": 0, **nothing}
        return {**fields, "at": _number(event.seconds), "delay": None, "note": event.reason}
    proposal = event.proposal
    return {
        "kind": event.kind,
        "source": source,
        "action": event.action,
        "rank": event.rank,
        "start": _number(proposal.start),
        "end": _number(proposal.end),
        "score": _number(proposal.score),
        "at": _number(event.seconds),
        "delay": _number(event.seconds - proposal.end),
        "note": "",
    }


def _number(value: Fraction | float) -> float:
    return round(float(value), _DECIMALS)
