"""What cameras cost by their number: CPU of all processes, at the cameras' own pace, and how late results are."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from cmsn_benchmarks.device.fleet_load import Load, measured, resize, running
from cmsn_benchmarks.growth.fitting import fit_growth
from cmsn_benchmarks.growth.series import Part, Series, by_size
from cmsn_runtime.bundle import open_bundle

COUNTS = (1, 2, 4, 8, 16, 32)
MOST = 1.05
_SETTLING_SECONDS = 2.0  # after cameras have come or gone


def measure_cameras(video: Path, *, counts: Sequence[int] = COUNTS, rounds: int, seconds: float) -> Part:
    """A fleet that grows through the counts and shrinks again, so that what changes with time favours no count.

    A fleet, not only streams: a camera costs its capture process and the hand-over as well. video: what every camera
    plays; longer than all rounds. seconds: of each count per round.
    """
    turns = []
    with open_bundle("demo", threads=1) as bundle, running(bundle) as fleet:
        for number in range(rounds):
            order = sorted(counts, reverse=number % 2 == 1)
            loads = {}
            for count in order:
                resize(fleet, count, str(video))
                time.sleep(_SETTLING_SECONDS)
                loads[count] = measured(fleet, seconds)
            turns.append([loads[count] for count in counts])
    sizes = tuple(map(float, counts))
    costs = {"CPU": [[load.cores for load in turn] for turn in turns]}
    costs["CPU without capture"] = [[load.cores_of_model for load in turn] for turn in turns]
    series = [
        Series(name=name, unit="CPU seconds per second", values=values, growth=fit_growth(sizes, values), most=MOST)
        for name, values in ((name, by_size(rows)) for name, rows in costs.items())
    ]
    return Part(size="cameras", sizes=sizes, series=tuple(series), beside=_beside(turns))


def _beside(turns: Sequence[Sequence[Load]]) -> dict[str, tuple[float, ...]]:
    """Medians over the rounds; of what was left out, the sum."""
    columns = list(zip(*turns, strict=True))
    return {
        "CPU seconds per camera-second": tuple(
            statistics.median(load.cores / load.cameras for load in column) for column in columns
        ),
        "frames per second of a camera": tuple(
            statistics.median(load.frames_per_second for load in column) for column in columns
        ),
        "99th percentile of the lag, at most, s": tuple(
            statistics.median(load.lag_p99 for load in column) for column in columns
        ),
        "overloads": (float(sum(load.overloads for column in columns for load in column)),),
    }
