"""What proposing costs by the number of candidates of a hop: candidates, pre-scores, RoI rows and Soft-NMS."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cmsn_benchmarks.growth.fitting import fit_growth
from cmsn_benchmarks.growth.series import Part, Series, by_size
from cmsn_benchmarks.speed.postprocessing import STEPS, probabilities_of
from cmsn_runtime.proposing import pipeline
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.stages import Stage

REACHES = (2, 4, 6, 8, 12, 16, 20, 24)  # the last is postprocessing.ordered_window, which has the most candidates
_SETTINGS = {
    "the defaults": ProposalSettings(),
    "100 kept per action": ProposalSettings(min_score=0.0),
}


def window_of(reach: int, *, actions: int = 2, steps: int = STEPS) -> npt.NDArray[np.int8]:
    """Stages int8 [steps] of actions that have `reach` starts and as many ends each, the rest Background."""
    ready, start = reach // 2, reach // 4
    confirm = 2 * (reach - ready - start)
    # The halves of Confirm are starts and ends too.
    parts = {Stage.READY: ready, Stage.START: start, Stage.CONFIRM: confirm, Stage.END: start, Stage.FOLLOW: ready}
    action = np.repeat(list(parts), list(parts.values()))
    stages = np.full(steps, Stage.BACKGROUND, np.int8)
    stages[: actions * len(action)] = np.tile(action, actions)
    return stages


def hop_of(probabilities: npt.NDArray[np.float32], settings: ProposalSettings) -> Callable[[], int]:
    """Propose and rank, with evaluation scores that are given; returns the number of candidates."""
    count = len(pipeline.propose(probabilities, frontier=0, settings=settings))
    scores = np.random.default_rng(0).random(count).astype(np.float32)

    def hop() -> int:
        found = pipeline.propose(probabilities, frontier=0, settings=settings)
        pipeline.rank(found, scores, settings)
        return count

    return hop


def milliseconds(action: Callable[[], object], seconds: float) -> float:
    """CPU time of one call, the mean over about so long: other load on the machine hardly matters to it."""
    calls, begin = 0, time.process_time()
    while (passed := time.process_time() - begin) < seconds or not calls:
        action()
        calls += 1
    return 1000 * passed / calls


def measure_proposals(*, rounds: int, seconds: float) -> Part:
    """Windows of 96 steps with two actions, from a few candidates to the most. seconds: of each size per round."""
    pipeline.warm_up_kernels()
    windows = [probabilities_of(window_of(reach)) for reach in REACHES]
    hops = {name: [hop_of(window, settings) for window in windows] for name, settings in _SETTINGS.items()}
    turns = [{name: [milliseconds(hop, seconds) for hop in each] for name, each in hops.items()} for _ in range(rounds)]
    sizes = tuple(float(hop()) for hop in hops["the defaults"])
    series = []
    for name in hops:
        values = by_size([turn[name] for turn in turns])
        series.append(
            Series(name=f"per hop, {name}", unit="ms of CPU", values=values, growth=fit_growth(sizes, values))
        )
    return Part(size="candidates of a hop", sizes=sizes, series=tuple(series), beside={})
