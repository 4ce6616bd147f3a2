"""Stages over time, in runs of equal ones."""

from __future__ import annotations

from collections.abc import MutableSequence
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.stages import Stage


@dataclass(frozen=True, slots=True)
class StageRun:
    """Neighbouring feature steps of one stage, [start, end) in seconds."""

    stage: Stage
    start: Fraction
    end: Fraction


def add_step(runs: MutableSequence[StageRun], stage: Stage, begin: Fraction, length: Fraction) -> None:
    """Lengthen the newest run by a step, or begin another with it. begin, length: of the step, in seconds."""
    last = runs[-1] if runs else None
    if last is not None and last.stage == stage and last.end == begin:
        runs[-1] = StageRun(stage, last.start, begin + length)
    else:
        runs.append(StageRun(stage, begin, begin + length))
