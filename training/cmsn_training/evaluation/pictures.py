"""Figures 6 to 9 of the paper: recall against tIoU, and average recall against the number of proposals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cmsn_runtime.errors import MissingExtraError
from cmsn_training.evaluation.protocols import RecallCurve

_COLOURS = ("#3b6fb6", "#d1495b", "#2e8b57", "#8e5ea2", "#c98a1b", "#555555")  # told apart by colour-blind eyes too


def draw_average_recall(curves: Mapping[str, RecallCurve], path: Path) -> None:
    """AR against the average number of proposals (Figures 8 and 9): one line a results file, its area in the legend."""
    figure, axes = _axes("average number of proposals a video", "average recall, %")
    for (name, curve), colour in zip(curves.items(), _cycled(len(curves)), strict=True):
        label = f"{name} (area {curve.area:.1f})"
        axes.plot(curve.numbers, 100 * curve.average, color=colour, linewidth=2, label=label)
    axes.set_xlim(left=0)
    protocol = next(iter(curves.values())).protocol
    _finish(figure, axes, path, title=f"AR-AN, protocol {protocol.name}", place="lower right")


def draw_recall(curves: Mapping[str, RecallCurve], path: Path, *, number: float) -> None:
    """Recall@AN against tIoU (Figures 6 and 7)."""
    figure, axes = _axes("tIoU", f"recall at {number:g} proposals a video, %")
    for (name, curve), colour in zip(curves.items(), _cycled(len(curves)), strict=True):
        values = curve.recall_at(number)
        axes.plot(curve.protocol.thresholds, values, color=colour, linewidth=2, marker="o", markersize=4, label=name)
    protocol = next(iter(curves.values())).protocol
    _finish(figure, axes, path, title=f"Recall@{number:g}, protocol {protocol.name}", place="upper right")


def _cycled(count: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(count)]


def _axes(x: str, y: str):  # type: ignore[no-untyped-def]
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing curves") from error
    figure = Figure(figsize=(6.4, 4.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_ylim(0, 100)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _finish(figure, axes, path: Path, *, title: str, place: str) -> None:  # type: ignore[no-untyped-def]
    axes.set_title(title, loc="left", fontsize=11)
    axes.legend(loc=place, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
