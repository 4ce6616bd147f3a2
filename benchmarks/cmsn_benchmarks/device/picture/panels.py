"""The panels of the picture: each draws one aspect of all backends into its axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from cmsn_benchmarks.device.backend_names import named
from cmsn_benchmarks.device.figures import CameraLoad
from cmsn_benchmarks.device.parts import PARTS
from cmsn_benchmarks.device.picture.style import (
    FONT_SIZE,
    PART_COLOURS,
    TEXT_COLOUR,
    Backends,
    backend_colour,
    dress,
    plain_log_ticks,
)
from cmsn_benchmarks.device.wording import significant
from cmsn_runtime.live.status import LAG_BOUNDS
from cmsn_runtime.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 90
_MARKS: dict[str, Literal["-", "--", ":"]] = {"p50": "-", "p90": "--", "p99": ":"}
_LEAST_LABELLED = 0.1  # of the longest bar, which its percentage needs
_BEYOND = 2000 * LAG_BOUNDS[-1]  # milliseconds: where a delay is drawn that was beyond the last bound


def histogram(axes: Axes, backends: Backends) -> None:
    """How often each latency of a hop occurred: a row for each backend, on one logarithmic axis."""
    found = [(index, each.single_stream) for index, each in enumerate(backends) if each.single_stream is not None]
    taken = [[query.taken for query in scenario.queries] for _, scenario in found]
    low, high = min(map(min, taken)), max(map(max, taken))
    edges = np.geomspace(low / 1.05, high * 1.05, _BINS + 1)
    for row, ((index, scenario), times) in enumerate(zip(found, taken, strict=True)):
        base, colour = float(len(found) - 1 - row), backend_colour(index)
        counts, _ = np.histogram(times, edges)
        axes.stairs(base + 0.6 * counts / counts.max(), edges, baseline=base, fill=True, color=colour, alpha=0.6)
        for name, line in _MARKS.items():
            axes.vlines(getattr(scenario.latency, name), base, base + 0.65, TEXT_COLOUR, line, linewidth=1.2)
        values = "   ".join(f"{name} {significant(getattr(scenario.latency, name))}" for name in _MARKS)
        axes.text(0.01, base + 0.78, values, transform=axes.get_yaxis_transform(), va="center", color=TEXT_COLOUR)
    axes.set_xscale("log")
    plain_log_ticks(axes.xaxis)
    axes.set_ylim(-0.05, len(found))
    dress(axes, "Latency of a hop, one camera (- p50, -- p90, ··· p99)", "milliseconds")
    axes.set_yticks([])


def over_time(axes: Axes, backends: Backends) -> None:
    """Each hop at its time in the run: throttling is a slope, a hiccup a point far above."""
    for index, each in enumerate(backends):
        if each.single_stream is not None:
            queries = each.single_stream.queries
            at, taken = [query.at for query in queries], [query.taken for query in queries]
            axes.scatter(at, taken, s=5, color=backend_colour(index), alpha=0.5, linewidths=0, rasterized=True)
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    dress(axes, "The same over the time of the run", "seconds", "milliseconds")


def parts(axes: Axes, backends: Backends) -> None:
    """The mean of each part of a hop, one bar for each backend."""
    found = [(named(each), each.single_stream) for each in backends if each.single_stream is not None]
    names = [part for part in PARTS if any(part in scenario.parts for _, scenario in found)]
    heights, left = np.arange(len(found))[::-1], np.zeros(len(found))
    longest = max(sum(part.mean for part in scenario.parts.values()) for _, scenario in found)
    for part in names:
        means = np.array([scenario.parts[part].mean if part in scenario.parts else 0.0 for _, scenario in found])
        axes.barh(heights, means, 0.6, left, color=PART_COLOURS[PARTS.index(part)], label=part)
        for height, mean, begun, (_, scenario) in zip(heights, means, left, found, strict=True):
            if mean > _LEAST_LABELLED * longest:
                share = f"{100 * mean / scenario.latency.mean:.0f} %"
                axes.text(begun + mean / 2, height, share, ha="center", va="center", color=TEXT_COLOUR)
        left += means
    dress(axes, "Where the time of a hop goes, mean", "milliseconds")
    axes.set_yticks(heights, [printable(name) for name, _ in found], parse_math=False)
    axes.grid(visible=False, axis="y")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.22), frameon=False, fontsize=FONT_SIZE)


def cameras(axes: Axes, backends: Backends) -> None:
    """Delay against the number of live cameras: filled where they kept up, hollow where they did not."""
    from matplotlib.ticker import MaxNLocator

    limits = set()
    for index, each in enumerate(backends):
        if each.sustained is not None:
            loads = sorted(each.sustained.loads, key=lambda load: load.cameras)
            limits.add(each.sustained.limit)
            colour = backend_colour(index)
            counts, delays = [load.cameras for load in loads], [_delay(load) for load in loads]
            axes.plot(counts, delays, color=colour, linewidth=1.2, alpha=0.7)
            fills = [colour if load.fits else "white" for load in loads]
            axes.scatter(counts, delays, s=40, color=fills, edgecolors=colour, zorder=3, clip_on=False)
    for limit in limits:
        axes.axhline(limit, color=TEXT_COLOUR, linestyle="--", linewidth=1)
        axes.text(0.01, limit * 1.06, f"limit {limit:g} ms", transform=axes.get_yaxis_transform(), va="bottom")
    axes.set_yscale("log")
    plain_log_ticks(axes.yaxis)
    axes.set_ylim(top=_BEYOND)
    dress(
        axes, "Live cameras (hollow: too many; at the top: over 5 s)", "cameras", "p99 of frame-to-event, at most, ms"
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _delay(load: CameraLoad) -> float:
    """Milliseconds as drawn."""
    bound = load.frame_to_event.get("p99", math.nan)
    return _BEYOND if bound is None else bound
