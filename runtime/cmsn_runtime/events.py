"""Proposals, and the events that report them while an action is still going on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from cmsn_runtime.stages import Stage

EventKind = Literal["provisional", "revised", "withdrawn", "final"]


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
        `final` it will no longer change.
    action: number of the action the proposal belongs to, from 1; alternatives share it.
    rank: 1 for the best proposal of its action, 2... for its alternatives (only finals have them).
    seconds: source time up to which the stream had seen when it reported this. `seconds - proposal.end` is the delay.
    wall: POSIX time of the report, in seconds; two events that differ only in it are equal.
    """

    kind: EventKind
    action: int
    rank: int
    proposal: Proposal
    seconds: Fraction
    wall: float = field(default_factory=time.time, compare=False)


@dataclass(frozen=True, slots=True)
class Reset:
    """The source jumped or fell silent: all state of the stream restarted.

    seconds: source time at which the new segment begins. reason: in a few words. wall: as in Event.
    kind: distinguishes it from an Event.
    """

    seconds: Fraction
    reason: str
    wall: float = field(default_factory=time.time, compare=False)
    kind: Literal["reset"] = field(default="reset", init=False)


StreamEvent = Event | Reset


@dataclass(frozen=True, slots=True, eq=False)
class StageStep:
    """One feature step whose stage will no longer change.

    seconds: its begin. stage: the likeliest. probabilities: float32 [6].
    """

    seconds: Fraction
    stage: Stage
    probabilities: npt.NDArray[np.float32]
