"""Draws rooflines: operations per byte against operations per second, the ceilings, each network as a point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.figures import BackendFigures, BenchReport, Ceilings, Limit
from cmsn_benchmarks.device.roofline import WHOLE
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.extras import require_library
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Of Okabe and Ito, which those who do not see all colours can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = {"extractor": "o", "stages": "s", "evaluator": "^", WHOLE: "*"}
_TEXT, _FAINT = "#222222", "#666666"
_MARGIN = 2.5  # times the outermost values


def draw_roofline(report: BenchReport, path: Path) -> None:
    """Write the picture of every backend that has a roofline as PNG. Needs matplotlib (none of its global state).

    Raises MissingExtraError without it, SettingsError where no backend has a roofline.
    """
    require_library("matplotlib", extra="bench", purpose="a picture of the roofline")
    from matplotlib.figure import Figure

    drawn = [each for each in report.backends if each.roofline is not None]
    if not drawn:
        raise SettingsError("no backend of this report has a roofline, so there is nothing to draw; see its notes")
    figure = Figure(figsize=(9.5, 6.2), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.set(xscale="log", yscale="log")
    axes.set_xlim(*_limits([_intensity(each) for _, each in _networks(drawn)], low=_MARGIN, high=4 * _MARGIN))
    axes.set_ylim(*_limits([_speed(each) for _, each in _networks(drawn)] + _heights(drawn), low=_MARGIN, high=2.0))
    for number, each in enumerate(drawn):
        _draw_backend(axes, each, _COLOURS[number % len(_COLOURS)])
    axes.set_xlabel("operations per byte moved", color=_FAINT)
    axes.set_ylabel("operations per second", color=_FAINT)
    axes.set_title(
        f"Roofline of {printable(report.bundle.name)}: share of the limit in percent",
        loc="left",
        color=_TEXT,
        weight="bold",
        parse_math=False,
    )
    axes.grid(color="#E8E8E8", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(handles=_legend(drawn), frameon=False, fontsize=9, loc="lower right")
    figure.savefig(path, format="png")


def _draw_backend(axes: Axes, figures: BackendFigures, colour: str) -> None:
    assert figures.roofline is not None
    ceilings = figures.roofline.ceilings
    low, high = axes.get_xlim()
    for precision, ceiling in ceilings.products.items():
        height = ceiling.operations_per_second
        ridge = height / ceilings.bytes_per_second
        axes.plot(
            [min(low, ridge), ridge, max(high, ridge)],
            [ceilings.bytes_per_second * min(low, ridge), height, height],
            color=colour,
            linewidth=1.2,
            alpha=0.7,
        )
        label = f"{precision.upper()} {height / 1e9:.3g} Gop/s ({ceiling.by})"
        axes.text(high, height * 1.04, label, ha="right", va="bottom", color=colour, fontsize=8)
    for name, each in figures.roofline.networks.items():
        axes.plot(
            _intensity(each),
            _speed(each),
            marker=_MARKERS[name],
            markersize=13 if name == WHOLE else 8,
            color=colour,
            markeredgecolor="white",
        )
        axes.annotate(
            f"{100 * each.share:.0f}",
            (_intensity(each), _speed(each)),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=8,
        )


def _legend(drawn: list[BackendFigures]) -> list[object]:
    from matplotlib.lines import Line2D

    backends = [
        Line2D([], [], color=_COLOURS[number % len(_COLOURS)], label=f"{named(each)}, {_copy(each)}")
        for number, each in enumerate(drawn)
    ]
    present = {name for name, _ in _networks(drawn)}
    shapes = [
        Line2D([], [], color=_FAINT, marker=marker, linestyle="", label=name)
        for name, marker in _MARKERS.items()
        if name in present
    ]
    return [*backends, *shapes]


def _copy(figures: BackendFigures) -> str:
    assert figures.roofline is not None
    return f"copy {figures.roofline.ceilings.bytes_per_second / 1e9:.3g} GB/s"


def _networks(drawn: list[BackendFigures]) -> Iterator[tuple[str, Limit]]:
    for each in drawn:
        if each.roofline is not None:
            yield from each.roofline.networks.items()


def _heights(drawn: list[BackendFigures]) -> list[float]:
    ceilings: list[Ceilings] = [each.roofline.ceilings for each in drawn if each.roofline is not None]
    return [product.operations_per_second for each in ceilings for product in each.products.values()]


def _intensity(limit: Limit) -> float:
    return sum(limit.operations.values()) / limit.nbytes


def _speed(limit: Limit) -> float:
    return sum(limit.operations.values()) / limit.seconds


def _limits(values: list[float], *, low: float, high: float) -> tuple[float, float]:
    return min(values) / low, max(values) * high
