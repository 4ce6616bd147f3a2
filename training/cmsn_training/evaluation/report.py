"""What `cmsn evaluate` prints, draws and writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from cmsn_runtime.errors import SettingsError
from cmsn_training.data.thumos14 import read_rates
from cmsn_training.data.truth import read_truth, segments_of
from cmsn_training.evaluation.delay import first_hits, read_events, recall_by_delay
from cmsn_training.evaluation.protocols import ACTIVITYNET, THUMOS, Protocol, RecallCurve, in_frames, recall_curve
from cmsn_training.evaluation.results_file import read_results
from cmsn_training.evaluation.tiou import Spans

DEFAULT_NUMBERS = (10.0, 50.0, 100.0, 200.0)
_DELAY_NUMBERS = (1, 5, 10)
_PICTURE_NUMBER = 100.0


@dataclass(frozen=True, slots=True)
class Delays:
    """by_number: N -> allowed delay -> AR@N in percent. median: seconds until an action was first hit; share: how many
    ever were, percent.
    """

    by_number: dict[int, dict[float, float]]
    median: float
    share: float


@dataclass(frozen=True, slots=True)
class Report:
    """curves: results file -> protocol -> its curve."""

    curves: dict[str, dict[str, RecallCurve]]

    def draw(self, folder: Path) -> None:
        """Two pictures a protocol. Raises MissingExtraError."""
        from cmsn_training.evaluation.pictures import draw_average_recall, draw_recall

        for protocol in (THUMOS, ACTIVITYNET):
            curves = {name: mine[protocol.name] for name, mine in self.curves.items()}
            shortest = min(float(curve.numbers[-1]) for curve in curves.values())
            draw_average_recall(curves, folder / f"ar-an-{protocol.name}.png")
            draw_recall(curves, folder / f"recall-{protocol.name}.png", number=min(_PICTURE_NUMBER, shortest))

    def as_json(self, numbers: Sequence[float], delays: Delays | None) -> dict[str, Any]:
        """All figures; null where a list ends before."""
        content: dict[str, Any] = {
            name: {kind: _figures(curve, numbers) for kind, curve in mine.items()} for name, mine in self.curves.items()
        }
        if delays is not None:
            content["delay"] = {
                **{f"AR@{n}": {_delay(d): round(v, 4) for d, v in row.items()} for n, row in delays.by_number.items()},
                "median_seconds_to_first_hit": _rounded(delays.median),
                "percent_ever_hit": round(delays.share, 4),
            }
        return content


def measure(results: Sequence[Path], truth: Path, *, rates: Path | None, fps: float) -> Report:
    """Curves of each results file under both protocols. Raises AnnotationError and SettingsError."""
    segments = {name: segments_of(video) for name, video in read_truth(truth).items()}
    known = dict.fromkeys(segments, fps) if rates is None else {n: float(r) for n, r in read_rates(rates).items()}
    curves: dict[str, dict[str, RecallCurve]] = {}
    for path in results:
        if path.stem in curves:
            raise SettingsError(f"two results files are called {path.stem}; they go by that name, rename one")
        found = {name: spans for name, spans in read_results(path).items() if name in segments}
        curves[path.stem] = {protocol.name: _curve(found, segments, protocol, known) for protocol in _PROTOCOLS}
    return Report(curves)


def delays_of(events: Path, truth: Path) -> Delays:
    """Recall against delay of an event stream."""
    segments = {name: segments_of(video) for name, video in read_truth(truth).items()}
    words = read_events(events)
    hits = np.array(first_hits(words, segments))
    reached = hits[np.isfinite(hits)]
    return Delays(
        {number: recall_by_delay(words, segments, number=number) for number in _DELAY_NUMBERS},
        float(np.median(reached)) if len(reached) else math.inf,
        100 * len(reached) / max(1, len(hits)),
    )


def tables(report: Report, delays: Delays | None, numbers: Sequence[float]) -> list[Table]:
    """For people: AR@AN and area under both protocols, recall at each tIoU, delays."""
    found = [_average_table(report, numbers), _recall_table(report)] if report.curves else []
    if delays is not None:
        found.append(_delay_table(delays))
    return found


_PROTOCOLS = (THUMOS, ACTIVITYNET)


def _curve(
    found: Mapping[str, Spans], truth: Mapping[str, Spans], protocol: Protocol, rates: Mapping[str, float]
) -> RecallCurve:
    if protocol.inclusive:
        found, truth = in_frames(found, rates), in_frames(truth, rates)
    return recall_curve(found, truth, protocol)


def _average_table(report: Report, numbers: Sequence[float]) -> Table:
    table = Table(title="Average recall, percent (- : the lists end before)")
    for column in ("results", "protocol", *(f"AR@{number:g}" for number in numbers), "area", "most"):
        table.add_column(column, justify="left" if column in ("results", "protocol") else "right")
    for name, mine in report.curves.items():
        for kind, curve in mine.items():
            values = [_shown(curve.average_recall_at(number)) for number in numbers]
            table.add_row(name, kind, *values, _shown(curve.area), f"{curve.numbers[-1]:.1f}")
    return table


def _recall_table(report: Report) -> Table:
    table = Table(title="Recall at each tIoU, percent, at 100 proposals a video or all there are")
    limits = THUMOS.thresholds
    for column in ("results", "protocol", *(f"{limit:.2f}" for limit in limits)):
        table.add_column(column, justify="left" if column in ("results", "protocol") else "right")
    for name, mine in report.curves.items():
        for kind, curve in mine.items():
            values = curve.recall_at(min(_PICTURE_NUMBER, float(curve.numbers[-1])))
            shown = [_shown(value) for value in values.tolist()]
            table.add_row(name, kind, *shown, *[""] * (len(limits) - len(shown)))
    return table


def _delay_table(delays: Delays) -> Table:
    median = "never" if math.isinf(delays.median) else f"{delays.median:+.2f} s after its end"
    title = f"Average recall against allowed delay, percent; {delays.share:.1f} % hit at tIoU 0.5, median {median}"
    table = Table(title=title)
    table.add_column("")
    rows = delays.by_number
    for delay in next(iter(rows.values())):
        table.add_column(_delay(delay), justify="right")
    for number, row in rows.items():
        table.add_row(f"AR@{number}", *(_shown(value) for value in row.values()))
    return table


def _figures(curve: RecallCurve, numbers: Sequence[float]) -> dict[str, Any]:
    most = min(_PICTURE_NUMBER, float(curve.numbers[-1]))
    recall = zip(curve.protocol.thresholds, curve.recall_at(most).tolist(), strict=True)
    return {
        **{f"AR@{number:g}": _rounded(curve.average_recall_at(number)) for number in numbers},
        "area": _rounded(curve.area),
        "average_number": _rounded(float(curve.numbers[-1])),
        "recall": {f"{limit:.2f}": _rounded(value) for limit, value in recall},
    }


def _delay(delay: float) -> str:
    return "final" if math.isinf(delay) else f"{delay:g} s"


def _shown(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _rounded(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
