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

# Of Okabe and Ito's palette, distinguishable for colour-blind readers.
_INT8, _FLOAT, _INPUT = "#0072b2", "#999999", "#e69f00"
_COLOURS = ("#999999", "#009e73", "#cc79a7", "#0072b2", "#d55e00")


def draw_layers(ranges: Sequence[LayerRange], noise: Mapping[str, float], floats: Collection[str], path: Path) -> None:
    """Signal-to-noise by layer: of the features with this layer alone in INT8, the worst on top, and of what it reads.

    noise: of what a layer reads in the network as it was written, in dB. A value that is not finite is said in words.
    Raises MissingExtraError, OutputError.
    """
    from matplotlib.patches import Patch

    figure, axes = _axes(height=0.45 * len(ranges) + 1.4)
    ordered = sorted(ranges, key=lambda item: -item.signal_to_noise)
    places = range(len(ordered))
    colours = [_FLOAT if item.layer in floats else _INT8 for item in ordered]
    _bars(axes, [place + 0.2 for place in places], [item.signal_to_noise for item in ordered], colours)
    _bars(axes, [place - 0.2 for place in places], [noise[item.layer] for item in ordered], [_INPUT] * len(ordered))
    axes.set_yticks(list(places), [item.layer for item in ordered])
    axes.set_xlabel("signal-to-noise, dB")
    shown = [(_INT8, "features, it alone in INT8"), (_INPUT, "what it reads, as written")]
    if floats:
        shown.insert(1, (_FLOAT, "the same, stays float"))
    handles = [Patch(color=colour, label=text) for colour, text in shown]
    figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=len(shown))
    _save(figure, path)


def draw_delays(curves: Mapping[str, Mapping[float, float]], path: Path) -> None:
    """AR@10 of each precision against the allowed delay in seconds. Raises as `draw_layers`."""
    figure, axes = _axes(height=3.6)
    for index, (name, curve) in enumerate(curves.items()):
        delays = [delay for delay in curve if math.isfinite(delay)]
        line = "-" if index == 0 else "--"
        values = [curve[delay] for delay in delays]
        axes.plot(delays, values, line, color=_COLOURS[index % len(_COLOURS)], marker="o", markersize=4, label=name)
    axes.set_xlabel("seconds after the end of an action")
    axes.set_ylabel("AR@10, %")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _save(figure, path)


def _bars(axes: Axes, places: Sequence[float], values: Sequence[float], colours: Sequence[str]) -> None:
    finite = [value if math.isfinite(value) else 0.0 for value in values]
    axes.barh(places, finite, height=0.38, color=colours)
    for place, value in zip(places, values, strict=True):
        if not math.isfinite(value):
            text = " exact" if value > 0 else " not finite"
            axes.text(0, place, text, va="center", fontsize=8)


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
