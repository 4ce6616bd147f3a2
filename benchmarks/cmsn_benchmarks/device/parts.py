"""The parts of a hop, in the order in which data passes them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

# prepare: resampling, turning, fitting, collecting a chunk; what is before it, see `decoding`. extract,
# stages, evaluate: the three networks, as the backend answers. propose: candidates from stages, pre-scores, RoI rows.
# rank: scores, Soft-NMS, tracking, events.
Part: TypeAlias = Literal["prepare", "extract", "stages", "propose", "evaluate", "rank"]
PARTS: tuple[Part, ...] = get_args(Part)
NETWORKS: tuple[Part, ...] = ("extract", "stages", "evaluate")
