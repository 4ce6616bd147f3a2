"""Fits the exponent with which a cost grows, and says how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_Error = Callable[[float], float]

_EXPONENTS = np.linspace(-1.0, 4.0, 501)
_CONFIDENCE = 0.95
_PRECISION = 1e-5  # of an exponent
_OFF_LIMIT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """cost = base + rate * size ** exponent, by least squares over relative errors.

    low, high: 95 % interval of the exponent (by profile likelihood); it includes what the curve itself is off.
    off: the largest distance of the median at a size from the curve, relative to the median. suits: whether that is
    within a tenth; beyond, the cost does not grow as any power, and the exponent means nothing.
    """

    base: float
    rate: float
    exponent: float
    low: float
    high: float
    off: float

    @property
    def suits(self) -> bool:
        """Whether the curve describes the costs."""
        return self.off <= _OFF_LIMIT

    def at(self, size: float) -> float:
        """The cost that the curve has at a size."""
        return float(self.base + self.rate * size**self.exponent)


class _Fit(NamedTuple):
    base: float
    rate: float
    error: float  # sum of squared relative errors


def fit_growth(sizes: Sequence[float], costs: Sequence[Sequence[float]], *, with_base: bool = True) -> Growth:
    """costs: of each size, one per round, above 0. with_base: False fits a power alone, the line of a log-log picture.

    For a given exponent the rest is linear and has a closed form, so only the exponent is searched. The base is never
    below 0: a start cannot cost less than nothing. Raises ValueError for too few sizes or rounds, or costs of 0.
    """
    size, cost, unit = _flat(sizes, costs, least=4 if with_base else 3)

    def error(exponent: float) -> float:
        return _fitted(size, cost, unit, exponent, with_base=with_base).error

    begin = int(np.argmin([error(exponent) for exponent in _EXPONENTS]))
    near = _EXPONENTS[[max(begin - 1, 0), min(begin + 1, len(_EXPONENTS) - 1)]]
    exponent = _least(error, float(near[0]), float(near[1]))
    best = _fitted(size, cost, unit, exponent, with_base=with_base)
    freedom = len(cost) - 2 - with_base
    limit = best.error * (1 + _student(freedom) ** 2 / freedom)
    low, high = (_crossing(error, exponent, float(end), limit) for end in (_EXPONENTS[0], _EXPONENTS[-1]))
    medians = np.median(np.array(costs, float), axis=1)
    curve = best.base + best.rate * np.array(sizes, float) ** exponent
    off = float(np.max(np.abs(curve - medians) / medians))
    return Growth(base=best.base, rate=best.rate, exponent=exponent, low=low, high=high, off=off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """The slope of a straight line through costs, per unit of size, and its 95 % interval."""

    slope: float
    low: float
    high: float


def fit_slope(sizes: Sequence[float], costs: Sequence[Sequence[float]]) -> Slope:
    """By least squares over absolute errors. Raises ValueError as `fit_growth`."""
    size, cost, _ = _flat(sizes, costs, least=3)
    centred = size - size.mean()
    spread = float(centred @ centred)
    slope = float(centred @ cost) / spread
    residuals = cost - cost.mean() - slope * centred
    freedom = len(cost) - 2
    half = _student(freedom) * math.sqrt(float(residuals @ residuals) / freedom / spread)
    return Slope(slope=slope, low=slope - half, high=slope + half)


def _flat(sizes: Sequence[float], costs: Sequence[Sequence[float]], *, least: int) -> tuple[Floats, Floats, Floats]:
    """Size, cost, and median cost of that size, of each measurement."""
    table = np.array(costs, float)
    if table.ndim != 2 or len(table) != len(sizes) or table.shape[1] < 2:
        raise ValueError(f"costs have the shape {table.shape}; pass a row of two or more rounds for each size")
    if len(set(sizes)) < least or min(sizes) <= 0:
        raise ValueError(f"the sizes are {list(sizes)}; pass {least} or more that differ, above 0")
    if not np.all(np.isfinite(table)) or table.min() <= 0:
        raise ValueError(f"the least cost is {table.min():g}; costs must be finite and above 0")
    rounds = table.shape[1]
    return np.repeat(np.array(sizes, float), rounds), table.ravel(), np.repeat(np.median(table, axis=1), rounds)


def _fitted(size: Floats, cost: Floats, unit: Floats, exponent: float, *, with_base: bool) -> _Fit:
    power = size**exponent
    columns, target = np.stack((1 / unit, power / unit), axis=1), cost / unit
    if with_base:
        (base, rate), *_ = np.linalg.lstsq(columns, target, rcond=None)
    if not with_base or base < 0:
        base, rate = 0.0, float(columns[:, 1] @ target) / float(columns[:, 1] @ columns[:, 1])
    residuals = target - columns @ np.array((base, rate))
    return _Fit(float(base), float(rate), float(residuals @ residuals))


def _least(error: _Error, low: float, high: float) -> float:
    """Where the error is least between two exponents, by golden section."""
    ratio = (math.sqrt(5) - 1) / 2
    while high - low > _PRECISION:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if error(left) < error(right):
            high = right
        else:
            low = left
    return (low + high) / 2


def _crossing(error: _Error, inside: float, outside: float, limit: float) -> float:
    """The exponent between the best one and an end of the range beyond which the error exceeds the limit."""
    if error(outside) <= limit:
        return outside
    while abs(outside - inside) > _PRECISION:
        middle = (inside + outside) / 2
        if error(middle) <= limit:
            inside = middle
        else:
            outside = middle
    return inside


def _student(freedom: int) -> float:
    """The two-sided quantile of Student's t: the expansion of Abramowitz and Stegun, 26.7.5."""
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return float(sum(term / freedom**order for order, term in enumerate(terms)))
