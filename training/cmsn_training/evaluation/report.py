"""What `cmsn evaluate` measures, draws and writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cmsn_runtime.names import ByName
from cmsn_training.data.thumos14 import read_rates
from cmsn_training.evaluation.delay import first_hits, recall_by_delay, stream_lengths
from cmsn_training.evaluation.detection import mean_average_precision
from cmsn_training.evaluation.events import Reported
from cmsn_training.evaluation.meeting import Names, Truth, match_names
from cmsn_training.evaluation.protocols import (
    ACTIVITYNET,
    THUMOS,
    Protocol,
    RecallCurve,
    empty_curve,
    in_frames,
    recall_curve,
)
from cmsn_training.evaluation.results_file import Results, ResultsFile
from cmsn_training.evaluation.tiou import Spans

DEFAULT_NUMBERS = (10.0, 50.0, 100.0, 200.0)
RECALL_NUMBER = 100.0  # the paper's figures 6 and 7
PRECISION_LIMITS = tuple(np.arange(1, 8) / 10)  # 0.1, 0.2 ... 0.7
_PROTOCOLS = (THUMOS, ACTIVITYNET)


@dataclass(frozen=True, slots=True)
class Delays:
    """by_number: N -> allowed delay in seconds -> AR@N in percent. in_proportion: the same with N places in proportion
    to the time gone by. median: seconds from the end of an action until it was first hit, over those that were hit,
    infinity where none was; share: of actions that were hit, percent.
    """

    by_number: dict[int, dict[float, float]]
    in_proportion: dict[int, dict[float, float]]
    median: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class EventsFile:
    """One file of events. records: video -> its reports."""

    path: Path
    records: Mapping[str, Sequence[Reported]]


@dataclass(frozen=True, slots=True)
class Report:
    """curves: results file -> protocol -> its curve. precision: results file -> tIoU -> mAP in percent, of those files
    that name classes of the truth.
    """

    curves: dict[str, dict[str, RecallCurve]]
    precision: dict[str, dict[float, float]]

    def draw(self, folder: Path) -> None:
        """Two pictures per protocol. Raises MissingExtraError and SettingsError."""
        from cmsn_training.evaluation.pictures import draw_average_recall, draw_recall

        for protocol in _PROTOCOLS:
            curves = {name: mine[protocol.name] for name, mine in self.curves.items()}
            shortest = min(float(curve.numbers[-1]) for curve in curves.values())
            draw_average_recall(curves, folder / f"ar-an-{protocol.name}.png")
            draw_recall(curves, folder / f"recall-{protocol.name}.png", number=min(RECALL_NUMBER, shortest))


def measure(
    files: Mapping[str, ResultsFile],
    truth: Truth,
    *,
    rates: Path | None,
    fps: float,
    note: Callable[[str], object] = lambda line: None,
) -> Report:
    """Curves of each results file under both protocols, and mAP. Raises AnnotationError and SettingsError.

    files: by the name that tables and curves show for each. rates: frames per second of each video, for the protocol
    that counts frames; by default `fps` for all. note: is called with each line about videos without a match.
    """
    segments = truth.segments()
    known = _rates(rates, segments, fps)
    report = Report({}, {})
    for name, file in files.items():
        names = match_names(file.results.proposals, truth, file.path, note=note)
        mine = names.of_truth(file.results.proposals)
        report.curves[name] = {p.name: _curve(mine, segments, p, known) for p in _PROTOCOLS}
        precision = _precision(file.results, names, truth)
        if precision:
            report.precision[name] = precision
    return report


def delays_of(
    events: EventsFile, truth: Truth, numbers: Sequence[float], *, note: Callable[[str], object] = lambda line: None
) -> Delays:
    """Recall against delay of an event stream; numbers are rounded up to whole proposals per video.

    Raises SettingsError.
    """
    segments = truth.segments()
    records = match_names(events.records, truth, events.path, note=note).of_truth(events.records)
    hits = np.array(first_hits(records, segments))
    reached = hits[np.isfinite(hits)]
    whole = sorted({math.ceil(number) for number in numbers})
    lengths = stream_lengths(records, segments, {name: video.duration for name, video in truth.videos.items()})
    return Delays(
        recall_by_delay(records, segments, numbers=whole),
        recall_by_delay(records, segments, numbers=whole, lengths=lengths),
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
            **_by_delay(delays.by_number),
            "in_proportion": _by_delay(delays.in_proportion),
            "median_seconds_to_first_hit": _rounded(delays.median),
            "percent_ever_hit": _rounded(delays.share),
        }
    return content


def _by_delay(by_number: Mapping[int, Mapping[float, float]]) -> dict[str, dict[str, float | None]]:
    return {f"AR@{n}": {delay_name(d): _rounded(v) for d, v in row.items()} for n, row in by_number.items()}


def delay_name(delay: float) -> str:
    """The heading of an allowed delay."""
    return "final" if math.isinf(delay) else f"{delay:g} s"


def _rates(path: Path | None, videos: Iterable[str], fps: float) -> dict[str, float]:
    """Video -> frames per second; those without one are left out; `in_frames` reports them."""
    if path is None:
        return dict.fromkeys(videos, fps)
    rates = ByName(read_rates(path))
    found = {name: rates.get(name) for name in videos}
    return {name: float(rate) for name, rate in found.items() if rate is not None}


def _curve(
    found: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol, rates: Mapping[str, float]
) -> RecallCurve:
    if not any(len(spans) for spans in found.values()) and any(len(segments) for segments in truth.values()):
        return empty_curve(protocol)
    if protocol.inclusive:
        found, truth = in_frames(found, rates), in_frames(truth, rates)
    return recall_curve(found, truth, protocol)


def _precision(found: Results, names: Names, truth: Truth) -> dict[float, float]:
    """tIoU -> mAP in percent; empty where no label is one of the truth's.

    Detections in videos that the truth lacks count as wrong, as in THUMOS14's own evaluation.
    """
    labels = {one.label for video in truth.whole.values() for one in video.annotations}
    if not labels & set(found.detections):
        return {}
    detections = {
        label: {**names.of_truth(mine), **{name: mine[name] for name in names.strange if name in mine}}
        for label, mine in found.detections.items()
    }
    means = mean_average_precision(detections, truth.whole, thresholds=PRECISION_LIMITS)
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
