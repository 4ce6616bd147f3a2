"""Percentiles of times."""

from __future__ import annotations

import math
from collections.abc import Sequence

from cmsn_benchmarks.device.figures import Latency


def latency_of(seconds: Sequence[float]) -> Latency:
    """Times of the same thing, at least one -> their figures in milliseconds."""
    ordered = sorted(1e3 * each for each in seconds)

    def percentile(share: float) -> float:
        """Of the nearest rank: the least time within which that share of all ended."""
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Latency(
        count=len(ordered),
        mean=math.fsum(ordered) / len(ordered),
        least=ordered[0],
        p50=percentile(0.50),
        p90=percentile(0.90),
        p95=percentile(0.95),
        p99=percentile(0.99),
        most=ordered[-1],
    )
