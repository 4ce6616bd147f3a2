"""How far a ratio of two runs may be off by the noise within them.

A moving-block bootstrap (Künsch, 1989): both runs are drawn anew, in blocks of consecutive queries, and the statistic
of each is taken; the middle 95 % of the ratios are the interval. Blocks, since queries that follow one another share
the machine's clock, heat and load: drawn one by one, or counted by order statistics, which assume that they are
independent, the interval would be too narrow. A percentile of which fewer than MOST_EXTREME queries lie beyond depends
on a handful of hiccups, and no resampling shows how rare those are: it gets no interval.

What differs between two starts of a process on one machine (addresses, caches, heat) is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Times: TypeAlias = npt.NDArray[np.float64]
# [draws, queries] -> [draws]
Statistic: TypeAlias = Callable[[Times], Times]

DRAWS = 1000
LEVEL = 95.0
MOST_EXTREME = 5
_FEWEST = 20  # queries of a run
_AT_ONCE = 2_000_000  # values drawn at a time, which bounds the memory


@dataclass(frozen=True, slots=True)
class Interval:
    """Of a ratio; with 1 inside, the noise within the runs alone may explain it."""

    low: float
    high: float

    @property
    def is_noise(self) -> bool:
        """Whether equal runs are possible."""
        return self.low <= 1.0 <= self.high


def ratio_interval(first: Times, second: Times, *, percent: float | None) -> Interval | None:
    """The interval of second / first, of a percentile of latencies, or of their mean where percent is None.

    first, second: [queries] in the order in which they were measured. None where there are too few to say.
    """
    fewest = _FEWEST if percent is None else max(_FEWEST, MOST_EXTREME / (1 - percent / 100))
    if min(len(first), len(second)) < fewest - 1e-9:
        return None
    statistic = _mean if percent is None else _percentile(percent)
    random = np.random.default_rng(0)  # the same files give the same interval
    ratios = _drawn(second, statistic, random) / _drawn(first, statistic, random)
    low, high = np.percentile(ratios, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(float(low), float(high))


def _drawn(times: Times, statistic: Statistic, random: np.random.Generator) -> Times:
    """[DRAWS]: the statistic of runs put together from blocks of this one."""
    count = len(times)
    length = block_length(count)
    blocks = -(-count // length)
    circle = np.concatenate([times, times[: length - 1]])  # so that the first and the last are drawn as often
    at_once = max(_AT_ONCE // count, 1)
    found = []
    for begun in range(0, DRAWS, at_once):
        starts = random.integers(count, size=(min(at_once, DRAWS - begun), blocks, 1))
        rows = circle[(starts + np.arange(length)).reshape(len(starts), -1)[:, :count]]
        found.append(statistic(rows))
    return np.concatenate(found)


def block_length(count: int) -> int:
    """Queries of a block: the cube root of their number, as is usual for a mean's variance."""
    return max(round(math.pow(count, 1 / 3)), 1)


def _mean(rows: Times) -> Times:
    means: Times = rows.mean(axis=1)
    return means


def _percentile(percent: float) -> Statistic:
    """The nearest rank, as in `Latency`."""

    def statistic(rows: Times) -> Times:
        rank = max(int(np.ceil(percent / 100 * rows.shape[1])), 1) - 1
        ranked: Times = np.partition(rows, rank, axis=1)[:, rank]
        return ranked

    return statistic
