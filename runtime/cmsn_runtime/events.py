"""What the system finds, and what it says about it while the action is still going on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from cmsn_runtime.stages import Stage

EventKind = Literal["provisional", "revised", "withdrawn", "final", "reset"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A span of time that may hold an action.

    start, end: seconds on the source's clock, exact. score: 0..1, pre-score times predicted IoU (section 3.3).
    """

    start: Fraction
    end: Fraction
    score: float


@dataclass(frozen=True, slots=True)
class Event:
    """One line of what a stream reports.

    kind: `provisional` the first word of an action, `revised` a better one, `withdrawn` it was none,
        `final` it will not change any more, `reset` the source jumped and all that streams began anew.
    action: number of the action the proposal belongs to, from 1; alternatives share it. 0 for a reset.
    rank: 1 for the best proposal of its action, 2... for its alternatives (only finals have them). 0 for a reset.
    proposal: none for `reset`.
    seconds: source time of the newest frame seen when this was said. `seconds - proposal.end` is the delay.
    note: a short reason in words, for `reset`.
    """

    kind: EventKind
    action: int
    rank: int
    proposal: Proposal | None
    seconds: Fraction
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class StageStep:
    """One feature step whose stage will not change any more.

    seconds: its begin. stage: the likeliest. probabilities: float32 [6].
    """

    seconds: Fraction
    stage: Stage
    probabilities: npt.NDArray[np.float32]
