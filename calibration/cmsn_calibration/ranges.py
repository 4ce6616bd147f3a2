"""From the distribution of a tensor to the range that INT8 has to hold: values beyond it are clipped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from cmsn_calibration.histogram import BINS, Histogram
from cmsn_runtime.errors import SettingsError

LEVELS = 127  # above zero, of symmetric INT8

_Floats = npt.NDArray[np.float64]


def largest_value(histogram: Histogram) -> float:
    """Nothing is clipped ("min-max")."""
    return histogram.largest


def percentile(histogram: Histogram, *, share: float) -> float:
    """The range that holds this share of all values, up to one bin, and at least one value above zero."""
    counted = np.cumsum(histogram.counts)
    place = int(np.searchsorted(counted, share * counted[-1]))
    return min(float(histogram.edges[place]), histogram.largest)


def least_squares(histogram: Histogram) -> float:
    """The range with the least expected squared error of a value: of rounding within it, and of clipping beyond."""
    candidates = _candidates(histogram)
    return min(candidates, key=partial(squared_error, histogram), default=histogram.largest)


def least_divergence(histogram: Histogram) -> float:
    """The range whose INT8 values lose the least information (Kullback-Leibler, as TensorRT's entropy calibration).

    The distribution up to a range, with what is clipped at its end, is compared with itself in 128 levels. The first
    bin is left out: half of all values are zero after a ReLU, and zero is exact. ONNX Runtime's own divides 128 bins
    into 128 levels by default, finds no difference anywhere and takes the largest value.
    """
    counts = histogram.counts.astype(np.float64)
    counts[0] = 0
    if not counts.any():
        return histogram.largest
    last = int(np.flatnonzero(counts)[-1]) + 1
    ends = [*range(min(LEVELS + 1, last), last, 8), last]
    best = min(ends, key=lambda end: _divergence(counts, end))
    return min(float(histogram.edges[best - 1]), histogram.largest)


def squared_error(histogram: Histogram, limit: float) -> float:
    """The mean squared error of values that are rounded to 127 levels of a range and clipped to it."""
    step = limit / LEVELS
    middles = histogram.edges - histogram.top / BINS / 2
    rounded = np.minimum(np.round(middles / step), LEVELS) * step
    return float(((middles - rounded) ** 2) @ histogram.counts / max(histogram.counts.sum(), 1))


METHODS: Mapping[str, Callable[[Histogram], float]] = {
    "min-max": largest_value,
    "percentile": partial(percentile, share=0.9999),
    "mse": least_squares,
    "entropy": least_divergence,
}


def find_range(histogram: Histogram, method: str) -> float:
    """The range of a tensor by a method's name. Raises SettingsError for an unknown one, or where all values are 0."""
    if method not in METHODS:
        raise SettingsError(f"the method is {method!r}; it must be one of {', '.join(METHODS)}")
    if not histogram.largest:
        raise SettingsError(
            "all values of a layer are 0; something must happen in the videos; collect on others, with actions in them"
        )
    return METHODS[method](histogram) or histogram.largest


def _candidates(histogram: Histogram) -> list[float]:
    """From a five-hundredth of the largest value to all of it, each 2 % above the one before."""
    return [float(value) for value in np.geomspace(1 / 512, 1.0, 316) * histogram.largest]


def _divergence(counts: _Floats, end: int) -> float:
    kept = counts[:end].copy()
    kept[-1] += counts[end:].sum()
    groups = np.arange(end) * (LEVELS + 1) // end
    filled = kept > 0  # what is clipped takes part in the last level
    sums = np.bincount(groups, weights=counts[:end], minlength=LEVELS + 1)
    members = np.bincount(groups, weights=filled, minlength=LEVELS + 1)
    levels = np.where(filled, (sums / np.maximum(members, 1))[groups], 0.0)
    if not levels.any():
        return float("inf")
    wanted, found = kept / kept.sum(), levels / levels.sum()
    there = wanted > 0
    return float(np.sum(wanted[there] * np.log(wanted[there] / np.maximum(found[there], 1e-12))))
