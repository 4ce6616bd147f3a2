"""How good ranked proposals are, as the field measures it. Needs no torch."""

from __future__ import annotations

from cmsn_training.evaluation.protocols import ACTIVITYNET, THUMOS, Protocol, RecallCurve, recall_curve
from cmsn_training.evaluation.tiou import TIOU_THRESHOLDS, Spans, average_recall, sliding_windows, tiou_matrix

__all__ = [
    "ACTIVITYNET",
    "THUMOS",
    "TIOU_THRESHOLDS",
    "Protocol",
    "RecallCurve",
    "Spans",
    "average_recall",
    "recall_curve",
    "sliding_windows",
    "tiou_matrix",
]
