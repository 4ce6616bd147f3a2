"""How the panels of the picture look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cmsn_benchmarks.device.figures import BackendFigures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

Backends = Sequence[BackendFigures]

TEXT_COLOUR = "#222222"
FAINT_COLOUR = "#E2E2E2"
# Okabe and Ito's, and Tol's "bright": with either, people of any colour vision tell all of them apart.
_BACKEND_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
PART_COLOURS = ("#CCBB44", "#4477AA", "#66CCEE", "#AA3377", "#228833", "#EE6677")
FONT_SIZE = 10


def backend_colour(index: int) -> str:
    """That of the backend with this index in the report, in every panel."""
    return _BACKEND_COLOURS[index % len(_BACKEND_COLOURS)]


def dress(axes: Axes, title: str, across: str, up: str = "") -> None:
    """Title, names of the axes and a faint grid."""
    axes.set_title(title, loc="left", fontsize=FONT_SIZE, weight="bold", color=TEXT_COLOUR)
    axes.set_xlabel(across, fontsize=FONT_SIZE, color=TEXT_COLOUR)
    axes.set_ylabel(up, fontsize=FONT_SIZE, color=TEXT_COLOUR)
    axes.tick_params(labelsize=FONT_SIZE, colors=TEXT_COLOUR)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=FAINT_COLOUR, linewidth=0.6)
    axes.set_axisbelow(True)


def plain_log_ticks(axis: Axis) -> None:
    """1, 2, 5, 10 ... as plain numbers: a latency rarely spans several powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
