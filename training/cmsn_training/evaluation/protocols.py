"""AR@AN as the public evaluators compute it: the same words, several protocols, different figures.

`THUMOS` is how DAPs and TURN do it, and with them most tables on THUMOS14; `ACTIVITYNET` is the challenge's own way,
which OpenTAD and mmaction2 follow. A figure without its protocol means little: they differ by up to 4 points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.tiou import Spans, tiou_matrix

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to compute AR@AN.

    thresholds: of tIoU, that recall is averaged over. points: of the AR-AN curve; point j takes the share j / points
        of each video's list. inclusive: both end frames belong to a span, which adds one to every length; spans are
        frames then. max_average: lists are cut to this average number first, none takes all. counts_empty: a video of
        the truth without any segment (only Ambiguous ones, say) counts in the average number of proposals.
    """

    name: str
    thresholds: tuple[float, ...]
    points: int = 100
    inclusive: bool = False
    max_average: float | None = None
    counts_empty: bool = False


def thresholds(first: float, last: float, *, step: float = 0.05) -> tuple[float, ...]:
    """first, first + step ... last, last included."""
    return tuple(np.linspace(first, last, round((last - first) / step) + 1).tolist())


THUMOS = Protocol("thumos", thresholds(0.5, 1.0), inclusive=True, counts_empty=True)
ACTIVITYNET = Protocol("activitynet", thresholds(0.5, 0.95), max_average=100)


@dataclass(frozen=True, slots=True, eq=False)
class RecallCurve:
    """numbers: average number of proposals a video at each point, [P]. recall: 0..1, [thresholds, P]."""

    protocol: Protocol
    numbers: Curve
    recall: Curve

    @property
    def average(self) -> Curve:
        """AR at each point, 0..1, [P]."""
        means: Curve = self.recall.mean(axis=0)
        return means

    @property
    def area(self) -> float:
        """Area under the AR-AN curve in percent, as ActivityNet's challenge ranks by it."""
        widths = np.diff(self.numbers)
        heights = (self.average[1:] + self.average[:-1]) / 2
        return float(100 * (widths * heights).sum() / self.numbers[-1])

    def average_recall_at(self, number: float) -> float:
        """AR@AN in percent; NaN beyond the end of the lists, where some evaluators would extrapolate.

        Below the first point the line goes to that point's own value, as NumPy's interpolation has it.
        """
        if number > self.numbers[-1] * (1 + 1e-9):
            return float("nan")
        return float(100 * np.interp(number, self.numbers, self.average))

    def recall_at(self, number: float) -> Curve:
        """Recall@AN in percent at each tIoU threshold, [thresholds]; NaN beyond the end of the lists."""
        if number > self.numbers[-1] * (1 + 1e-9):
            return np.full(len(self.protocol.thresholds), np.nan)
        return np.array([100 * np.interp(number, self.numbers, row) for row in self.recall])


def recall_curve(proposals: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol) -> RecallCurve:
    """The AR-AN curve.

    proposals: video -> [K, 2], best first. truth: video -> [G, 2]. Seconds, or frames with an inclusive protocol.
    A video without proposals counts, as missed and in the average number; videos that the truth does not name do not.
    Raises SettingsError where there is no truth, or no proposal at all.
    """
    videos = [name for name, segments in truth.items() if len(segments) or protocol.counts_empty]
    lists = [np.asarray(proposals.get(name, np.empty((0, 2)))) for name in videos]
    counts = np.array([len(spans) for spans in lists])
    positives = sum(len(segments) for segments in truth.values())
    if not positives or not counts.sum():
        what = "no proposal for any video of the truth" if positives else "no true segment"
        raise SettingsError(f"{what}; check that both files are of the same videos, and name them alike")
    if protocol.max_average is not None:
        share = protocol.max_average * len(videos) / counts.sum()
        counts = np.minimum((counts * share).astype(np.int64), counts)
    total = int(counts.sum())
    shares = np.arange(1, protocol.points + 1) / protocol.points
    if protocol.max_average is not None:
        shares = shares * (protocol.max_average * len(videos) / total)
    matches = np.zeros((len(protocol.thresholds), protocol.points))
    for name, spans, count in zip(videos, lists, counts.tolist(), strict=True):
        taken = np.minimum((count * shares).astype(np.int64), count)
        if len(truth[name]):
            matches += _matches(_first_hits(spans[:count], truth[name], protocol), taken)
    return RecallCurve(protocol, shares * total / len(videos), matches / positives)


def in_frames(spans: Mapping[str, Spans], rates: Mapping[str, float]) -> dict[str, Spans]:
    """Seconds -> frames at each video's own rate. Raises SettingsError where a rate is not known."""
    unknown = [name for name in spans if name not in rates]
    if unknown:
        raise SettingsError(f"no frame rate for {len(unknown)} videos ({', '.join(unknown[:3])}); give all of them")
    return {name: rows * rates[name] for name, rows in spans.items()}


def _first_hits(spans: Spans, truth: Spans, protocol: Protocol) -> npt.NDArray[np.int64]:
    """How many of a video's proposals must be taken until each true segment is met -> [thresholds, G]; K + 1: never."""
    if not len(spans):
        return np.ones((len(protocol.thresholds), len(truth)), dtype=np.int64)
    best = np.maximum.accumulate(tiou_matrix(spans, truth, extra=float(protocol.inclusive)), axis=0)  # [K, G]
    limits = np.array(protocol.thresholds)
    hits = np.stack([np.searchsorted(best[:, g], limits, side="left") for g in range(best.shape[1])], axis=1)
    return hits + 1


def _matches(hits: npt.NDArray[np.int64], taken: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """True segments met at each threshold by the first taken[j] proposals -> [thresholds, points]."""
    ordered = np.sort(hits, axis=1)
    return np.stack([np.searchsorted(row, taken, side="right") for row in ordered])
