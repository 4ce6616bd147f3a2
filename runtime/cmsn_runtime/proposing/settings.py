"""The settings of proposals, with the paper's values as the defaults."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from cmsn_runtime.checking import require

NmsKind = Literal["gaussian", "linear", "greedy", "none"]
Scoring = Literal["evaluated", "pre-score"]


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """How spans are scored, pooled and suppressed.

    decay: what the pre-score loses with each step away from an anchor (`i` of equation 1), at least 0.
    nms: how a kept span lowers those it overlaps: `gaussian` and `linear` (Soft-NMS), `greedy` or `none`.
    sigma: width of the Gaussian, exp(-tIoU^2 / sigma), above 0.
    iou_threshold: `linear` lowers and `greedy` drops spans that overlap by more than this tIoU, 0..1.
    min_score: spans that score below are dropped, 0..1.
    max_proposals: spans kept per action (per sequence of stages) and hop, at least 1.
    roi_bins: bins of the temporal RoI pooling, at least 1; the evaluation subnet is trained with one value.
    roi_context: share of a span's length, at least 0, that is also pooled before and after it; the evaluation
        subnet is trained with one value. 0, the default, is the paper's: C3D itself looks beyond the span. Feature
        rows do not, and an end is recognised in part by what follows it.
    background: factors between 0 and 1. For each of them the window is decoded once more, with the probability of
        Background multiplied by it, and the candidates of all decodings are merged: actions of which the stage
        network is less certain get proposals too, for the PES to evaluate. None, the default, is the paper's.
    pes_power: the final score is pre-score times the PES's score to this power; 1 is the paper's.
    scoring: `evaluated` is pre-score times the tIoU that the PES predicts; `pre-score` ranks without the PES (Table 4,
        which also removes the suppression: nms = "none").

    Raises SettingsError for a value outside its range.
    """

    decay: float = 0.09
    nms: NmsKind = "gaussian"
    sigma: float = 0.5
    iou_threshold: float = 0.65
    min_score: float = 0.01
    max_proposals: int = 100
    roi_bins: int = 8
    roi_context: float = 0.0
    background: tuple[float, ...] = ()
    pes_power: float = 1.0
    scoring: Scoring = "evaluated"

    def __post_init__(self) -> None:
        require(0 <= self.decay < math.inf, "decay", self.decay, "a finite number, at least 0")
        require(self.nms in get_args(NmsKind), "nms", self.nms, "one of " + ", ".join(get_args(NmsKind)))
        require(0 < self.sigma < math.inf, "sigma", self.sigma, "a finite number above 0")
        require(0 <= self.iou_threshold <= 1, "iou_threshold", self.iou_threshold, "from 0 to 1")
        require(0 <= self.min_score <= 1, "min_score", self.min_score, "from 0 to 1")
        require(self.max_proposals >= 1, "max_proposals", self.max_proposals, "at least 1")
        require(self.roi_bins >= 1, "roi_bins", self.roi_bins, "at least 1")
        require(0 <= self.roi_context < math.inf, "roi_context", self.roi_context, "a finite number, at least 0")
        factors = all(0 < factor < 1 for factor in self.background)
        require(factors, "background", self.background, "factors above 0 and below 1")
        require(0 < self.pes_power < math.inf, "pes_power", self.pes_power, "a finite number above 0")
        require(self.scoring in get_args(Scoring), "scoring", self.scoring, "one of " + ", ".join(get_args(Scoring)))
