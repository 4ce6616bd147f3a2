"""Pictures of the page. Each knows the figures that it was drawn from, so that a test sees one that is out of date."""

from __future__ import annotations

import hashlib
import json
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmsn_benchmarks.growth.series import Part, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of Okabe and Ito, told apart with any colour vision; markers differ as well.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_MARKERS = ("o", "s", "^", "D")
_WIDTH, _HEIGHT, _DPI = 9.0, 4.2, 100  # 900 pixels


def fingerprint(part: Part) -> str:
    """Of the figures of a part; it is in the picture's metadata under `Source`."""
    return hashlib.sha256(json.dumps(asdict(part), sort_keys=True).encode()).hexdigest()


def draw_growth(part: Part, path: Path) -> None:
    """Costs beyond the base by size, on log-log axes: medians with their spread, and the fitted lines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    units = list(dict.fromkeys(series.unit for series in part.series))
    picture = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots(1, len(units), squeeze=False)[0]
    for number, series in enumerate(part.series):
        _draw(axes[units.index(series.unit)], part, series, number)
    for place, unit in zip(axes, units, strict=True):
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set_xticks(_ticks(part), [f"{size:g}" for size in _ticks(part)])
        place.minorticks_off()
        place.set_xlabel(part.size)
        place.set_ylabel(unit)
        place.grid(alpha=0.3)
        place.legend(fontsize=9)
    picture.savefig(path, dpi=_DPI, metadata={"Source": fingerprint(part), "Software": None})


def _draw(axes: Axes, part: Part, series: Series, number: int) -> None:
    """One series. Where the base is above half of the least cost, it is taken off: the rest is what grows."""
    growth = series.growth
    sizes = np.array(part.sizes[-len(series.values) :])
    shown = sizes >= min(_ticks(part))
    values = np.array(series.values)[shown]
    sizes = sizes[shown]
    medians = np.array([statistics.median(row) for row in values.tolist()])
    base = growth.base
    taken = np.maximum(values - base, 1e-3 * medians[:, None])
    middle = np.median(taken, axis=1)
    spread = np.stack((middle - taken.min(axis=1), taken.max(axis=1) - middle))
    colour = _COLOURS[number % len(_COLOURS)]
    beyond = " beyond the base" if base else ""
    label = f"{series.name}{beyond}: exponent {growth.exponent:.2f}"
    marker = _MARKERS[number % len(_MARKERS)]
    axes.errorbar(sizes, middle, yerr=spread, fmt=marker, color=colour, markersize=5, capsize=3, label=label)
    line = np.geomspace(sizes.min(), sizes.max(), 50)
    axes.plot(line, growth.rate * line**growth.exponent, color=colour, linewidth=1.2)
    if series.slope is not None:
        axes.set_ylim(medians.min() / 2, medians.max() * 2)


def _ticks(part: Part) -> list[float]:
    """Sizes on the axis: not that of the start, which lies far to the left."""
    return [size for size in part.sizes if size > part.sizes[-1] / 500]
