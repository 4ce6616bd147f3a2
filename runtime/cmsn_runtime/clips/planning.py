"""How far back a clip must reach, so that its replay computes the same event."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from cmsn_runtime.provenance import Provenance, ResumePoint, StreamSetup


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay needs. begin: seconds of the source that its first frame must not be later than.

    resume: where it continues the segment; None: it begins where the segment did, and nothing was before.
    """

    begin: Fraction
    resume: ResumePoint | None


def plan_replay(provenance: Provenance) -> Plan:
    """What a replay of the reported hop needs, to the digit.

    Its window holds `window` steps; each feature depends on the receptive field before it. The state of the extractor,
    zero at the first frame, matters no longer after that. Where this reaches back before the segment's begin, the
    replay begins there, and hop by hop everything is as it was.
    """
    setup = provenance.setup
    frames = setup.grid.stride * (provenance.step - setup.grid.window) - setup.receptive_field_frames
    return plan_from(provenance, step=math.floor(frames / setup.grid.stride))


def plan_from(provenance: Provenance, *, step: int) -> Plan:
    """What a replay needs that begins at this step, or at the step of a whole chunk and hop before it."""
    unit = _unit(provenance.setup)
    step = step // unit * unit
    if step <= 0:
        return Plan(provenance.origin, None)
    # The normal hops are left out where the last one of the segment, which always runs, is the reported one.
    hop = provenance.step + (provenance.how == "ending")
    resume = ResumePoint(provenance.origin, step, hop, provenance.memory)
    return Plan(provenance.setup.grid.step_time(step, provenance.origin), resume)


def first_step_at(provenance: Provenance, seconds: Fraction) -> int:
    """The first step at which a replay can begin whose first frame is at `seconds`."""
    unit = _unit(provenance.setup)
    steps = (seconds - provenance.origin) / provenance.setup.grid.step_seconds
    return max(0, math.ceil(steps / unit)) * unit


def _unit(setup: StreamSetup) -> int:
    """Chunks and hops are counted from the segment's begin: the steps at which both begin are multiples of this."""
    return math.lcm(setup.chunk_frames // setup.grid.stride, setup.hop_steps)
