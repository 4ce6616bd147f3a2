"""The knobs of proposal generation and suppression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from cmsn_runtime.errors import SettingsError

Suppression = Literal["gaussian", "linear", "greedy", "none"]


@dataclass(frozen=True, slots=True)
class ProposalSettings:
    """decay: i of equation 1, how fast the pre-score falls per step away from the anchors (0.09 in the paper).

    nms: how overlapping proposals are suppressed; `none` leaves the ranking as it is (the paper's rows without PES).
    sigma: of Gaussian Soft-NMS, exp(-tIoU^2 / sigma). iou_threshold: of linear Soft-NMS and of greedy NMS.
    min_score: proposals below it are dropped. max_proposals: at most so many are kept per hop.
    roi_bins: temporal bins of the RoI pooling, which the evaluator was trained with.
    """

    decay: float = 0.09
    nms: Suppression = "gaussian"
    sigma: float = 0.5
    iou_threshold: float = 0.65
    min_score: float = 0.01
    max_proposals: int = 100
    roi_bins: int = 8

    def __post_init__(self) -> None:
        if self.nms not in get_args(Suppression):
            raise SettingsError(f"nms {self.nms!r}: it must be one of {', '.join(get_args(Suppression))}")
        if not 0 < self.decay <= 1 or not self.sigma > 0:
            raise SettingsError(
                f"decay {self.decay} and sigma {self.sigma}: above 0, and the decay at most 1"
            )
        if not 0 <= self.iou_threshold <= 1 or not 0 <= self.min_score <= 1:
            raise SettingsError(
                f"iou_threshold {self.iou_threshold}, min_score {self.min_score}: between 0 and 1"
            )
        if self.max_proposals < 1 or self.roi_bins < 1:
            raise SettingsError(f"max_proposals {self.max_proposals}, roi_bins {self.roi_bins}: at least 1")
