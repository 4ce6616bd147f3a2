"""How the absolute values of a tensor are distributed, counted as they stream by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 2048

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """counts: int64 [2048], values in equal bins from 0 to `top`, a power of two (0 where nothing but 0 was seen).

    largest: the exact largest value. One histogram plus another is that of all their values, in whatever order and
    parts they came: the top doubles as needed, and neighbouring bins are joined. ONNX Runtime's collector keeps the
    values of all chunks until the end.
    """

    counts: Counts
    top: float
    largest: float

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> Histogram:
        """Of a tensor of any shape. Raises ValueError for values that are not finite."""
        absolute = np.abs(values.ravel()).astype(np.float64, copy=False)
        largest = float(absolute.max(initial=0.0))
        if not math.isfinite(largest):
            raise ValueError("a value is not finite")
        top = _power_of_two(largest)
        if not top:
            return cls(_at_zero(absolute.size), 0.0, 0.0)
        # The top itself belongs to the last bin.
        places = np.minimum((absolute * (BINS / top)).astype(np.int64), BINS - 1)
        return cls(np.bincount(places, minlength=BINS), top, largest)

    def __add__(self, other: Histogram) -> Histogram:
        top = max(self.top, other.top)
        return Histogram(self._up_to(top) + other._up_to(top), top, max(self.largest, other.largest))

    @property
    def edges(self) -> npt.NDArray[np.float64]:
        """Upper edges of the bins, [2048]."""
        return np.arange(1, BINS + 1, dtype=np.float64) * (self.top / BINS)

    def _up_to(self, top: float) -> Counts:
        if self.top == 0:
            return self.counts  # all at zero, which is in the first bin of any
        counts, reached = self.counts, self.top
        while reached < top:
            counts = np.concatenate([counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2, np.int64)])
            reached *= 2
        return counts


def _power_of_two(value: float) -> float:
    """The smallest that is not less; 0 for 0."""
    return 2.0 ** math.ceil(math.log2(value)) if value > 0 else 0.0


def _at_zero(count: int) -> Counts:
    counts = np.zeros(BINS, np.int64)
    counts[0] = count
    return counts


NOTHING = Histogram(_at_zero(0), 0.0, 0.0)
