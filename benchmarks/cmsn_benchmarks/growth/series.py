"""What is measured at each size, and how it grows: what growth.json holds of each part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cmsn_benchmarks.growth.fitting import Growth, Slope


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One cost at each size of a part. values: in `unit`, of each size, one per round.

    least, most: bounds that the exponent must lie in; None where there is none. slope: where it is of interest.
    """

    name: str
    unit: str
    values: tuple[tuple[float, ...], ...]
    growth: Growth
    least: float | None = None
    most: float | None = None
    slope: Slope | None = None

    @property
    def bounded(self) -> bool:
        """Whether the exponent has a bound."""
        return self.least is not None or self.most is not None

    @property
    def holds(self) -> bool:
        """Whether the fitted exponent lies within its bounds, and the curve describes the costs it is fitted to."""
        above = self.least is None or self.growth.exponent >= self.least
        below = self.most is None or self.growth.exponent <= self.most
        return not self.bounded or (above and below and self.growth.suits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that grows. size: what is varied, with its unit. sizes: ascending. beside: further medians, by name,
    one per size, or a single one."""

    size: str
    sizes: tuple[float, ...]
    series: tuple[Series, ...]
    beside: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthReport:
    """The file. began, machine: see `run_facts`. rounds: turns of each size. parts: by name."""

    began: str
    command: str
    machine: Mapping[str, object]
    rounds: int
    parts: Mapping[str, Part]


def by_size(rounds: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Values of each round, one per size -> values of each size, one per round."""
    return tuple(zip(*rounds, strict=True))
