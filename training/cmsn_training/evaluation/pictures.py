"""Figures 6 to 9 of the paper: recall against tIoU, and average recall against the number of proposals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.files import written_to
from cmsn_runtime.text import printable
from cmsn_training.evaluation.protocols import RecallCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Distinguishable for colour-blind readers too (Okabe and Ito's palette), and, in print, by the line styles.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333")
_LINES = ("-", "--", "-.", ":")


def draw_average_recall(curves: Mapping[str, RecallCurve], path: Path) -> None:
    """AR against the average number of proposals (Figures 8 and 9): one line per results file, its area in the legend.

    Raises MissingExtraError, and SettingsError where it cannot be written.
    """
    figure, axes = _axes("average number of proposals per video", "average recall, %")
    for curve, colour, line in zip(curves.values(), cycle(_COLOURS), cycle(_LINES), strict=False):
        axes.plot(curve.numbers, 100 * curve.average, line, color=colour, linewidth=1.8)
    axes.set_xlim(left=0)
    axes.set_ylim(0, _top(max(100 * float(curve.average.max()) for curve in curves.values())))
    names = [f"{name} (area {curve.area:.1f})" for name, curve in curves.items()]
    _finish(figure, axes, path, title=f"AR-AN, protocol {_protocol(curves)}", names=names)


def draw_recall(curves: Mapping[str, RecallCurve], path: Path, *, number: float) -> None:
    """Recall@AN against tIoU (Figures 6 and 7). Raises as `draw_average_recall`."""
    figure, axes = _axes("tIoU", f"recall at {number:.4g} proposals per video, %")
    highest = 0.0
    for curve, colour, line in zip(curves.values(), cycle(_COLOURS), cycle(_LINES), strict=False):
        values = curve.recall_at(number)
        highest = max(highest, float(values.max()))
        points = curve.protocol.thresholds
        axes.plot(points, values, line, color=colour, linewidth=1.8, marker="o", markersize=4)
    axes.set_ylim(0, _top(highest))
    _finish(figure, axes, path, title=f"Recall@AN={number:.4g}, protocol {_protocol(curves)}", names=list(curves))


def _protocol(curves: Mapping[str, RecallCurve]) -> str:
    return next(iter(curves.values())).protocol.name


def _top(highest: float) -> float:
    """The end of the axis: the next multiple of ten above the highest point, so that low curves fill the picture."""
    return min(100.0, 10.0 * (highest // 10 + 1))


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing curves") from error
    figure = Figure(figsize=(6.4, 4.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _finish(figure: Figure, axes: Axes, path: Path, *, title: str, names: Sequence[str]) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    # Names of files come last: in a label "$" begins a formula, and a leading "_" hides the line.
    legend = axes.legend(axes.lines, map(str, range(len(names))), loc="best", frameon=False, handlelength=3)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(printable(name))
    with written_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
