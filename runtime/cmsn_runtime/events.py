"""Proposals, and the events that report them while an action is still going on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from cmsn_runtime.provenance import Provenance
from cmsn_runtime.stages import Stage
from cmsn_runtime.tracking.tracker import ReportKind

EventKind: TypeAlias = ReportKind
NoticeKind = Literal["reset", "source_lost", "source_back", "gap", "overload"]
ClockOrigin = Literal["rtcp", "arrival"]


@dataclass(frozen=True, slots=True)
class WallClock:
    """The time of day of a source's own clock, where it is known: POSIX seconds = source seconds + offset.

    origin: `rtcp` the camera's own clock, as it reported it; `arrival` this machine's, when frames arrived.
    """

    offset: Fraction
    origin: ClockOrigin

    def at(self, seconds: Fraction) -> float:
        """POSIX seconds of a time of the source."""
        return float(seconds + self.offset)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who reported an event, and as which; see identity.Numbering.

    id: `site/camera/run/segment/action/rank`; reports on one proposal of an action share it. seq: number of the report,
    from 1 for each camera and run, without gaps: with it, receivers detect lost and doubled reports. key: unique for
    each report. clock: that of the source at that time; None for files.
    """

    id: str
    seq: int
    key: str
    clock: WallClock | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A span of time that may contain an action.

    start, end: seconds on the source's clock, exact. score: 0..1, pre-score times predicted IoU (section 3.3).
    """

    start: Fraction
    end: Fraction
    score: float


@dataclass(frozen=True, slots=True)
class Event:
    """One report about an action.

    kind: `provisional` the first report of an action, `revised` a better one, `withdrawn` it was not an action,
        `final` it will no longer change. Every action is first reported as provisional, at the same time as its finals
        at the latest; each then ends as withdrawn or final, unless the stream is closed before.
    action: number of the action the proposal belongs to, from 1; alternatives share it.
    rank: 1 for the best proposal of its action, 2... for its alternatives (only finals have them).
    seconds: source time up to which the stream had seen when it reported this. `seconds - proposal.end` is the delay.
    segment: number of the unbroken stretch of the stream in which it lies, from 1.
    wall: POSIX time of the report, in seconds. stamp: its id and number, where a run gave it one. provenance: what
        decided it besides the frames, for those of rank 1 in streams of pictures. Two events that differ only in these
        are equal.
    """

    kind: EventKind
    action: int
    rank: int
    proposal: Proposal
    seconds: Fraction
    segment: int = 1
    wall: float = field(default_factory=time.time, compare=False)
    stamp: Stamp | None = field(default=None, compare=False)
    provenance: Provenance | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """A report on the stream itself. Actions under way are settled before any of them.

    kind: `reset` all state of the stream restarted (the source jumped or fell silent): a new segment begins.
        Live sources only: `source_lost` the connection is gone or stalled; `source_back` frames arrive again; `gap` the
        frames until `seconds` were left out; `overload` they were left out because the machine is too slow.
    seconds: source time. reason: in a few words. segment, wall, stamp: as in Event.
    """

    kind: NoticeKind
    seconds: Fraction
    reason: str
    segment: int = 1
    wall: float = field(default_factory=time.time, compare=False)
    stamp: Stamp | None = field(default=None, compare=False)


StreamEvent = Event | Notice


@dataclass(frozen=True, slots=True, eq=False)
class StageStep:
    """One feature step whose stage will no longer change.

    seconds: its begin. stage: the likeliest. probabilities: float32 [6].
    """

    seconds: Fraction
    stage: Stage
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class StagePreview:
    """The stages of the newest feature steps, which may still change; each preview replaces the one before.

    seconds: begin of the first of them. stages: uint8 [steps], the likeliest of each.
    """

    seconds: Fraction
    stages: npt.NDArray[np.uint8]
