"""What decides an event besides the frames: with it and the frames, the event can be computed again to the digit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.timegrid import TimeGrid
from cmsn_runtime.tracking.tracker import TrackerMemory, TrackerSettings

How = Literal["hop", "ending", "settled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSetup:
    """What a stream of pictures computes with.

    model: name of the bundle. model_sha256: of its manifest, which holds the hashes of the graphs. backend: its name.
    receptive_field_frames, delay_steps: of the extractor. chunk_frames, hop_steps: as in Bundle.stream, resolved.
    """

    model: str
    model_sha256: str
    backend: str
    grid: TimeGrid
    receptive_field_frames: int
    delay_steps: int
    chunk_frames: int
    hop_steps: int
    proposals: ProposalSettings
    tracking: TrackerSettings


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which hop of which segment reported an event.

    how: `hop` a hop of the running stream, `ending` the last one of its segment, `settled` the newest hop before it
        ended without another one. step: feature steps that it saw. memory: the tracker's before it.
    origin: seconds at which step 0 of the segment began. newest: seconds of its newest frame at that hop.
    """

    setup: StreamSetup
    how: How
    step: int
    memory: TrackerMemory
    origin: Fraction
    newest: Fraction


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """Where a stream continues a segment of another one, whose earlier frames it does not get.

    origin: as in Provenance. step: its first step. hop: steps seen at the first hop that is run; before it, the window
    lacks what came before `step`. memory: the tracker's before that hop.
    """

    origin: Fraction
    step: int
    hop: int
    memory: TrackerMemory
