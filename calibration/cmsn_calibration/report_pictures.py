"""Pictures of a calibration: which layers cost most, and recall against delay."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_calibration.choosing import LayerRange
from cmsn_runtime.errors import MissingExtraError
from cmsn_runtime.files import written_to

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INT8, _FLOAT = "#0072b2", "#999999"  # of Okabe and Ito's palette, distinguishable for colour-blind readers


def draw_layers(ranges: Sequence[LayerRange], floats: Collection[str], path: Path) -> None:
    """Signal-to-noise of the features with one layer in INT8, the worst on top.

    Raises MissingExtraError, OutputError.
    """
    figure, axes = _axes(height=0.35 * len(ranges) + 1.2)
    ordered = sorted(ranges, key=lambda item: -item.signal_to_noise)
    shown = [item.signal_to_noise if math.isfinite(item.signal_to_noise) else 0.0 for item in ordered]
    colours = [_FLOAT if item.layer in floats else _INT8 for item in ordered]
    axes.barh([item.layer for item in ordered], shown, color=colours)
    axes.set_xlabel(
        "signal-to-noise of the features with this layer alone in INT8, dB" + (" (grey: stays float)" if floats else "")
    )
    _save(figure, path)


def draw_delays(found: Mapping[float, float], expected: Mapping[float, float], path: Path) -> None:
    """AR@N against the allowed delay. Raises as `draw_layers`."""
    figure, axes = _axes(height=3.6)
    for curve, name, colour, line in ((expected, "FP32", _FLOAT, "-"), (found, "INT8", _INT8, "--")):
        delays = [delay for delay in curve if math.isfinite(delay)]
        axes.plot(delays, [curve[delay] for delay in delays], line, color=colour, marker="o", markersize=4, label=name)
    axes.set_xlabel("seconds after the end of an action")
    axes.set_ylabel("average recall, %")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _save(figure, path)


def _axes(*, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "the pictures of a report") from error
    figure = NewFigure(figsize=(7.0, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    with written_to(path):
        figure.savefig(path, dpi=110)
