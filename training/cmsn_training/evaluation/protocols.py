"""AR@AN as the public evaluators compute it: one name, several protocols, different figures.

`THUMOS` is how DAPs and TURN do it, and with them most tables on THUMOS14; `ACTIVITYNET` is the challenge's own,
which OpenTAD and mmaction2 follow. A figure is meaningless without its protocol: they differ by up to 4 points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cmsn_runtime.errors import SettingsError
from cmsn_training.evaluation.matching import count_met
from cmsn_training.evaluation.tiou import Spans

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to compute AR@AN.

    thresholds: of tIoU, over which recall is averaged. points: of the AR-AN curve; point j takes the share j / points
        of each video's list. inclusive: both end frames belong to a span, which adds one to every length; spans are
        frames then. max_average: lists are cut to this average number first, None keeps all. counts_empty: a video of
        the truth without any segment (only Ambiguous ones, say) counts in the average number of proposals.
    Raises SettingsError.
    """

    name: str
    thresholds: tuple[float, ...]
    points: int = 100
    inclusive: bool = False
    max_average: float | None = None
    counts_empty: bool = False

    def __post_init__(self) -> None:
        if not self.thresholds or not all(0 < limit <= 1 for limit in self.thresholds):
            raise SettingsError(
                f"tIoU thresholds {self.thresholds}: at least one is needed, each above 0 and at most 1"
            )
        if self.points < 1:
            raise SettingsError(f"{self.points} points of the curve: at least 1 is needed")
        if self.max_average is not None and not self.max_average >= 1:
            raise SettingsError(
                f"at most {self.max_average} proposals per video: it must be 1 or more, or None for all"
            )


def thresholds(first: float, last: float, *, step: float = 0.05) -> tuple[float, ...]:
    """first, first + step, ... up to and including last."""
    return tuple(np.linspace(first, last, round((last - first) / step) + 1).tolist())


THUMOS = Protocol("thumos", thresholds(0.5, 1.0), inclusive=True, counts_empty=True)
ACTIVITYNET = Protocol("activitynet", thresholds(0.5, 0.95), max_average=100)


@dataclass(frozen=True, slots=True, eq=False)
class RecallCurve:
    """numbers: average number of proposals per video at each point, [P]. recall: 0..1, [thresholds, P]."""

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
        """Area under the AR-AN curve in percent, as ActivityNet's challenge ranks by it; 0 without proposals."""
        if not self.numbers[-1]:
            return 0.0
        widths = np.diff(self.numbers)
        heights = (self.average[1:] + self.average[:-1]) / 2
        return float(100 * (widths * heights).sum() / self.numbers[-1])

    def average_recall_at(self, number: float) -> float:
        """AR@AN in percent, interpolated between two points; NaN outside the curve, where some evaluators extrapolate.

        The curve begins at its first point (a hundredth of the lists, for the protocols here), not at 0.
        """
        return self._between(self.average, number)

    def recall_at(self, number: float) -> Curve:
        """Recall@AN in percent at each tIoU threshold, [thresholds]; NaN outside the curve."""
        return np.array([self._between(row, number) for row in self.recall])

    def _between(self, values: Curve, number: float) -> float:
        # The ends of the curve are products of fractions: an AN equal to one may miss it by a rounding error.
        if not self.numbers[0] * (1 - 1e-9) <= number <= self.numbers[-1] * (1 + 1e-9):
            return float("nan")
        return float(100 * np.interp(number, self.numbers, values))


def recall_curve(proposals: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol) -> RecallCurve:
    """The AR-AN curve.

    proposals: video -> [K, 2], best first. truth: video -> [G, 2]. Seconds, or frames with an inclusive protocol.
    A video without proposals counts, as missed and in the average number; videos that the truth lacks do not.
    Raises SettingsError where there is no truth, or no proposal at all.
    """
    videos = [name for name, segments in truth.items() if len(segments) or protocol.counts_empty]
    lists = [np.asarray(proposals.get(name, np.empty((0, 2)))) for name in videos]
    counts = np.array([len(spans) for spans in lists])
    positives = sum(len(segments) for segments in truth.values())
    if not positives or not counts.sum():
        what = "no proposal for any video of the truth" if positives else "no true segment"
        raise SettingsError(f"{what}; check that both files are of the same videos, under the same names")
    if protocol.max_average is not None:
        share = protocol.max_average * len(videos) / counts.sum()
        counts = np.minimum((counts * share).astype(np.int64), counts)
    total = int(counts.sum())
    shares = np.arange(1, protocol.points + 1) / protocol.points
    if protocol.max_average is not None:
        shares = shares * (protocol.max_average * len(videos) / total)
    taken = np.minimum((counts[:, None] * shares).astype(np.int64), counts[:, None])
    kept = [spans[:count] for spans, count in zip(lists, counts.tolist(), strict=True)]
    matches = _matches(kept, [truth[name] for name in videos], taken, protocol)
    return RecallCurve(protocol, shares * total / len(videos), matches / positives)


def empty_curve(protocol: Protocol) -> RecallCurve:
    """The curve of lists without any proposal: recall 0 at an average number of 0."""
    return RecallCurve(protocol, np.zeros(protocol.points), np.zeros((len(protocol.thresholds), protocol.points)))


def in_frames(spans: Mapping[str, Spans], rates: Mapping[str, float]) -> dict[str, Spans]:
    """Seconds -> frames at each video's own rate. Raises SettingsError where a rate is unknown."""
    unknown = [name for name in spans if name not in rates]
    if unknown:
        raise SettingsError(f"no frame rate for {len(unknown)} videos ({', '.join(unknown[:3])}); give all of them")
    return {name: rows * rates[name] for name, rows in spans.items()}


def _matches(
    lists: Sequence[Spans], truth: Sequence[Spans], taken: npt.NDArray[np.int64], protocol: Protocol
) -> npt.NDArray[np.int64]:
    """True segments matched at each threshold by the first taken[video, point] proposals -> [thresholds, points]."""
    order = np.argsort(protocol.thresholds)
    limits = np.array(protocol.thresholds)[order]
    met = np.empty((len(limits), protocol.points), dtype=np.int64)
    met[order] = count_met(*_joined(lists), *_joined(truth), taken, limits, float(protocol.inclusive))
    return met


def _joined(parts: Sequence[Spans]) -> tuple[Spans, npt.NDArray[np.int64]]:
    """All rows concatenated [N, 2], and where each part begins [parts + 1]."""
    firsts = np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)
    return np.concatenate(parts, dtype=np.float64), firsts
