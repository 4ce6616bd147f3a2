"""The figures of two reports in pairs, with their ratio and whether it is more than noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cmsn_benchmarks.device.backend_names import taken_name
from cmsn_benchmarks.device.comparing.noise import Interval, Times, ratio_interval
from cmsn_benchmarks.device.figures import BackendFigures, BenchReport
from cmsn_benchmarks.device.named_figures import (
    CAMERAS,
    FIRST_RESULT,
    MEMORY,
    MULTI_STREAM,
    ROOFLINE_SHARE,
    SINGLE_STREAM,
    NamedFigure,
    part_figures,
)

# single: one value per run, so that nothing shows its noise.
Verdict = Literal["better", "worse", "noise", "too few", "single"]

_COMPARED = (
    *SINGLE_STREAM,
    *part_figures(),
    *MULTI_STREAM,
    CAMERAS,
    *(figure for figure in FIRST_RESULT if figure.name),
    *(figure for figure in MEMORY if figure.name),
    ROOFLINE_SHARE,
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two runs. ratio: of the second to the first; None where the first is 0."""

    figure: NamedFigure
    first: float
    second: float
    ratio: float | None
    interval: Interval | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Pair:
    """A backend of the first report, and that of the second that it is compared with."""

    first: BackendFigures
    second: BackendFigures


def pairs(first: BenchReport, second: BenchReport) -> list[Pair]:
    """Backends of the same name: as asked for, or as it turned out; the only ones of two reports whatever they are."""
    if len(first.backends) == len(second.backends) == 1:
        return [Pair(first.backends[0], second.backends[0])]
    found = []
    left = list(second.backends)
    for each in first.backends:
        same = next((other for other in left if other.asked == each.asked), None)
        same = same or next((other for other in left if taken_name(other) == taken_name(each)), None)
        if same is not None:
            left.remove(same)
            found.append(Pair(each, same))
    return found


def differences(pair: Pair) -> Iterator[Difference]:
    """All figures that both have."""
    for figure in _COMPARED:
        first, second = figure.of(pair.first), figure.of(pair.second)
        if first is not None and second is not None:
            yield _difference(pair, figure, first, second)


def _difference(pair: Pair, figure: NamedFigure, first: float, second: float) -> Difference:
    ratio = second / first if first else None
    if figure.scenario is None or ratio is None:
        return Difference(figure, first, second, ratio, None, "single")
    interval = _interval(pair, figure)
    if interval is None:
        return Difference(figure, first, second, ratio, None, "too few")
    return Difference(figure, first, second, ratio, interval, _verdict(figure, ratio, interval))


def _verdict(figure: NamedFigure, ratio: float, interval: Interval) -> Verdict:
    if interval.is_noise:
        return "noise"
    return "better" if (ratio < 1) == (figure.better == "lower") else "worse"


def _interval(pair: Pair, figure: NamedFigure) -> Interval | None:
    """Of a figure that the queries of a scenario give: a percentile, or frames per second, the inverse of the mean."""
    times = [_times(each, figure) for each in (pair.first, pair.second)]
    if figure.name == "fps":
        return ratio_interval(times[1], times[0], percent=None)
    return ratio_interval(times[0], times[1], percent=float(figure.name.removeprefix("p")))


def _times(backend: BackendFigures, figure: NamedFigure) -> Times:
    scenario = backend.single_stream if figure.scenario == "single" else backend.multi_stream
    return np.array([query.taken for query in scenario.queries] if scenario is not None else [], np.float64)
