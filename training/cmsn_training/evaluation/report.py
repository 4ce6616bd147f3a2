"""What `cmsn evaluate` measures, draws and writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cmsn_runtime.annotations import VideoAnnotations
from cmsn_runtime.errors import SettingsError
from cmsn_training.data.thumos14 import read_rates
from cmsn_training.data.truth import read_truth, segments_of
from cmsn_training.evaluation.delay import first_hits, recall_by_delay
from cmsn_training.evaluation.detection import mean_average_precision
from cmsn_training.evaluation.events import read_events
from cmsn_training.evaluation.protocols import ACTIVITYNET, THUMOS, Protocol, RecallCurve, in_frames, recall_curve
from cmsn_training.evaluation.results_file import Results, read_results
from cmsn_training.evaluation.tiou import Spans

DEFAULT_NUMBERS = (10.0, 50.0, 100.0, 200.0)
RECALL_NUMBER = 100.0  # the paper's figures 6 and 7
PRECISION_LIMITS = tuple(np.arange(1, 8) / 10)  # 0.1, 0.2 ... 0.7
_PROTOCOLS = (THUMOS, ACTIVITYNET)


@dataclass(frozen=True, slots=True)
class Delays:
    """by_number: N -> allowed delay in seconds -> AR@N in percent. median: seconds from the end of an action until it
    was first hit, of those that ever were, infinity where none was; share: how many were, percent.
    """

    by_number: dict[int, dict[float, float]]
    median: float
    share: float


@dataclass(frozen=True, slots=True)
class Report:
    """curves: results file -> protocol -> its curve. precision: results file -> tIoU -> mAP in percent, of those files
    that name classes of the truth.
    """

    curves: dict[str, dict[str, RecallCurve]]
    precision: dict[str, dict[float, float]]

    def draw(self, folder: Path) -> None:
        """Two pictures a protocol. Raises MissingExtraError and SettingsError."""
        from cmsn_training.evaluation.pictures import draw_average_recall, draw_recall

        for protocol in _PROTOCOLS:
            curves = {name: mine[protocol.name] for name, mine in self.curves.items()}
            shortest = min(float(curve.numbers[-1]) for curve in curves.values())
            draw_average_recall(curves, folder / f"ar-an-{protocol.name}.png")
            draw_recall(curves, folder / f"recall-{protocol.name}.png", number=min(RECALL_NUMBER, shortest))


def measure(
    results: Sequence[Path],
    truth: Path,
    *,
    rates: Path | None,
    fps: float,
    max_per_video: int | None = None,
    ambiguous: Literal["drop", "keep"] = "drop",
    tell: Callable[[str], object] = lambda line: None,
) -> Report:
    """Curves of each results file under both protocols, and mAP. Raises AnnotationError and SettingsError.

    rates: frames a second of each video, for the protocol that counts frames; without, `fps` for all. max_per_video:
    only so many of each list, by score. ambiguous: see read_truth; mAP needs these and has its own way with them.
    tell: is called with each line about what was mended in the truth or left out.
    """
    segments = {name: segments_of(video) for name, video in read_truth(truth, ambiguous=ambiguous, tell=tell).items()}
    labelled = read_truth(truth, ambiguous="keep")
    known = dict.fromkeys(segments, fps) if rates is None else {n: float(r) for n, r in read_rates(rates).items()}
    report = Report({}, {})
    for path in results:
        if path.stem in report.curves:
            raise SettingsError(f"two results files are called {path.stem}; they go by that name, rename one")
        found = read_results(path, most=max_per_video)
        mine = {name: spans for name, spans in found.proposals.items() if name in segments}
        report.curves[path.stem] = {p.name: _curve(mine, segments, p, known) for p in _PROTOCOLS}
        precision = _precision(found, labelled)
        if precision:
            report.precision[path.stem] = precision
    return report


def delays_of(events: Path, truth: Path, numbers: Sequence[float]) -> Delays:
    """Recall against delay of an event stream; numbers are rounded up to whole proposals a video.

    Raises AnnotationError and SettingsError.
    """
    segments = {name: segments_of(video) for name, video in read_truth(truth).items()}
    words = read_events(events)
    hits = np.array(first_hits(words, segments))
    reached = hits[np.isfinite(hits)]
    return Delays(
        recall_by_delay(words, segments, numbers=sorted({math.ceil(number) for number in numbers})),
        float(np.median(reached)) if len(reached) else math.inf,
        float(100 * len(reached) / len(hits)),
    )


def as_json(report: Report, numbers: Sequence[float], delays: Delays | None) -> dict[str, Any]:
    """All figures, in percent and seconds; null outside a curve, and where nothing was ever hit."""
    content: dict[str, Any] = {"results": {}}
    for name, mine in report.curves.items():
        content["results"][name] = {kind: _figures(curve, numbers) for kind, curve in mine.items()}
        if name in report.precision:
            content["results"][name]["mAP"] = {f"{t:g}": _rounded(value) for t, value in report.precision[name].items()}
    if delays is not None:
        content["delay"] = {
            **{f"AR@{n}": {delay_name(d): _rounded(v) for d, v in row.items()} for n, row in delays.by_number.items()},
            "median_seconds_to_first_hit": _rounded(delays.median),
            "percent_ever_hit": _rounded(delays.share),
        }
    return content


def delay_name(delay: float) -> str:
    """How an allowed delay is called."""
    return "final" if math.isinf(delay) else f"{delay:g} s"


def _curve(
    found: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol, rates: Mapping[str, float]
) -> RecallCurve:
    if protocol.inclusive:
        found, truth = in_frames(found, rates), in_frames(truth, rates)
    return recall_curve(found, truth, protocol)


def _precision(found: Results, truth: Mapping[str, VideoAnnotations]) -> dict[float, float]:
    """tIoU -> mAP in percent; nothing where no label is one of the truth's."""
    labels = {one.label for video in truth.values() for one in video.annotations}
    if not labels & set(found.detections):
        return {}
    means = mean_average_precision(found.detections, truth, thresholds=PRECISION_LIMITS)
    return {threshold: 100 * value for threshold, value in means.items()}


def _figures(curve: RecallCurve, numbers: Sequence[float]) -> dict[str, Any]:
    most = min(RECALL_NUMBER, float(curve.numbers[-1]))
    recall = zip(curve.protocol.thresholds, curve.recall_at(most).tolist(), strict=True)
    return {
        **{f"AR@{number:g}": _rounded(curve.average_recall_at(number)) for number in numbers},
        "area": _rounded(curve.area),
        "average_number": _rounded(float(curve.numbers[-1])),
        f"recall@{most:g}": {f"{limit:.2f}": _rounded(value) for limit, value in recall},
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
