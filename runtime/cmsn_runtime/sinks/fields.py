"""An event as the fields that every output for programs has."""

from __future__ import annotations

from fractions import Fraction

from cmsn_runtime.events import Notice, StreamEvent
from cmsn_runtime.secrets import scrubbed

_DECIMALS = 6


def event_fields(source: str, event: StreamEvent) -> dict[str, object]:
    """The fields of an event, for JSON.

    kind, source, action, rank as in `Event`; start, end, score of its proposal; `at`, the source time of the
    report, and delay = at - end; note, the reason of a notice; wall, the POSIX time of the report; id, seq and key as
    in `Stamp`; start_wall and end_wall, the POSIX times of start and end, and clock, their origin. Times are seconds.
    Where a field does not apply or is unknown it is null; a notice has 0 as its action and rank.
    """
    seen, wall, stamp = _number(event.seconds), _number(event.wall), event.stamp
    begin = {"kind": event.kind, "source": source}
    named = {"id": stamp and stamp.id, "seq": stamp and stamp.seq, "key": stamp and stamp.key}
    clock = stamp and stamp.clock
    if isinstance(event, Notice):
        nothing = dict.fromkeys(("start", "end", "score"))
        at = {"at": seen, "delay": None, "note": scrubbed(event.reason), "wall": wall}
        times = {"start_wall": None, "end_wall": None}
        return {**begin, "action": 0, "rank": 0, **nothing, **at, **named, **times, "clock": clock and clock.origin}
    proposal = event.proposal
    return {
        **begin,
        "action": event.action,
        "rank": event.rank,
        "start": _number(proposal.start),
        "end": _number(proposal.end),
        "score": _number(proposal.score),
        "at": seen,
        "delay": _number(event.seconds - proposal.end),
        "note": "",
        "wall": wall,
        **named,
        "start_wall": clock and _number(clock.at(proposal.start)),
        "end_wall": clock and _number(clock.at(proposal.end)),
        "clock": clock and clock.origin,
    }


def _number(value: Fraction | float) -> float:
    return round(float(value), _DECIMALS)
