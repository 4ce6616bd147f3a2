"""Full load for minutes: whether speed and memory remain constant."""

from __future__ import annotations

import time
from typing import Any

from cmsn_benchmarks.device.facts import gpu_items, used_mebibytes
from cmsn_benchmarks.gpu.timing import Way

_SAMPLES = 20
_BURST = 16  # hops between two readings of the clock


def endure(way: Way, *, frames: int, seconds: float) -> dict[str, Any]:
    """Run hops without a pause; record speed, memory and clocks 20 times. frames: number per hop, of all cameras."""
    rates: list[float] = []
    memory: list[float] = []
    clocks: list[dict[str, str]] = []
    turn = 0
    for _ in range(_SAMPLES):
        begin, hops = time.perf_counter(), 0
        while time.perf_counter() - begin < seconds / _SAMPLES:
            for _ in range(_BURST):
                way.hop(turn)
                turn += 1
            way.wait()
            hops += _BURST
        rates.append(round(frames * hops / (time.perf_counter() - begin), 2))
        used = used_mebibytes()
        memory += [] if used is None else [used]
        clocks.append(gpu_items(("clocks.sm", "temperature.gpu", "power.draw")))
    return {
        "way": way.name,
        "seconds": seconds,
        "hops": turn,
        "frames_per_second": rates,
        "last_over_first": round(rates[-1] / rates[0], 4),
        "memory_used_mib": memory,
        "memory_growth_mib": memory[-1] - memory[0] if memory else None,
        "clocks": [item for item in (clocks[0], clocks[-1]) if item],
    }
