"""What streams reported: from their events, or read back from the JSON lines of `cmsn run --json`."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from cmsn_runtime.errors import AnnotationError
from cmsn_runtime.events import Event, EventKind, NoticeKind, StreamEvent
from cmsn_runtime.names import video_id
from cmsn_runtime.text_files import read_text


@dataclass(frozen=True, slots=True)
class Reported:
    """One report of a stream on an action: the kind of event, its source time, and the proposal; seconds.

    start, end and score are meaningless for a withdrawal.
    """

    action: int
    kind: EventKind
    at: float
    start: float
    end: float
    score: float


def reports_of(events: Sequence[StreamEvent]) -> list[Reported]:
    """The reports of one stream's own events; notices are left out."""
    return [
        Reported(
            event.action,
            event.kind,
            float(event.seconds),
            float(event.proposal.start),
            float(event.proposal.end),
            event.proposal.score,
        )
        for event in events
        if isinstance(event, Event)
    ]


def read_events(path: Path) -> dict[str, list[Reported]]:
    """Video -> its reports in their order. Notices are left out: a stream settles all its actions before one.

    Raises AnnotationError that names the line, and where two sources have the same name.
    """
    reports: defaultdict[str, list[Reported]] = defaultdict(list)
    sources: dict[str, str] = {}
    try:
        lines = read_text(path).split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path}: cannot be read ({error}); give what `cmsn run --json PATH` wrote") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            source, report = _report(line)
        except (TypeError, KeyError, ValueError) as error:
            raise AnnotationError(f"{path}, line {number}: not an event of `cmsn run --json` ({error})") from error
        name = video_id(source)
        if sources.setdefault(name, source) != source:
            raise AnnotationError(
                f"{path}, line {number}: {sources[name]} and {source} are both called {name}; evaluate them separately"
            )
        if report is not None:
            reports[name].append(report)
    return dict(reports)


def _report(line: str) -> tuple[str, Reported | None]:
    """The source of an event, and its report; None for a notice."""
    item = json.loads(line)
    kind, source = item["kind"], str(item["source"])
    if kind in get_args(NoticeKind):
        return source, None
    if kind not in get_args(EventKind):
        raise ValueError(f"kind {kind!r}; it must be a notice or one of {', '.join(get_args(EventKind))}")
    at, start, end, score = (float(item[key]) for key in ("at", "start", "end", "score"))
    if not all(math.isfinite(value) for value in (at, start, end, score)):
        raise ValueError("a number is not finite")
    return source, Reported(int(item["action"]), kind, at, start, end, score)
