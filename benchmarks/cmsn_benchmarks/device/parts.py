"""The parts of a hop, in the order in which data passes them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

# decode: a stored frame to pixels (files only). prepare: resampling, turning, fitting, collecting a chunk. extract,
# stages, evaluate: the three networks, as the backend answers. propose: candidates from stages, pre-scores, RoI rows.
# rank: scores, Soft-NMS, tracking, events.
Part: TypeAlias = Literal["decode", "prepare", "extract", "stages", "propose", "evaluate", "rank"]
PARTS: tuple[Part, ...] = get_args(Part)
NETWORKS: tuple[Part, ...] = ("extract", "stages", "evaluate")
